// Baselines stand where the run itself was at the same tokens or rounds.
import { expect, test } from 'vitest';
import { type Baseline, type Series } from '../src/api';
import { carried, placed } from '../src/parts/curves';

const series: Series = {
  accepted: [], contributions: [], loss_nanos: [3e9, 2e9, 2e9, 1e9],
  round: [0, 1, 2, 3], tokens: [0, 100, 100, 300],
};
const baseline = (over: 'tokens' | 'rounds', points: [number, number][]): Baseline =>
  ({ id: 'x', index: 1, label: 'alone', over, points });

test('a place between neighbours is on the straight line', () => {
  expect(carried(50, series.tokens, series.round)).toBe(0.5);
  expect(carried(200, series.tokens, series.round)).toBe(2.5);
  expect(carried(2, series.round, series.tokens)).toBe(100);
});

test('where a round brought no tokens, the first round that had them counts', () => {
  expect(carried(100, series.tokens, series.round)).toBe(1);
});

test('outside of the run there is no place', () => {
  expect(carried(301, series.tokens, series.round)).toBeNull();
  expect(carried(-1, series.tokens, series.round)).toBeNull();
  expect(carried(5, [], [])).toBeNull();
});

test('points on the axis of their own stay, however far they go', () => {
  expect(placed(baseline('tokens', [[0, 3e9], [900, 1e9]]), series, 'tokens'))
    .toEqual([[0, 900], [3, 1]]);
  expect(placed(baseline('tokens', [[0, 3e9], [300, 2e9], [900, 1e9]]), series, 'rounds'))
    .toEqual([[0, 3], [3, 2]]);
  expect(placed(baseline('rounds', [[0, 3e9], [1, 2e9], [2, 1e9]]), series, 'tokens'))
    .toEqual([[0, 100], [3, 2]]);
});
