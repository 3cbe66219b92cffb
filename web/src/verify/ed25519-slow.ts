// S·B − k·A = R without the cofactor, for browsers that have no Ed25519 of their own. Loaded only
// there. The caller has refused points of small order and S ≥ L.
import { ed25519 } from '@noble/curves/ed25519';
import { sha512 } from '@noble/hashes/sha2';
import { concat, equal } from './bytes';

const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = value * 256n + BigInt(bytes[i] ?? 0);
  return value;
}

export function verify(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const r = signature.subarray(0, 32);
  const s = littleEndian(signature.subarray(32));
  const k = littleEndian(sha512(concat(r, key, message))) % ORDER;
  const Point = ed25519.Point;
  const a = Point.fromHex(key);
  const left = s === 0n ? Point.ZERO : Point.BASE.multiply(s);
  const right = k === 0n ? Point.ZERO : a.multiplyUnsafe(k);
  return equal(left.add(right.negate()).toBytes(), r);
}
