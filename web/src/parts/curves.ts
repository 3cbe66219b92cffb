// Where a baseline's points stand on the chart of a run (spec/baseline.md §3).
import { type Baseline, type Series } from '../api';

// The tokens before each round; the last is those before a round that has not been scored.
export type Scale = Pick<Series, 'round' | 'tokens'>;

export type Axis = 'rounds' | 'tokens';

// Where `at` on the ascending scale `from` stands on the scale `to`, in a straight line between
// neighbours; null: outside.
export function carried(at: number, from: number[], to: number[]): number | null {
  const next = from.findIndex((value) => value >= at);
  if (next < 0) return null;
  const [above, there] = [from[next] as number, to[next] as number];
  if (above === at) return there;
  if (next === 0) return null;
  const [below, before] = [from[next - 1] as number, to[next - 1] as number];
  return before + (there - before) * ((at - below) / (above - below));
}

// The points over `axis`, losses in nats: those that cannot be placed are left out.
export function placed(baseline: Baseline, series: Scale, axis: Axis): [number[], number[]] {
  const [from, to] = axis === 'rounds' ? [series.tokens, series.round] : [series.round, series.tokens];
  const at: number[] = [];
  const losses: number[] = [];
  for (const [where, nanos] of baseline.points) {
    const x = baseline.over === axis ? where : carried(where, from, to);
    if (x === null || x === at.at(-1)) continue;
    at.push(x);
    losses.push(nanos / 1e9);
  }
  return [at, losses];
}
