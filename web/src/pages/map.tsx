// The first page: what goes on here, and how to take part.
import { useView, type Activity, type MapView, type RunCard } from '../api';
import * as format from '../format';
import { Lineage } from '../parts/lineage';
import { Card, Chip, Copy, Fact, Key, Table, TakenAt, Time, Waiting } from '../parts/small';
import { TryModel } from '../parts/try';
import { Link } from '../router';

export const joinCommand = (name: string): string => `harambee join ${location.origin}/runs/${name}`;

const DEEDS: Record<string, string> = {
  genesis: 'opened this log',
  identity: 'introduced itself',
  run: 'opened the run',
  start: 'published first weights for',
  join: 'joined',
  leave: 'left',
  contribution: 'contributed to',
  score: 'scored',
  close: 'closed',
  void: 'voided',
  audit: 'trained again a contribution to',
  reveal: 'revealed its states of',
  dispute: 'disputed an audit of',
  sample: 'let the model write after',
  baseline: 'put a baseline beside',
  dataset: 'published data',
};

export function Deeds(props: { list: Activity[] }) {
  return (
    <ol class="deeds">
      {props.list.map((one) => (
        <li>
          <Key id={one.author} run={one.name ?? undefined} />
          <span>
            <Link to={`/records/${one.id}`}>{DEEDS[one.kind] ?? `wrote “${one.kind}”`}</Link>
            {one.round !== null && <> round {one.round}{one.name && ' of'}</>}
            {one.name && <> <Link to={`/runs/${one.name}`}>{one.name}</Link></>}
            {one.reason && one.kind !== 'dataset' && <em> — changed nothing: {one.reason}</em>}
          </span>
          <Time ms={one.log_ms} relative />
        </li>
      ))}
    </ol>
  );
}

export function PhaseChip(props: { run: Pick<RunCard, 'phase'> }) {
  const { phase } = props.run;
  if (phase === 'finished') return <Chip kind="done">finished</Chip>;
  if (phase === 'waiting_start') return <Chip kind="idle">not started</Chip>;
  return <Chip kind="live">live</Chip>;
}

// Did it help? Told in words, so that colour is not all.
export function Reached(props: { run: Pick<RunCard, 'loss'> }) {
  const { first_nanos: first, last_nanos: last } = props.run.loss;
  if (first === null || last === null) return <span class="quiet">not measured yet</span>;
  const better = first - last;
  return (
    <span>
      {format.loss(first)} → <strong>{format.loss(last)}</strong> nats{' '}
      <span class={better > 0 ? 'good' : 'bad'}>
        {better > 0 ? `better by ${format.loss(better)}` : `no better`}
      </span>
    </span>
  );
}

function TakePart(props: { runs: RunCard[] }) {
  const open = props.runs.filter((run) => run.phase !== 'finished');
  const run = open.sort((a, b) => b.active - a.active || b.index - a.index)[0];
  if (!run) {
    return (
      <div class="join">
        <h2>Open a run</h2>
        <p>No run is looking for volunteers just now. Anybody can open one:</p>
        <Copy label="the command that opens a run"
              text={`harambee run open --hub ${location.origin} --name my-run --recipe recipe.toml --text my-texts/`} />
      </div>
    );
  }
  return (
    <div class="join">
      <h2>Take part</h2>
      <p>
        One command, an ordinary computer, no account. Yours would train
        on <Link to={`/runs/${run.name}`}>{run.name}</Link>{' '}
        {run.active === 0 ? 'as its first volunteer' : `with ${format.count(run.active)} ${run.active === 1 ? 'other' : 'others'}`}:
      </p>
      <Copy text={joinCommand(run.name)} label="the join command" />
    </div>
  );
}

export function MapPage() {
  const loaded = useView<MapView>('/view/map?count=200');
  const view = loaded.data;
  if (!view) return <Waiting loaded={loaded} />;
  const runs = view.runs.rows;
  const at_work = runs.reduce((sum, run) => sum + (run.phase === 'finished' ? 0 : run.active), 0);
  const tokens = runs.reduce((sum, run) => sum + run.tokens, 0);
  return (
    <>
      <section class="hero">
        <div>
          <h1>People train open models together here.</h1>
          <p class="lead">
            Everybody’s computer does a part of the work. Every step is signed in a public log that
            anybody can check, replay and continue.
          </p>
          <dl class="facts">
            <Fact name="runs">{format.count(view.runs.total)}</Fact>
            <Fact name="at work now">{format.count(at_work)}</Fact>
            <Fact name="tokens trained">{format.compact(tokens)}</Fact>
            <Fact name="signed records">{format.count(view.at.size)}</Fact>
          </dl>
        </div>
        <TakePart runs={runs} />
      </section>
      <Card title="The map of runs">
        {runs.length === 0
          ? <p>No run has been opened on this log yet.</p>
          : <Lineage runs={runs} />}
      </Card>
      {runs.length > 0 && (
        <Card title="All runs">
          <Table label="All runs" head={['run', 'state', 'held-out loss', 'model', 'at work', 'data', 'last record']}>
            {runs.map((run) => (
              <tr>
                <th scope="row">
                  <Link to={`/runs/${run.name}`}>{run.name}</Link>
                  {run.parent && <small>from {run.parent.name}, round {run.parent.rounds}</small>}
                </th>
                <td><PhaseChip run={run} /> {run.phase === 'waiting_start' ? '' : `${run.round} of ${run.rounds} rounds`}</td>
                <td><Reached run={run} /></td>
                <td class="n">{format.compact(run.parameters)} parameters</td>
                <td class="n">{format.count(run.active)} of {format.count(run.members)}</td>
                <td><code title={run.data}>{format.short(run.data)}</code></td>
                <td><Time ms={run.changed_ms} relative /></td>
              </tr>
            ))}
          </Table>
          {view.runs.total > runs.length && (
            <p class="quiet">The newest {runs.length} of {format.count(view.runs.total)} runs.</p>
          )}
        </Card>
      )}
      <TryModel />
      <Card title="Just now"><Deeds list={view.activity.slice(0, 12)} /></Card>
      <TakenAt at={view.at} />
    </>
  );
}
