// Records (spec/record.md): one spelling, the author's signature, the key that names itself.
import { sha256 } from '@noble/hashes/sha2';
import { concat, hex, text, unbase64, unhex, utf8 } from './bytes';
import { signatureHolds } from './ed25519';

const TYPE = 'application/vnd.harambee.record.v1+json';
const SPKI = unhex('302a300506032b6570032100');
const ENVELOPE =
  /^\{"payload":"([A-Za-z0-9+/=]+)","payloadType":"application\/vnd\.harambee\.record\.v1\+json","signatures":\[(.+)\]\}$/;
const SIGNATURE = /^\{"keyid":"([0-9a-f]{64})","sig":"([A-Za-z0-9+/=]{88})"\}$/;

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

// Canonical JSON: RFC 8785 with integers alone. Null where there is no such text.
export function canonical(value: Json): string | null {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') {
    return Number.isSafeInteger(value) && !Object.is(value, -0) ? String(value) : null;
  }
  if (typeof value === 'string') {
    const quoted = JSON.stringify(value);
    return /\\ud[89a-f]/.test(quoted) ? null : quoted; // a lone surrogate
  }
  const parts: string[] = [];
  if (Array.isArray(value)) {
    for (const item of value) parts.push(canonical(item) ?? '!');
    return `[${parts.join(',')}]`;
  }
  for (const key of Object.keys(value).sort()) {
    parts.push(`${JSON.stringify(key)}:${canonical(value[key] as Json) ?? '!'}`);
  }
  return `{${parts.join(',')}}`;
}

export interface Envelope {
  id: string; // record id
  payload: { [key: string]: Json };
  author: string;
  signature: Uint8Array; // the author's
  pae: Uint8Array;
}

export const keyId = (key: Uint8Array): string => hex(sha256(concat(SPKI, key)));

// Throws on every other spelling.
export function parseEnvelope(bytes: Uint8Array): Envelope {
  const match = ENVELOPE.exec(text(bytes));
  if (!match) throw new Error('the entry is no canonical envelope');
  const payloadBytes = unbase64(match[1] ?? '');
  const payloadText = text(payloadBytes);
  const payload = JSON.parse(payloadText) as Json;
  if (canonical(payload) !== payloadText || payload === null || typeof payload !== 'object' ||
      Array.isArray(payload)) {
    throw new Error('the payload is not canonical JSON');
  }
  const author = payload['author'];
  if (typeof author !== 'string') throw new Error('the payload names no author');
  let before = '';
  let signature: Uint8Array | null = null;
  for (const part of (match[2] ?? '').split(/(?<=\}),(?=\{)/)) {
    const [, id = '', sig = ''] = SIGNATURE.exec(part) ?? [];
    if (id <= before) throw new Error('the signatures are not in order');
    before = id;
    if (id === author) signature = unbase64(sig);
  }
  if (!signature) throw new Error('the author has not signed');
  const pae = concat(utf8(`DSSEv1 ${TYPE.length} ${TYPE} ${payloadBytes.length} `), payloadBytes);
  return { id: hex(sha256(pae)), payload, author, signature, pae };
}

// Throws unless the author's key signed this record.
export async function checkAuthor(envelope: Envelope, key: Uint8Array): Promise<void> {
  if (keyId(key) !== envelope.author) throw new Error('the key is not the author’s');
  if (!(await signatureHolds(key, envelope.pae, envelope.signature))) {
    throw new Error('the author’s signature is false');
  }
}

// The key that an author's first record brings; null in later ones.
export function ownKey(envelope: Envelope): Uint8Array | null {
  const body = envelope.payload['body'];
  if (envelope.payload['seq'] !== 0 || body === null || typeof body !== 'object' ||
      Array.isArray(body)) {
    return null;
  }
  const key = body?.['key'];
  return typeof key === 'string' && /^[0-9a-f]{64}$/.test(key) ? unhex(key) : null;
}
