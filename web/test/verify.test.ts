// The verifier against the project's vectors (tests/vectors), and against a log that lies.
import { webcrypto } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ed25519 } from '@noble/curves/ed25519';
import { sha256 } from '@noble/hashes/sha2';
import { describe, expect, test } from 'vitest';
import { concat, equal, hex, unbase64, unhex, utf8 } from '../src/verify/bytes';
import { signatureHolds } from '../src/verify/ed25519';
import { verify as slowly } from '../src/verify/ed25519-slow';
import { checkAll, checkRecord } from '../src/verify/entries';
import { canonical, checkAuthor, keyId, ownKey, parseEnvelope, type Json }
  from '../src/verify/envelope';
import { consistencyHolds, emptyRoot, Frontier, inclusionHolds, leafHash } from '../src/verify/merkle';
import { openCheckpoint, parseVkey } from '../src/verify/note';
import { parseBundle, tilePath, Tiles } from '../src/verify/tiles';
import { checkPage, type Memory, type Store, Watch } from '../src/verify/watch';

interface Vectors {
  log_vkey: string;
  leaf_hash: { [index: string]: string };
  root: { [size: string]: string };
  inclusion: { index: number; size: number; proof: string[] }[];
  consistency: { old: number; new: number; proof: string[] }[];
  tile_sha256_at_size_70000: { [path: string]: string };
  checkpoint_70000_cosigned: string;
}
const vectors = JSON.parse(readFileSync(
  new URL('../../tests/vectors/trust-vectors.json', import.meta.url), 'utf8')) as Vectors;
const record = readFileSync(new URL('../../spec/record.md', import.meta.url), 'utf8');
const root = (size: number): Uint8Array => unhex(vectors.root[size] as string);
const entry = (i: number): Uint8Array => utf8(`record ${i} ${'x'.repeat(i % 97)}`);
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

describe('the tree', () => {
  test('has the vectors’ hashes and roots', () => {
    for (const [index, hash] of Object.entries(vectors.leaf_hash)) {
      expect(hex(leafHash(entry(Number(index))))).toBe(hash);
    }
    const tree = new Frontier();
    expect(hex(tree.root())).toBe(vectors.root['0']);
    for (let i = 0; i < 513; i++) {
      tree.append(leafHash(entry(i)));
      const known = vectors.root[tree.size];
      if (known) expect(hex(tree.root())).toBe(known);
    }
    expect(equal(emptyRoot(), root(0))).toBe(true);
  });

  test('accepts the vectors’ proofs and no others', () => {
    for (const one of vectors.inclusion) {
      const proof = one.proof.map(unhex);
      const leaf = leafHash(entry(one.index));
      expect(inclusionHolds(one.index, one.size, leaf, proof, root(one.size))).toBe(true);
      expect(inclusionHolds(one.index, one.size, leafHash(entry(one.index + 1)), proof,
        root(one.size))).toBe(false);
      expect(inclusionHolds(one.index, one.size, leaf, [...proof, leaf], root(one.size))).toBe(false);
      expect(inclusionHolds(one.size, one.size, leaf, proof, root(one.size))).toBe(false);
    }
    for (const one of vectors.consistency) {
      const proof = one.proof.map(unhex);
      expect(consistencyHolds(one.old, one.new, proof, root(one.old), root(one.new))).toBe(true);
      if (proof.length === 0) continue;
      const wrong = [leafHash(entry(0)), ...proof.slice(1)];
      expect(consistencyHolds(one.old, one.new, wrong, root(one.old), root(one.new))).toBe(false);
      expect(consistencyHolds(one.old, one.new, proof.slice(1), root(one.old), root(one.new)))
        .toBe(false);
      expect(consistencyHolds(one.new, one.old, proof, root(one.new), root(one.old))).toBe(false);
    }
  });

  test('names tiles as the vectors do', () => {
    const paths = Object.keys(vectors.tile_sha256_at_size_70000);
    expect(paths).toContain(tilePath(0, 273, 112));
    expect(paths).toContain(tilePath(2, 0, 1));
    expect(tilePath(0, 1234067, 256)).toBe('tile/0/x001/x234/067');
    expect(tilePath('entries', 0, 3)).toBe('tile/entries/000.p/3');
  });
});

