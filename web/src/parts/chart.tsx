// Held-out loss of a run, over rounds or over tokens, beside where it began and its baselines.
import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { type Baseline, type Series } from '../api';
import * as format from '../format';
import { Link } from '../router';
import { placed, type Axis } from './curves';

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function useTheme(): number {
  const [version, set] = useState(0);
  useEffect(() => {
    const query = matchMedia('(prefers-color-scheme: dark)');
    const changed = (): void => set((v) => v + 1);
    query.addEventListener('change', changed);
    return () => query.removeEventListener('change', changed);
  }, []);
  return version;
}

// Rounds and tokens are whole.
const STEPS = Array.from({ length: 14 }, (_, power) => [1, 2, 5].map((n) => n * 10 ** power)).flat();
const decimals = (step: number): number => Math.max(2, Math.min(6, Math.ceil(-Math.log10(step))));

// Told apart by their dashes, too.
const LOOKS = ['--warm', '--bad', '--good', '--ink'];
const DASHES = [[9, 4], [2, 4]];

function baselineSeries(baselines: Baseline[]): uPlot.Series[] {
  return baselines.map((one, i) => {
    const stroke = colour(LOOKS[i % LOOKS.length] as string);
    return {
      label: one.label, stroke, width: 2, spanGaps: true,
      dash: DASHES[Math.floor(i / LOOKS.length)] as number[],
      points: { show: one.points.length <= 12, size: 5, fill: colour('--card') },
      value: (_, value) => value === null || value === undefined ? '–' : `${value.toFixed(4)} nats`,
    };
  });
}

function options(width: number, axis: Axis, baselines: Baseline[]): uPlot.Options {
  const grid = { stroke: colour('--line'), width: 1 };
  const axes = { stroke: colour('--quiet'), font: '12px system-ui, sans-serif', grid,
                 ticks: { ...grid, size: 4 } };
  return {
    width,
    height: Math.max(220, Math.min(340, width * 0.42)),
    scales: { x: { time: false } },
    cursor: { points: { size: 8 }, drag: { x: true, y: false } },
    legend: { live: true },
    axes: [
      { ...axes, incrs: STEPS, values: (_, ticks) => ticks.map((tick) => format.compact(tick)),
        label: axis === 'rounds' ? 'round' : 'tokens in accepted contributions',
        labelFont: axes.font, labelSize: 22 },
      { ...axes, size: 56, label: 'held-out loss, nats', labelFont: axes.font, labelSize: 22,
        values: (_, ticks, __, ___, step) => ticks.map((tick) => tick.toFixed(decimals(step))) },
    ],
    series: [
      { label: axis === 'rounds' ? 'round' : 'tokens', value: (_, value) =>
        value === null ? '–' : format.count(value) },
      { label: 'where it began', stroke: colour('--quiet'), dash: [5, 5], width: 1.5,
        spanGaps: true, points: { show: false },
        value: (_, value) => value === null || value === undefined ? '–' : value.toFixed(4) },
      { label: 'held-out loss', stroke: colour('--accent'), width: 2.5, spanGaps: true,
        fill: colour('--accent-wash'), fillTo: (_, __, min) => min,
        points: { show: true, size: 5, fill: colour('--card') },
        value: (_, value) => value === null || value === undefined ? '–' : `${value.toFixed(4)} nats` },
      ...baselineSeries(baselines),
    ],
  };
}

const ended = (one: Baseline): string => {
  const [at, nanos] = one.points.at(-1) as [number, number];
  return `${format.loss(nanos)} nats at ${format.count(at)} ${one.over}`;
};

