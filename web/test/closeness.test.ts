// The numbers of an audit never look better than they are.
import { expect, test } from 'vitest';
import { type Found } from '../src/api';
import { closeness, compared, cut, limits } from '../src/parts/closeness';

const found = (cosine: string | null, distance: string | null): Found =>
  ({ auditor: 'a', cosine, distance, id: 'x', index: 1, result: 'near' });

test('what is cut of a cosine is shown as less, of a distance as more', () => {
  expect(cut('0.999996998', 'less')).toBe('0.999996');
  expect(cut('0.002512001', 'more')).toBe('0.002513');
  expect(cut('-0.1750000001', 'less')).toBe('-0.175001');
  expect(cut('-0.000000001', 'more')).toBe('0');
  expect(cut('0.999999999', 'more')).toBe('1');
});

test('just beside a limit is not at it', () => {
  expect(cut('0.989999999', 'less')).toBe('0.989999');
  expect(cut('0.100000001', 'more')).toBe('0.100001');
  expect(cut('0.99', 'less')).toBe('0.99');
  expect(cut('0.1', 'more')).toBe('0.1');
});

test('whole and long numbers stay what they are', () => {
  expect(cut('1', 'less')).toBe('1');
  expect(cut('0', 'more')).toBe('0');
  expect(cut('10', 'more')).toBe('10');
  expect(cut('1000.000000000', 'more')).toBe('1000');
  expect(cut('-1', 'less')).toBe('-1');
  expect(cut('what', 'less')).toBe('what');
});

test('an answer without numbers says none, and asks for no limits', () => {
  expect(closeness(found('0.894', '0.49'))).toBe('cosine 0.894, distance 0.49');
  expect(closeness(found(null, null))).toBe('');
  expect(compared([{ found: [found(null, null)] }, { found: [] }])).toBe(false);
  expect(compared([{ found: [found(null, null), found('1', '0')] }])).toBe(true);
  expect(limits({ cosine_min: '0.99', distance_max: '0.1' }))
    .toBe('Near is a cosine of at least 0.99 and a relative distance of at most 0.1.');
});
