// RFC 6962 trees (spec/log.md §1–2). Sizes are numbers below 2^53, so no bit operations on them.
import { sha256 } from '@noble/hashes/sha2';
import { concat, equal } from './bytes';

export type Hash = Uint8Array;
const HASHES_MAX = 64;

export const leafHash = (entry: Uint8Array): Hash => sha256(concat(Uint8Array.of(0), entry));
export const nodeHash = (left: Hash, right: Hash): Hash =>
  sha256(concat(Uint8Array.of(1), left, right));
export const emptyRoot = (): Hash => sha256(new Uint8Array(0));

const odd = (n: number): boolean => n % 2 === 1;
const half = (n: number): number => Math.floor(n / 2);

export function inclusionHolds(
  index: number, size: number, leaf: Hash, proof: Hash[], root: Hash): boolean {
  if (index >= size || proof.length > HASHES_MAX) return false;
  let fn = index;
  let sn = size - 1;
  let r = leaf;
  for (const p of proof) {
    if (sn === 0) return false;
    if (odd(fn) || fn === sn) {
      r = nodeHash(p, r);
      while (!odd(fn) && fn !== 0) {
        fn = half(fn);
        sn = half(sn);
      }
    } else {
      r = nodeHash(r, p);
    }
    fn = half(fn);
    sn = half(sn);
  }
  return sn === 0 && equal(r, root);
}

export function consistencyHolds(
  from: number, to: number, proof: Hash[], fromRoot: Hash, toRoot: Hash): boolean {
  if (from > to || proof.length > HASHES_MAX) return false;
  if (from === to) return proof.length === 0 && equal(fromRoot, toRoot);
  if (from === 0) return proof.length === 0 && equal(fromRoot, emptyRoot());
  const path = Number.isInteger(Math.log2(from)) ? [fromRoot, ...proof] : proof;
  const first = path[0];
  if (!first) return false;
  let fn = from - 1;
  let sn = to - 1;
  while (odd(fn)) {
    fn = half(fn);
    sn = half(sn);
  }
  let fr = first;
  let sr = first;
  for (const c of path.slice(1)) {
    if (sn === 0) return false;
    if (odd(fn) || fn === sn) {
      fr = nodeHash(c, fr);
      sr = nodeHash(c, sr);
      while (!odd(fn) && fn !== 0) {
        fn = half(fn);
        sn = half(sn);
      }
    } else {
      sr = nodeHash(sr, c);
    }
    fn = half(fn);
    sn = half(sn);
  }
  return sn === 0 && equal(fr, fromRoot) && equal(sr, toRoot);
}

// The root of entries that come one after the other.
export class Frontier {
  private readonly stack: { level: number; hash: Hash }[] = [];
  size = 0;

  append(leaf: Hash): void {
    let node = { level: 0, hash: leaf };
    for (let top = this.stack.at(-1); top && top.level === node.level; top = this.stack.at(-1)) {
      this.stack.pop();
      node = { level: node.level + 1, hash: nodeHash(top.hash, node.hash) };
    }
    this.stack.push(node);
    this.size += 1;
  }

  root(): Hash {
    let root: Hash | null = null;
    for (const { hash } of [...this.stack].reverse()) root = root ? nodeHash(hash, root) : hash;
    return root ?? emptyRoot();
  }
}