function BaselineList(props: { baselines: Baseline[] }) {
  if (props.baselines.length === 0) return null;
  return (
    <>
      <p>To compare with, as the maintainer says:</p>
      <ul class="plainlist baselines">
        {props.baselines.map((one) => (
          <li><strong>{one.label}</strong>: {ended(one)} (<Link to={`/records/${one.id}`}>#{one.index}</Link>)</li>
        ))}
      </ul>
    </>
  );
}

function BaselineTable(props: { baselines: Baseline[] }) {
  return (
    <div class="scroll short" role="region" aria-label="Points of the baselines" tabIndex={0}>
      <table>
        <thead>
          <tr><th scope="col">baseline</th><th scope="col">at</th>
              <th scope="col">held-out loss, nats</th></tr>
        </thead>
        <tbody>
          {props.baselines.flatMap((one) => one.points.map(([at, nanos]) => (
            <tr>
              <td>{one.label}</td>
              <td class="n">{format.count(at)} {one.over}</td>
              <td class="n">{format.loss(nanos)}</td>
            </tr>
          )))}
        </tbody>
      </table>
    </div>
  );
}

export function LossChart(props: { series: Series; tokens: number; baselines: Baseline[] }) {
  return props.series.loss_nanos.some((nanos) => nanos !== null)
    ? <Plot {...props} />
    : <p class="quiet">{props.series.round.length > 0
        ? 'No loss was measured in the rounds so far; a run without held-out text has none.'
        : 'No round has been scored yet; the first point comes with the first.'}</p>;
}

function Plot(props: { series: Series; tokens: number; baselines: Baseline[] }) {
  const [axis, setAxis] = useState<Axis>('rounds');
  const [table, setTable] = useState(false); // hundreds of rows: only for those who look at them
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const theme = useTheme();
  const { series, baselines } = props;
  const x = axis === 'rounds' ? series.round : series.tokens;
  const losses = series.loss_nanos.map((nanos) => nanos === null ? null : nanos / 1e9);
  const known = losses.filter((value): value is number => value !== null);
  const first = known[0] ?? null;
  const last = known.at(-1) ?? null;
  const reached = { round: [...series.round, (series.round.at(-1) ?? -1) + 1],
                    tokens: [...series.tokens, props.tokens] };
  const own: uPlot.AlignedData = [x, x.map(() => first), losses];
  const data = baselines.length === 0 ? own
    : uPlot.join([own, ...baselines.map((one) => placed(one, reached, axis))]);
  const lines = baselines.map((one) => one.id).join();

  useEffect(() => {
    const parent = box.current;
    if (!parent) return;
    const made = new uPlot(options(parent.clientWidth, axis, baselines), data, parent);
    plot.current = made;
    const resized = new ResizeObserver(() => {
      const width = parent.clientWidth;
      made.setSize({ width, height: Math.max(220, Math.min(340, width * 0.42)) });
    });
    resized.observe(parent);
    return () => {
      resized.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [axis, theme, lines]);
  useEffect(() => plot.current?.setData(data), [series, lines]);

  const summary = `Held-out loss over ${series.round.length} rounds: began at ` +
    `${first?.toFixed(4)} nats, now ${last?.toFixed(4)} nats, best ${Math.min(...known).toFixed(4)} nats.` +
    baselines.map((one) => ` Baseline ${one.label}: ${ended(one)}.`).join('');
  return (
    <figure class="chart">
      <div class="switch" role="group" aria-label="What the chart runs over">
        {(['rounds', 'tokens'] as const).map((name) => (
          <button type="button" aria-pressed={axis === name} onClick={() => setAxis(name)}>
            over {name}
          </button>
        ))}
      </div>
      <div ref={box} role="img" aria-label={summary} />
      <figcaption>{summary} Lower is better.</figcaption>
      <BaselineList baselines={baselines} />
      <details onToggle={(event) => setTable(event.currentTarget.open)}>
        <summary>The same as a table</summary>
        {table && <div class="scroll short" role="region" aria-label="Held-out loss by round" tabIndex={0}>
          <table>
            <thead>
              <tr><th scope="col">round</th><th scope="col">tokens before it</th>
                  <th scope="col">held-out loss, nats</th><th scope="col">accepted</th></tr>
            </thead>
            <tbody>
              {series.round.map((round, i) => (
                <tr>
                  <td class="n">{round}</td>
                  <td class="n">{format.count(series.tokens[i] ?? 0)}</td>
                  <td class="n">{format.loss(series.loss_nanos[i])}</td>
                  <td class="n">{series.accepted[i]} of {series.contributions[i]}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>}
        {table && baselines.length > 0 && <BaselineTable baselines={baselines} />}
      </details>
    </figure>
  );
}
