// All runs as one picture: time runs to the right, each run is the curve of its own held-out loss,
// and a run that began with another one's weights hangs on the round that it took them from.
import { useEffect, useRef, useState } from 'preact/hooks';
import { type RunCard } from '../api';
import * as format from '../format';
import { go } from '../router';

const LANE = 84;
const CURVE = 40;
const LEFT = 14;
const RIGHT = 96;

function useWidth(): [{ current: HTMLDivElement | null }, number] {
  const box = useRef<HTMLDivElement>(null);
  const [width, set] = useState(720);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const measure = new ResizeObserver(() => set(element.clientWidth));
    measure.observe(element);
    set(element.clientWidth);
    return () => measure.disconnect();
  }, []);
  return [box, width];
}

// Children below their parents, families by the data that they train on, the oldest first.
export function ordered(runs: RunCard[]): RunCard[] {
  const byId = new Map(runs.map((run) => [run.id, run]));
  const children = new Map<string, RunCard[]>();
  const roots: RunCard[] = [];
  for (const run of [...runs].sort((a, b) => a.index - b.index)) {
    const parent = run.parent && byId.get(run.parent.run);
    if (parent) children.set(parent.id, [...(children.get(parent.id) ?? []), run]);
    else roots.push(run);
  }
  const firstOf = new Map<string, number>();
  for (const run of roots) firstOf.set(run.data, firstOf.get(run.data) ?? run.index);
  roots.sort((a, b) =>
    (firstOf.get(a.data) ?? 0) - (firstOf.get(b.data) ?? 0) || a.index - b.index);
  const out: RunCard[] = [];
  const visit = (run: RunCard): void => {
    out.push(run);
    for (const child of children.get(run.id) ?? []) visit(child);
  };
  roots.forEach(visit);
  return out;
}

interface Lane {
  run: RunCard;
  points: [number, number][];
  labelled: boolean; // the first of its data set
}

function lanes(runs: RunCard[], width: number): Lane[] {
  const begin = Math.min(...runs.map((run) => run.opened_ms));
  const end = Math.max(...runs.map((run) => run.changed_ms), begin + 1);
  const x = (ms: number): number => LEFT + (width - LEFT - RIGHT) * ((ms - begin) / (end - begin));
  const scales = new Map<string, [number, number]>();
  for (const run of runs) {
    const known = run.spark_nanos.filter((value): value is number => value !== null);
    const [low, high] = scales.get(run.data) ?? [Infinity, -Infinity];
    scales.set(run.data, [Math.min(low, ...known), Math.max(high, ...known)]);
  }
  let data = '';
  return runs.map((run, lane) => {
    const [low, high] = scales.get(run.data) ?? [0, 1];
    const top = lane * LANE + 34;
    const y = (nanos: number): number =>
      high > low ? top + CURVE * ((high - nanos) / (high - low)) : top + CURVE / 2;
    const from = x(run.opened_ms);
    const to = Math.max(x(run.changed_ms), from + 24);
    const points: [number, number][] = [];
    run.spark_nanos.forEach((nanos, i) => {
      if (nanos === null) return;
      points.push([from + (to - from) * (i / Math.max(1, run.spark_nanos.length - 1)), y(nanos)]);
    });
    if (points.length === 0) points.push([from, top + CURVE / 2], [to, top + CURVE / 2]);
    if (points.length === 1) points.push([to, (points[0] as [number, number])[1]]);
    const labelled = run.data !== data;
    data = run.data;
    return { run, points, labelled };
  });
}

function Branch(props: { lane: Lane; all: Lane[] }) {
  const parent = props.lane.run.parent;
  const from = parent && props.all.find((lane) => lane.run.id === parent.run);
  const end = props.lane.points[0];
  if (!parent || !from || !end) return null;
  const share = from.run.round > 0 ? Math.min(1, parent.rounds / from.run.round) : 0;
  const start = from.points[Math.round(share * (from.points.length - 1))];
  if (!start) return null;
  const middle = (start[1] + end[1]) / 2;
  return (
    <path class="branch"
          d={`M${start[0]} ${start[1]}C${start[0]} ${middle} ${end[0]} ${middle} ${end[0]} ${end[1]}`} />
  );
}

function LaneView(props: { lane: Lane; lane_index: number; width: number }) {
  const { run, points } = props.lane;
  const last = points.at(-1) as [number, number];
  const path = points.map(([x, y], i) => `${i === 0 ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}`);
  const top = props.lane_index * LANE;
  const live = run.phase !== 'finished' && run.phase !== 'waiting_start';
  const state = run.phase === 'finished' ? 'finished' : live ? 'live' : 'waiting';
  return (
    <a href={`/runs/${run.name}`} class={`lane ${state}`} aria-label={`Run ${run.name}`}
       onClick={(event: MouseEvent) => {
         if (event.metaKey || event.ctrlKey || event.shiftKey) return;
         event.preventDefault();
         go(`/runs/${run.name}`);
       }}>
      <rect class="hit" x="0" y={top} width={props.width} height={LANE - 6} rx="10" />
      <text x={LEFT} y={top + 20} class="name">{run.name}</text>
      <text x={props.width - 12} y={top + 20} class="note" text-anchor="end">
        {run.phase === 'finished' ? `finished, ${run.rounds} rounds`
          : run.phase === 'waiting_start' ? 'not started yet'
          : `round ${run.round} of ${run.rounds} · ${run.active} at work`}
      </text>
      <path class="curve" d={path.join('')} />
      {live && <circle class="pulse" cx={last[0]} cy={last[1]} r="5" />}
      <circle class="end" cx={last[0]} cy={last[1]} r="5" />
      {run.loss.last_nanos !== null && (
        <text x={last[0] + 12} y={last[1] + 4} class="reached">{format.loss(run.loss.last_nanos)}</text>
      )}
    </a>
  );
}

export function Lineage(props: { runs: RunCard[] }) {
  const [box, width] = useWidth();
  const runs = ordered(props.runs);
  const all = runs.length > 0 ? lanes(runs, width) : [];
  const told = runs.map((run) =>
    `${run.name}: ${run.phase === 'finished' ? 'finished' : format.phases[run.phase]}, loss ` +
    `${format.loss(run.loss.first_nanos)} to ${format.loss(run.loss.last_nanos)} nats` +
    (run.parent ? `, from ${run.parent.name} after ${run.parent.rounds} rounds` : ''));
  return (
    <figure class="lineage">
      <div ref={box}>
        <svg width={width} height={runs.length * LANE} role="group"
             aria-label={`The map of runs. ${told.join('. ')}.`}>
          {all.map((lane) => <Branch lane={lane} all={all} />)}
          {all.map((lane, i) => <LaneView lane={lane} lane_index={i} width={width} />)}
        </svg>
      </div>
      <figcaption>
        Time runs to the right. Each line is a run’s held-out loss: down is better. Dashed: a run
        that began with another one’s weights. Runs on the same data stand together.
      </figcaption>
    </figure>
  );
}
