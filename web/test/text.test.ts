// A stranger's bytes on a page.
import { describe, expect, it } from 'vitest';
import { readableBytes } from '../src/text';

const of = (...bytes: number[]): string => readableBytes(Uint8Array.from(bytes));

describe('bytes that a model wrote', () => {
  it('stay what they are where they are text', () => {
    expect(readableBytes(new TextEncoder().encode('a\n\tñ 漢 🙂'))).toBe('a\n\tñ 漢 🙂');
  });
  it('show control characters as such', () => {
    expect(of(0, 0x1b, 0x5b, 0x0d, 0x7f)).toBe('\u2400\u241b[\u240d\u2421');
  });
  it('cannot turn the reading direction or hide', () => {
    expect(readableBytes(new TextEncoder().encode('a\u202eb\u200bc\u0085d\ufeff'))).toBe('a\ufffdb\ufffdc\ufffdd\ufffd');
  });
  it('may be no text at all', () => {
    expect(of(0xff, 0x61, 0xc0, 0x80)).toBe('\ufffda\ufffd\ufffd');
  });
});
