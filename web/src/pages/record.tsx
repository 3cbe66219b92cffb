// One record: what it says, what it caused, and whether it is really there.
import { useEffect, useState } from 'preact/hooks';
import { useView, type RecordView } from '../api';
import * as format from '../format';
import { AuditCard } from '../parts/audits';
import { Card, Copy, Fact, Key, TakenAt, Waiting, Why } from '../parts/small';
import { Link } from '../router';
import { useTrust } from '../trust';
import { checkRecord, type Step } from '../verify/entries';

function useChecked(view: RecordView | null): Step[] | null {
  const report = useTrust();
  const [steps, set] = useState<Step[] | null>(null);
  const checkpoint = report?.checkpoint ?? null;
  const tiles = report?.tiles ?? null;
  useEffect(() => {
    let gone = false;
    if (!view || !checkpoint || !tiles || view.index >= checkpoint.size) return;
    checkRecord({ index: view.index, id: view.id, envelope: view.envelope,
                  authorKey: view.author_public_key ?? '' }, checkpoint, tiles)
      .catch((error: unknown): Step[] =>
        [{ ok: false, sentence: `The check could not be made: ${(error as Error).message}` }])
      .then((found) => {
        if (!gone) set(found);
      });
    return () => {
      gone = true;
    };
  }, [view?.id, checkpoint?.size, tiles]);
  return steps;
}

export function Steps(props: { steps: Step[] }) {
  return (
    <ul class="findings">
      {props.steps.map((step) => (
        <li class={step.ok ? 'ok' : 'no'}>
          <span aria-hidden="true">{step.ok ? '✓' : '✗'}</span>
          <span><span class="sr">{step.ok ? 'Checked: ' : 'Failed: '}</span>{step.sentence}</span>
        </li>
      ))}
    </ul>
  );
}

function Value(props: { value: unknown }) {
  const { value } = props;
  if (typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)) return <code class="hex">{value}</code>;
  if (value === null || typeof value !== 'object') return <code>{JSON.stringify(value)}</code>;
  return <pre>{JSON.stringify(value, null, 1)}</pre>;
}

const EFFECTS = {
  applied: 'It took effect.',
  inert: 'It changed nothing',
  unknown: 'Whether it took effect is no longer remembered here; harambee verify tells.',
} as const;

export function RecordPage(props: { record: string }) {
  const loaded = useView<RecordView>(`/view/records/${props.record}`, '');
  const view = loaded.data;
  const steps = useChecked(view);
  if (!view) return <Waiting loaded={loaded} />;
  const good = steps !== null && steps.every((step) => step.ok);
  return (
    <>
      <section class="title">
        <p class="crumb">
          <Link to="/">The map</Link>
          {view.name && <> / <Link to={`/runs/${view.name}`}>{view.name}</Link></>} / record
        </p>
        <h1>{view.kind} <span class="quiet">entry {format.count(view.index)}</span></h1>
        <p class="quiet"><code>{view.id}</code></p>
        <dl class="facts wide">
          <Fact name="by"><Key id={view.author} run={undefined} /></Fact>
          <Fact name="its author’s record">{format.count(view.seq)}</Fact>
          {view.name && <Fact name="run"><Link to={`/runs/${view.name}`}>{view.name}</Link></Fact>}
          {view.round !== null && view.name && (
            <Fact name="round"><Link to={`/runs/${view.name}/rounds/${view.round}`}>{view.round}</Link></Fact>
          )}
        </dl>
        <p>{EFFECTS[view.effect]}{view.effect === 'inert' && `: ${view.reason}.`}</p>
      </section>
      <Card title="Checked in your browser" id="checked"
            aside={<span class={steps === null ? 'quiet' : good ? 'good' : 'bad'}>
              {steps === null ? 'checking…' : good ? 'all holds' : 'does not hold'}</span>}>
        {steps && <Steps steps={steps} />}
      </Card>
      {view.explanation && <Card title="What it caused"><Why explanation={view.explanation} /></Card>}
      <AuditCard audits={view.audits} run={view.name} />
      <Card title="What it says">
        <dl class="body">
          {Object.entries(view.body as { [key: string]: unknown }).map(([name, value]) => (
            <><dt><code>{name}</code></dt><dd><Value value={value} /></dd></>
          ))}
        </dl>
        {view.blobs.length > 0 && (
          <>
            <h3>Files it names</h3>
            <ul class="plainlist">
              {view.blobs.map((blob) => (
                <li><a href={`/blobs/${blob.digest}`}><code class="hex">{blob.digest}</code></a>{' '}
                  {format.bytes(blob.size)}, {blob.type}</li>
              ))}
            </ul>
          </>
        )}
      </Card>
      <Card title="The signed bytes">
        <pre class="envelope" tabIndex={0} aria-label="The envelope as it is in the log">{view.envelope}</pre>
        <p class="quiet">Its previous record:{' '}
          {view.prev ? <Link to={`/records/${view.prev}`}>{format.short(view.prev)}</Link> : 'none, it is the first'}.
          A link to this page is a link to these bytes: the name is their SHA-256.</p>
        <Copy text={`${location.origin}/records/${view.id}`} label="the link to this record" />
      </Card>
      <TakenAt at={view.at} />
    </>
  );
}
