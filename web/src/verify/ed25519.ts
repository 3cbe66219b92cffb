// Ed25519 by this project's rules (spec/record.md §1): canonical points, none of small order, and
// no cofactor. WebCrypto where the browser has it; else arithmetic of our own choosing (noble),
// which is slower and gives the same answers. Plain http from another machine has no WebCrypto.
import { equal, unhex } from './bytes';

const P_TOP = 0x7f;
// y coordinates of the points of small order, sign bit cleared.
const SMALL_ORDER = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
].map(unhex);
const L = unhex('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010');

// Little-endian a < b.
function below(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = a.length - 1; i >= 0; i--) {
    if (a[i] !== b[i]) return (a[i] ?? 0) < (b[i] ?? 0);
  }
  return false;
}

function isGoodPoint(point: Uint8Array): boolean {
  const y = point.slice();
  y[31] = (y[31] ?? 0) & P_TOP;
  const prime = unhex(`ed${'ff'.repeat(30)}7f`);
  return below(y, prime) && !SMALL_ORDER.some((bad) => equal(bad, y));
}

type Check = (key: Uint8Array, message: Uint8Array, signature: Uint8Array) => Promise<boolean>;

async function withWebCrypto(): Promise<Check | null> {
  const subtle = globalThis.crypto?.subtle;
  if (!subtle) return null;
  try {
    // A browser without the curve says so here.
    const probe = unhex('8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c');
    await subtle.importKey('raw', probe as BufferSource, 'Ed25519', false, ['verify']);
  } catch {
    return null;
  }
  const keys = new Map<string, Promise<CryptoKey>>();
  return async (key, message, signature) => {
    const name = key.join();
    let imported = keys.get(name);
    if (!imported) {
      imported = subtle.importKey('raw', key as BufferSource, 'Ed25519', false, ['verify']);
      keys.set(name, imported);
    }
    return subtle.verify('Ed25519', await imported, signature as BufferSource,
      message as BufferSource);
  };
}

let chosen: Promise<{ check: Check; by: string }> | null = null;

async function choose(): Promise<{ check: Check; by: string }> {
  const native = await withWebCrypto();
  if (native) return { check: native, by: 'WebCrypto' };
  const { verify } = await import('./ed25519-slow');
  return { check: async (key, message, signature) => verify(key, message, signature), by: 'noble' };
}

// Which implementation checks signatures here.
export async function implementation(): Promise<string> {
  chosen ??= choose();
  return (await chosen).by;
}

export async function signatureHolds(
  key: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean> {
  if (key.length !== 32 || signature.length !== 64) return false;
  const r = signature.subarray(0, 32);
  if (!isGoodPoint(key) || !isGoodPoint(r) || !below(signature.subarray(32), L)) return false;
  chosen ??= choose();
  return (await chosen).check(key, message, signature).catch(() => false);
}
