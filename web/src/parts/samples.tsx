// What the model wrote at past rounds, side by side.
import { useState } from 'preact/hooks';
import { useView, type Sample, type SamplesView } from '../api';
import * as format from '../format';
import { Card, Key } from './small';
import { Link } from '../router';
import { readable } from '../text';

const after = (round: number): string =>
  round === 0 ? 'the first weights' : `after ${round} ${round === 1 ? 'round' : 'rounds'}`;

interface ColumnProps { run: string; rounds: number[]; given: Sample; onRound: (round: number) => void }

function Column(props: ColumnProps) {
  const { given, rounds } = props;
  return (
    <article class="sample">
      <header>
        <label>
          <span class="sr">Round to show</span>
          <select value={String(given.round)}
                  onChange={(event) => props.onRound(Number(event.currentTarget.value))}>
            {rounds.map((round) => <option value={String(round)}>{after(round)}</option>)}
          </select>
        </label>
      </header>
      {given.texts.map((one) => (
        <pre dir="ltr" tabIndex={0} role="group" aria-label={`Text, ${after(given.round)}`}><b>{readable(one.prompt)}</b>{readable(one.text)}</pre>
      ))}
      <p class="quiet">
        temperature {given.temperature}, weights <code title={given.weights}>{format.short(given.weights)}</code>,{' '}
        by <Key id={given.author} run={props.run} />, <Link to={`/records/${given.id}`}>entry {given.index}</Link>
      </p>
    </article>
  );
}

// A round that the reader chose; what was there before stays until it comes.
function Other(props: ColumnProps & { round: number }) {
  const loaded = useView<SamplesView>(`/view/runs/${props.run}/samples/${props.round}`, props.run);
  return <Column {...props} given={loaded.data?.samples.rows[0] ?? props.given} />;
}

// A column shows what the hub chose until the reader chooses another round.
function Chosen(props: { run: string; rounds: number[]; given: Sample }) {
  const [round, set] = useState<number | null>(null);
  return round === null
    ? <Column {...props} onRound={set} />
    : <Other {...props} round={round} onRound={set} />;
}

export function Samples(props: { run: string }) {
  const loaded = useView<SamplesView>(`/view/runs/${props.run}/samples`, props.run);
  const view = loaded.data;
  if (!view || view.samples.rows.length === 0) return null;
  return (
    <Card title="What it writes" aside={<span class="quiet">{format.count(view.samples.total)} {view.samples.total === 1 ? 'round' : 'rounds'} on the log</span>}>
      <p class="quiet">
        The same seed and prompt at each round: what differs was learnt. Anybody can have the model
        write it again: <code>harambee verify --samples</code>.
      </p>
      <div class="samples">
        {view.samples.rows.map((given, column) =>
          <Chosen key={column} run={props.run} rounds={view.rounds} given={given} />)}
      </div>
    </Card>
  );
}