describe('bundles', () => {
  test('are refused when they end within an entry', () => {
    expect(parseBundle(Uint8Array.of(0, 1, 7, 0, 0))).toEqual([Uint8Array.of(7), new Uint8Array(0)]);
    expect(() => parseBundle(Uint8Array.of(0, 2, 7))).toThrow(/within an entry/);
    expect(() => parseBundle(Uint8Array.of(0, 1, 7, 0))).toThrow(/within a length/);
  });
});

describe('checkpoints', () => {
  const vkey = parseVkey(vectors.log_vkey);
  const note = vectors.checkpoint_70000_cosigned;

  test('open with the log’s key', async () => {
    const checkpoint = await openCheckpoint(utf8(note), vkey);
    expect(checkpoint.size).toBe(70_000);
    expect(hex(checkpoint.root)).toBe(vectors.root['70000']);
  });

  test('are refused when a byte is another one, and with another key', async () => {
    await expect(openCheckpoint(utf8(note.replace('70000', '70001')), vkey)).rejects.toThrow(/false/);
    const other = ed25519.getPublicKey(new Uint8Array(32).fill(9));
    const blob = concat(Uint8Array.of(1), other);
    const id = sha256(concat(utf8(`${vkey.name}\n`), blob)).subarray(0, 4);
    await expect(openCheckpoint(utf8(note), { name: vkey.name, key: other, id }))
      .rejects.toThrow(/not signed by the key/);
    await expect(openCheckpoint(new Uint8Array(70_000), vkey)).rejects.toThrow(/too long/);
    expect(() => parseVkey(`${vectors.log_vkey.slice(0, 30)}00000000${vectors.log_vkey.slice(38)}`))
      .toThrow();
  });
});

describe('signatures', () => {
  const seed = new Uint8Array(32).fill(1);
  const key = ed25519.getPublicKey(seed);
  const message = utf8('all pull together');
  const good = ed25519.sign(message, seed);
  const flipped = (bytes: Uint8Array, at: number): Uint8Array =>
    bytes.map((byte, i) => (i === at ? byte ^ 1 : byte));

  test('hold or do not, with both implementations', async () => {
    for (const check of [signatureHolds, async (...all: [Uint8Array, Uint8Array, Uint8Array]) =>
      slowly(...all)]) {
      expect(await check(key, message, good)).toBe(true);
      expect(await check(key, utf8('all pull apart'), good)).toBe(false);
      expect(await check(key, message, flipped(good, 33))).toBe(false);
    }
    expect(await signatureHolds(key, message, good.subarray(1))).toBe(false);
  });

  test('of small order and with a large S are refused, whatever the library says', async () => {
    const identity = unhex(`01${'00'.repeat(31)}`);
    const forged = concat(identity, new Uint8Array(32)); // R = identity, S = 0: "signs" everything
    expect(await signatureHolds(identity, message, forged)).toBe(false);
    expect(await signatureHolds(key, message, forged)).toBe(false);
    const large = good.slice();
    let carry = 0; // S + L
    const order = unhex('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010');
    for (let i = 0; i < 32; i++) {
      const sum = (good[32 + i] ?? 0) + (order[i] ?? 0) + carry;
      large[32 + i] = sum & 255;
      carry = sum >> 8;
    }
    expect(await signatureHolds(key, message, large)).toBe(false);
    const notCanonical = unhex(`ee${'ff'.repeat(30)}7f`); // y = p + 1
    expect(await signatureHolds(notCanonical, message, good)).toBe(false);
  });

  test('WebCrypto is asked where there is one', () => {
    expect(typeof webcrypto.subtle.verify).toBe('function');
  });
});

