import { expect, test } from 'vitest';
import { type RunCard } from '../src/api';
import * as format from '../src/format';
import { ordered } from '../src/parts/lineage';

const run = (name: string, index: number, data: string, parent: string | null = null): RunCard => ({
  active: 0, changed_ms: 2, data, distributed_micros: 0, id: name, index,
  loss: { best_nanos: null, first_nanos: null, last_nanos: null }, members: 0, name, opened_ms: 1,
  parameters: 1, parent: parent ? { name: parent, rounds: 1, run: parent } : null, phase: 'commit',
  round: 0, rounds: 1, spark_nanos: [], tokens: 0, weights: null,
});

test('forks stand below their parents, families together, the oldest first', () => {
  const runs = [run('fork', 9, 'a', 'old'), run('other', 5, 'b'), run('young', 7, 'a'),
    run('old', 3, 'a'), run('orphan', 1, 'c', 'gone')];
  expect(ordered(runs).map((one) => one.name)).toEqual(['orphan', 'old', 'fork', 'young', 'other']);
});

test('numbers have units', () => {
  expect(format.bytes(999)).toBe('999 B');
  expect(format.bytes(1_234_567)).toMatch(/^1[.,]2 MB$/);
  expect(format.loss(1_402_100_000)).toBe('1.4021');
  expect(format.loss(null)).toBe('–');
  expect(format.gain(5_000_000)).toBe('+0.0050');
  expect(format.ms(90_000)).toBe('90 s');
});
