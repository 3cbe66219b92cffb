// Signed notes and checkpoints (spec/log.md §4–5).
import { sha256 } from '@noble/hashes/sha2';
import { concat, equal, text, unbase64, unhex, utf8 } from './bytes';
import { signatureHolds } from './ed25519';

const NOTE_BYTES_MAX = 64 * 1024;
const SIGNATURES_MAX = 64;

export interface VerifierKey {
  name: string;
  key: Uint8Array;
  id: Uint8Array;
}

export function parseVkey(vkey: string): VerifierKey {
  const parts = vkey.split('+');
  const name = parts[0] ?? '';
  const blob = unbase64(parts.slice(2).join('+'));
  if (blob.length !== 33 || blob[0] !== 1) throw new Error('not an Ed25519 verifier key');
  const key = blob.subarray(1);
  const id = sha256(concat(utf8(`${name}\n`), blob)).subarray(0, 4);
  if (!equal(id, unhex(parts[1] ?? ''))) throw new Error('the verifier key does not fit its id');
  return { name, key, id };
}

export interface Checkpoint {
  origin: string;
  size: number;
  root: Uint8Array;
}

// Throws unless the note is a checkpoint that this key has signed.
export async function openCheckpoint(bytes: Uint8Array, vkey: VerifierKey): Promise<Checkpoint> {
  if (bytes.length > NOTE_BYTES_MAX) throw new Error('the checkpoint is too long');
  const note = text(bytes);
  const end = note.lastIndexOf('\n\n');
  if (end < 0 || !note.endsWith('\n')) throw new Error('the checkpoint is no signed note');
  const body = note.slice(0, end + 1);
  const lines = note.slice(end + 2, -1).split('\n');
  if (lines.length > SIGNATURES_MAX) throw new Error('the checkpoint has too many signatures');
  let signed = false;
  for (const line of lines) {
    const match = /^— (\S+) (\S+)$/.exec(line);
    if (!match) throw new Error('the checkpoint has a malformed signature line');
    const blob = unbase64(match[2] ?? '');
    if (match[1] !== vkey.name || !equal(blob.subarray(0, 4), vkey.id)) continue;
    if (!(await signatureHolds(vkey.key, utf8(body), blob.subarray(4)))) {
      throw new Error('the signature of the checkpoint is false');
    }
    signed = true;
  }
  if (!signed) throw new Error('the checkpoint is not signed by the key of this log');
  const [origin, size, root] = body.split('\n');
  if (origin !== vkey.name) throw new Error('the checkpoint is of another log');
  if (!/^(0|[1-9][0-9]{0,14})$/.test(size ?? '')) throw new Error('the checkpoint has no size');
  const hash = unbase64(root ?? '');
  if (hash.length !== 32) throw new Error('the checkpoint has no root');
  return { origin, size: Number(size), root: hash };
}