describe('records', () => {
  const example = record.split('\n').find((line) => line.startsWith('{"payload":"eyJ')) as string;

  test('the example of spec/record.md is read and its signature holds', async () => {
    const envelope = parseEnvelope(utf8(example));
    expect(record).toContain(`Record id \`${envelope.id}\``);
    const key = ownKey(envelope) as Uint8Array;
    expect(keyId(key)).toBe(envelope.author);
    await checkAuthor(envelope, key);
    const other = { ...envelope, signature: envelope.signature.map((byte, i) => i === 40 ? byte ^ 1 : byte) };
    await expect(checkAuthor(other, key)).rejects.toThrow(/false/);
  });

  test('every other spelling is refused', () => {
    for (const wrong of [example.replace('"payload"', ' "payload"'), `${example}\n`,
      example.replace('"signatures":[', '"signatures":[{},'), example.replace('fd110d30', 'fd110d31'),
      example.replace('=="}]', '="}]'), '{}', '']) {
      expect(() => parseEnvelope(utf8(wrong))).toThrow();
    }
  });

  test('JSON is canonical only in one way', () => {
    const same = (text: string): boolean => canonical(JSON.parse(text) as Json) === text;
    expect(same('{"a":[1,"ü","\\u0007"],"b":null}')).toBe(true);
    expect(same('{"b":1,"a":2}')).toBe(false);
    expect(same('{"a":1.5}')).toBe(false);
    expect(same('[-0]')).toBe(false);
    expect(same('"\\ud800"')).toBe(false);
  });
});

// A log of real records in memory, and what a hub would serve of it.
class Hub {
  readonly seed = new Uint8Array(32).fill(7);
  readonly key = ed25519.getPublicKey(this.seed);
  readonly origin = 'hub.test/log';
  readonly entries: Uint8Array[] = [];
  private readonly chains = new Map<number, { seq: number; prev: string | null }>();

  get vkey(): string {
    const blob = concat(Uint8Array.of(1), this.key);
    const id = sha256(concat(utf8(`${this.origin}\n`), blob)).subarray(0, 4);
    return `${this.origin}+${hex(id)}+${base64(blob)}`;
  }

  say(person: number, text: string): string {
    const seed = new Uint8Array(32).fill(person);
    const key = ed25519.getPublicKey(seed);
    const { seq, prev } = this.chains.get(person) ?? { seq: 0, prev: null };
    const payload = canonical({
      author: keyId(key), blobs: [], body: seq === 0 ? { key: hex(key) } : { text },
      kind: seq === 0 ? 'identity' : 'note', log: this.origin, prev, seq, v: 1,
    }) as string;
    const type = 'application/vnd.harambee.record.v1+json';
    const pae = utf8(`DSSEv1 39 ${type} ${utf8(payload).length} ${payload}`);
    const sig = base64(ed25519.sign(pae, seed));
    this.entries.push(utf8(`{"payload":"${base64(utf8(payload))}","payloadType":"${type}",` +
      `"signatures":[{"keyid":"${keyId(key)}","sig":"${sig}"}]}`));
    const id = hex(sha256(pae));
    this.chains.set(person, { seq: seq + 1, prev: id });
    return id;
  }

  rootOf(size: number): Uint8Array {
    const tree = new Frontier();
    for (const one of this.entries.slice(0, size)) tree.append(leafHash(one));
    return tree.root();
  }

  checkpoint(size = this.entries.length): Uint8Array {
    const body = `${this.origin}\n${size}\n${base64(this.rootOf(size))}\n`;
    const id = parseVkey(this.vkey).id;
    const sig = base64(concat(id, ed25519.sign(utf8(body), this.seed)));
    return utf8(`${body}\n— ${this.origin} ${sig}\n`);
  }

