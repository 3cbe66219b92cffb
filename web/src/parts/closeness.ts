// How near an auditor's training came to the one it repeated (spec/audit.md §6), as words for people.
// The numbers are decimals as they stand on the log: exact, and compared by the fold, never here.
import { type Found, type Near } from '../api';

const DIGITS = 6; // after the point; the log has up to nine

// A decimal text with at most DIGITS after the point. A number must not look as if it reached a limit
// that it does not reach: of a cosine ask for less, of a distance for more.
export function cut(decimal: string, towards: 'less' | 'more'): string {
  const [, sign, whole, fraction] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(decimal) ?? [];
  if (whole === undefined) return decimal; // not ours to mend
  const kept = (fraction ?? '').slice(0, DIGITS);
  const lost = /[1-9]/.test((fraction ?? '').slice(DIGITS));
  const away = lost && (towards === 'more') === (sign === '');
  let units = BigInt(whole + kept.padEnd(DIGITS, '0'));
  if (away) units += 1n;
  const digits = units.toString().padStart(DIGITS + 1, '0');
  const text = `${digits.slice(0, -DIGITS)}.${digits.slice(-DIGITS)}`.replace(/\.?0+$/, '');
  return units === 0n ? '0' : `${sign}${text}`;
}

// "cosine 0.999996, distance 0.002513"; nothing for an answer that has no such numbers.
export function closeness(found: Found): string {
  if (found.cosine === null || found.distance === null) return '';
  return `cosine ${cut(found.cosine, 'less')}, distance ${cut(found.distance, 'more')}`;
}

export function limits(near: Near): string {
  return `Near is a cosine of at least ${near.cosine_min} and a relative distance of at most ${near.distance_max}.`;
}

// Whether any answer has numbers that the limits are about.
export const compared = (audits: { found: Found[] }[]): boolean =>
  audits.some((one) => one.found.some((found) => found.cosine !== null));
