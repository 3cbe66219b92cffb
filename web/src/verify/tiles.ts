// A log's tiles (spec/log.md §3): hashes, proofs and entries out of static files. Nothing here is
// believed: proofs made from tiles are checked against a signed root.
import { type Hash, nodeHash } from './merkle';

export const TILE_WIDTH = 256;
export type Fetcher = (path: string) => Promise<Uint8Array>;

function numbered(index: number): string {
  let path = String(index % 1000).padStart(3, '0');
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
    path = `x${String(rest % 1000).padStart(3, '0')}/${path}`;
  }
  return path;
}

export function tilePath(level: number | 'entries', index: number, width: number): string {
  const partial = width < TILE_WIDTH ? `.p/${width}` : '';
  return `tile/${level}/${numbered(index)}${partial}`;
}

// One entry after the other: u16 big-endian length, then that many bytes.
export function parseBundle(bytes: Uint8Array): Uint8Array[] {
  const entries: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    if (at + 2 > bytes.length) throw new Error('an entry bundle ends within a length');
    const length = (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0);
    if (at + 2 + length > bytes.length) throw new Error('an entry bundle ends within an entry');
    entries.push(bytes.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return entries;
}

// The tree of the first `size` entries.
export class Tiles {
  private readonly loaded = new Map<string, Promise<Uint8Array>>();

  constructor(private readonly fetcher: Fetcher, readonly size: number) {}

  async entries(bundle: number): Promise<Uint8Array[]> {
    const width = Math.min(TILE_WIDTH, this.size - bundle * TILE_WIDTH);
    if (width <= 0) throw new Error('the log is not that large');
    const entries = parseBundle(await this.load('entries', bundle, width));
    if (entries.length < width) throw new Error('an entry bundle has too few entries');
    return entries.slice(0, width);
  }

  // The siblings on the way from entry `index` to the root.
  async inclusion(index: number): Promise<Hash[]> {
    const path = async (m: number, lo: number, hi: number): Promise<Hash[]> => {
      if (hi - lo === 1) return [];
      const k = split(hi - lo);
      return m < k
        ? [...(await path(m, lo, lo + k)), await this.root(lo + k, hi)]
        : [...(await path(m - k, lo + k, hi)), await this.root(lo, lo + k)];
    };
    return path(index, 0, this.size);
  }

  // That the tree of the first `from` entries is the beginning of this one.
  async consistency(from: number): Promise<Hash[]> {
    const proof = async (m: number, lo: number, hi: number, whole: boolean): Promise<Hash[]> => {
      if (m === hi - lo) return whole ? [] : [await this.root(lo, hi)];
      const k = split(hi - lo);
      return m <= k
        ? [...(await proof(m, lo, lo + k, whole)), await this.root(lo + k, hi)]
        : [...(await proof(m - k, lo + k, hi, false)), await this.root(lo, lo + k)];
    };
    return from === 0 || from === this.size ? [] : proof(from, 0, this.size, true);
  }

  // The tree over entries lo … hi − 1.
  async root(lo: number, hi: number): Promise<Hash> {
    const count = hi - lo;
    const level = Math.log2(count);
    if (Number.isInteger(level) && lo % count === 0) return this.node(level, lo / count);
    const k = split(count);
    return nodeHash(await this.root(lo, lo + k), await this.root(lo + k, hi));
  }

  // A full subtree of 2^level entries.
  private async node(level: number, index: number): Promise<Hash> {
    const tileLevel = Math.floor(level / 8);
    const count = 2 ** (level % 8); // hashes of the tile below this node
    const first = index * count;
    const tile = Math.floor(first / TILE_WIDTH);
    const whole = Math.floor(this.size / TILE_WIDTH ** tileLevel);
    const width = Math.min(TILE_WIDTH, whole - tile * TILE_WIDTH);
    const bytes = await this.load(tileLevel, tile, width);
    if (bytes.length < 32 * width) throw new Error('a hash tile is too short');
    let row: Hash[] = [];
    for (let i = 0; i < count; i++) {
      const at = 32 * ((first % TILE_WIDTH) + i);
      row.push(bytes.subarray(at, at + 32));
    }
    while (row.length > 1) {
      const above: Hash[] = [];
      for (let i = 0; i + 1 < row.length; i += 2) {
        above.push(nodeHash(row[i] as Hash, row[i + 1] as Hash));
      }
      row = above;
    }
    return row[0] as Hash;
  }

  private load(level: number | 'entries', index: number, width: number): Promise<Uint8Array> {
    const path = tilePath(level, index, width);
    let bytes = this.loaded.get(path);
    if (!bytes) {
      // A partial tile may be gone once the full one is there.
      const full = tilePath(level, index, TILE_WIDTH);
      bytes = this.fetcher(path).catch((error: unknown) => {
        if (path === full) throw error;
        return this.fetcher(full);
      });
      this.loaded.set(path, bytes);
      if (this.loaded.size > 512) this.loaded.delete(this.loaded.keys().next().value as string);
    }
    return bytes;
  }
}

// The largest power of two below n > 1.
function split(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}