  // Static files, as the tile log's layout names them.
  readonly fetch = async (path: string): Promise<Uint8Array> => {
    if (path === 'checkpoint') return this.checkpoint();
    const match = /^tile\/(entries|[0-9])\/([0-9x/]+)(?:\.p\/([0-9]+))?$/.exec(path);
    if (!match) throw new Error(`no such file: ${path}`);
    const first = Number((match[2] as string).replace(/[x/]/g, '')) * 256;
    const width = Number(match[3] ?? 256);
    if (match[1] === 'entries') {
      return concat(...this.entries.slice(first, first + width).flatMap((one) =>
        [Uint8Array.of(one.length >> 8, one.length & 255), one]));
    }
    const span = 256 ** Number(match[1]);
    const hashes: Uint8Array[] = [];
    for (let i = first; i < first + width; i++) {
      const tree = new Frontier();
      for (const one of this.entries.slice(i * span, (i + 1) * span)) tree.append(leafHash(one));
      hashes.push(tree.root());
    }
    return concat(...hashes);
  };
}

function hubWith(count: number): Hub {
  const hub = new Hub();
  for (let i = 0; i < count; i++) hub.say(1 + (i % 3), `text ${i}`);
  return hub;
}

class Kept implements Store {
  memory: Memory | null = null;
  load(): Memory | null { return this.memory; }
  save(memory: Memory): void { this.memory = memory; }
  forget(): void { this.memory = null; }
}

const watch = (hub: Hub, kept: Kept): Watch => new Watch(hub.fetch, kept, async () => hub.vkey, () => 5);

describe('what this browser remembers', () => {
  test('a first visit remembers, and growth is consistent', async () => {
    const hub = hubWith(300);
    const kept = new Kept();
    const first = await watch(hub, kept).check();
    expect(first.ok).toBe(true);
    expect(first.firstVisit).toBe(true);
    expect(kept.memory?.size).toBe(300);
    for (let i = 0; i < 250; i++) hub.say(1, `more ${i}`);
    const second = await watch(hub, kept).check();
    expect(second.findings.map((finding) => finding.ok)).toEqual([true, true, true]);
    expect(second.findings[2]?.sentence).toContain('has grown from 300 entries to 550 entries');
    expect(kept.memory?.size).toBe(550);
  });

  test('a rewritten log is caught, and both checkpoints are kept', async () => {
    const kept = new Kept();
    const hub = hubWith(20);
    await watch(hub, kept).check();
    const liar = hubWith(10);
    for (let i = 0; i < 20; i++) liar.say(2, `another history ${i}`);
    const report = await watch(liar, kept).check();
    expect(report.ok).toBe(false);
    expect(report.findings.at(-1)?.sentence).toContain('was rewritten');
    expect(report.tiles).toBeNull();
    expect(kept.memory?.proof?.length).toBe(2);
    expect(kept.memory?.size).toBe(20);
  });

  test('another history of the same length is caught too', async () => {
    const kept = new Kept();
    await watch(hubWith(20), kept).check();
    const liar = hubWith(19);
    liar.say(3, 'another last word');
    expect((await watch(liar, kept).check()).findings.at(-1)?.ok).toBe(false);
  });

  test('damaged tiles are caught, but convict nobody', async () => {
    const kept = new Kept();
    const hub = hubWith(20);
    await watch(hub, kept).check();
    for (let i = 0; i < 10; i++) hub.say(1, `more ${i}`);
    const damaged = async (path: string): Promise<Uint8Array> => {
      const bytes = await hub.fetch(path);
      return path.startsWith('tile/0') ? bytes.map((byte) => byte ^ 1) : bytes;
    };
    const report = await new Watch(damaged, kept, async () => hub.vkey).check();
    expect(report.ok).toBe(false);
    expect(report.findings.at(-1)?.sentence).toContain('does not prove');
    expect(kept.memory?.proof).toBeUndefined();
    expect(kept.memory?.size).toBe(20);
    expect((await watch(hub, kept).check()).ok).toBe(true);
  });

  test('an older state and another key are caught', async () => {
    const kept = new Kept();
    await watch(hubWith(20), kept).check();
    const old = await watch(hubWith(19), kept).check();
    expect(old.findings.at(-1)?.sentence).toContain('shown only 19');
    const other = hubWith(20);
    other.seed.fill(8);
    other.key.set(ed25519.getPublicKey(other.seed));
    const report = await watch(other, kept).check();
    expect(report.findings[0]?.ok).toBe(false);
    expect(report.findings[0]?.sentence).toContain('not the log that this browser knows');
  });

  test('a page’s numbers must be of this log', async () => {
    const hub = hubWith(40);
    const report = await watch(hub, new Kept()).check();
    const { checkpoint, tiles } = report;
    if (!checkpoint || !tiles) throw new Error('not checked');
    const at = { size: 30, root: hex(hub.rootOf(30)), origin: hub.origin };
    expect((await checkPage(at, checkpoint, tiles))?.ok).toBe(true);
    expect((await checkPage({ ...at, root: hex(hub.rootOf(29)) }, checkpoint, tiles))?.ok).toBe(false);
    expect(await checkPage({ ...at, size: 41 }, checkpoint, tiles)).toBeNull();
  });
});

describe('all of the log', () => {
  test('is checked entry by entry', async () => {
    const hub = hubWith(300);
    const checkpoint = await openCheckpoint(hub.checkpoint(), parseVkey(hub.vkey));
    const seen: number[] = [];
    const result = await checkAll(new Tiles(hub.fetch, 300), checkpoint, (done) => seen.push(done) > 0);
    expect(result).toEqual({ entries: 300, signatures: 300, authors: 3, fault: null });
    expect(seen).toEqual([256, 300]);
  });

  test('a flipped bit is found, and the entry named', async () => {
    const hub = hubWith(30);
    const checkpoint = await openCheckpoint(hub.checkpoint(), parseVkey(hub.vkey));
    const lying = async (path: string): Promise<Uint8Array> => {
      const bytes = await hub.fetch(path);
      if (!path.startsWith('tile/entries')) return bytes;
      const out = bytes.slice();
      const at = parseBundle(bytes).slice(0, 17).reduce((sum, one) => sum + 2 + one.length, 0);
      out[at + 50] = (out[at + 50] ?? 0) ^ 1;
      return out;
    };
    const result = await checkAll(new Tiles(lying, 30), checkpoint, () => true);
    expect(result.fault).toMatch(/^Entry 17: /);
    const honest = parseEnvelope(hub.entries[17] as Uint8Array);
    const shown = { index: 17, id: honest.id, authorKey: hex(ed25519.getPublicKey(
      new Uint8Array(32).fill(1 + (17 % 3)))), envelope: Buffer.from(hub.entries[17] as Uint8Array).toString() };
    const steps = await checkRecord(shown, checkpoint, new Tiles(lying, 30));
    expect(steps[0]?.ok).toBe(false);
    const fine = await checkRecord(shown, checkpoint, new Tiles(hub.fetch, 30));
    expect(fine.every((step) => step.ok)).toBe(true);
    const renamed = await checkRecord({ ...shown, id: 'f'.repeat(64) }, checkpoint,
      new Tiles(hub.fetch, 30));
    expect(renamed.every((step) => step.ok)).toBe(false);
  });

  test('a gap in somebody’s chain is found', async () => {
    const hub = hubWith(12);
    hub.entries.splice(7, 1);
    const checkpoint = await openCheckpoint(hub.checkpoint(), parseVkey(hub.vkey));
    const result = await checkAll(new Tiles(hub.fetch, 11), checkpoint, () => true);
    expect(result.fault).toMatch(/Entry 9: it does not continue/);
  });
});

test('base64 has one spelling', () => {
  expect(unbase64('QQ==')).toEqual(Uint8Array.of(65));
  expect(() => unbase64('QR==')).toThrow();
  expect(() => unbase64('QQ')).toThrow();
});
