// One run, live.
import { useState } from 'preact/hooks';
import { useView, type Contribution, type Member, type MembersView, type OpenRound, type Recipe,
         type RoundsView, type RunView } from '../api';
import * as format from '../format';
import { AuditCounts, AuditTable } from '../parts/audits';
import { LossChart } from '../parts/chart';
import { Card, Chip, Copy, Fact, Glyph, Key, Table, TakenAt, Time, useNow, Waiting }
  from '../parts/small';
import { Samples } from '../parts/samples';
import { TryModel } from '../parts/try';
import { Link } from '../router';
import { Deeds, joinCommand, PhaseChip, Reached } from './map';

const STANDING: Record<string, [string, string]> = {
  committed: ['done', 'has committed'],
  expected: ['live', 'training'],
  active: ['idle', 'active'],
  missed: ['warn', 'missed the last round'],
  left: ['idle', 'left'],
  excluded: ['bad', 'excluded'],
  suspended: ['warn', 'suspended'],
};

export function Standing(props: { name: string }) {
  const [kind, words] = STANDING[props.name] ?? ['idle', props.name];
  return <Chip kind={kind}>{words}</Chip>;
}

function Deadline(props: { open: OpenRound }) {
  const now = useNow(1000);
  if (props.open.deadline_ms === null) return null;
  const left = props.open.deadline_ms - now;
  return (
    <span class="quiet">
      {left > 0 ? `at most ${format.ms(Math.ceil(left / 1000) * 1000)} left`
        : 'the deadline has passed; the next tick of the log decides'}
    </span>
  );
}

function Cohort(props: { open: OpenRound; run: string }) {
  const { open } = props;
  return (
    <ul class="cohort">
      {open.contributions.map((one) => (
        <li>
          <Link to={`/records/${one.id}`} class="face in" title={one.author}
                label={`${format.short(one.author)} has committed; its record`}>
            <Glyph id={one.author} size={34} />
            <span>{format.short(one.author).slice(0, 6)}</span>
          </Link>
        </li>
      ))}
      {open.awaited.map((key) => (
        <li>
          <Link to={`/runs/${props.run}/peers/${key}`} class="face" title={key}
                label={`${format.short(key)} is awaited`}>
            <Glyph id={key} size={34} />
            <span>{format.short(key).slice(0, 6)}</span>
          </Link>
        </li>
      ))}
    </ul>
  );
}

function OpenRoundCard(props: { view: RunView }) {
  const { open, phase, name } = props.view;
  if (!open) return null;
  const drawn = open.committee !== null;
  const steps = ['commit', 'score', 'closing'] as const;
  return (
    <Card title={`Round ${open.number}, in progress`} id="open-round"
          aside={<Deadline open={open} />}>
      <ol class="phases">
        {steps.map((step) => (
          <li class={step === phase ? 'now' : ''} aria-current={step === phase ? 'step' : undefined}>
            {format.phases[step]}
          </li>
        ))}
      </ol>
      <p>
        {open.contributions.length} committed{open.awaited.length > 0 && `, ${open.awaited.length} awaited`};{' '}
        {open.scores.length} of {open.scorers} {drawn && 'drawn '}{open.scorers === 1 ? 'validator has' : 'validators have'} scored.
        {open.cohort !== null && ` ${format.count(open.cohort)} of the members were drawn for this round.`}
      </p>
      {open.contributions.length + open.awaited.length > 0
        ? <Cohort open={open} run={name} />
        : <p class="quiet">Nobody is expected yet. Whoever joins now takes part in the next round.</p>}
    </Card>
  );
}

const PAGE = 50;

function MemberRows(props: { rows: Member[]; run: string }) {
  return (
    <>
      {props.rows.map((member) => (
        <tr>
          <th scope="row"><Key id={member.key} run={props.run} /></th>
          <td><Standing name={member.standing} />{member.reason && <small>{member.reason}</small>}</td>
          <td class="n">{member.accepted}<span class="quiet"> / {member.rejected}</span></td>
          <td class="n">{member.gains_nanos.length > 0 ? format.gain(member.gains_nanos.at(-1) ?? null) : '–'}</td>
          <td class="n">{format.credits(member.credit_micros)}</td>
          <td class="n">{format.compact(member.tokens)}</td>
          <td class="n">{format.bytes(member.bytes_sent)}</td>
          <td>{member.trainer}<small>{member.class}</small></td>
        </tr>
      ))}
    </>
  );
}

const MEMBER_HEAD = ['who', 'state', 'accepted / not', 'last gain, nats', 'credits', 'tokens', 'sent',
                     'trainer'];

function Contributors(props: { view: RunView }) {
  const [from, set] = useState(0);
  const { name, members } = props.view;
  const more = useView<MembersView>(
    `/view/runs/${name}/members?sort=credit&from=${from}&count=${PAGE}`, name);
  const page = from === 0 ? members : more.data?.members ?? { from, rows: [], total: members.total };
  return (
    <Card title="Contributors" aside={<span class="quiet">{format.count(members.total)}, most credit first</span>}>
      {members.total === 0 && <p>Nobody has joined yet.</p>}
      {members.total > 0 && (
        <Table label="Contributors" head={MEMBER_HEAD}>
          <MemberRows rows={page.rows} run={name} />
        </Table>
      )}
      {members.total > PAGE && (
        <nav class="pager" aria-label="Pages of contributors">
          <button type="button" disabled={from === 0} onClick={() => set(Math.max(0, from - PAGE))}>
            ← before
          </button>
          <span>{from + 1}–{Math.min(from + PAGE, members.total)} of {format.count(members.total)}</span>
          <button type="button" disabled={from + PAGE >= members.total} onClick={() => set(from + PAGE)}>
            next →
          </button>
        </nav>
      )}
    </Card>
  );
}

function Rejected(props: { view: RunView }) {
  const { rejected, excluded, refusals, refusals_count: count, name } = props.view;
  if (rejected.length + excluded.length + refusals.length === 0) {
    return <Card title="Left out, and why"><p class="quiet">Nothing so far: every contribution was accepted.</p></Card>;
  }
  return (
    <Card title="Left out, and why">
      {excluded.length > 0 && (
        <ul class="plainlist">
          {excluded.map((one) => (
            <li><Key id={one.key} run={name} /> was <strong>excluded</strong> by{' '}
              <Link to={`/records/${one.by.id}`}>#{one.by.index}</Link>: {one.reason}</li>
          ))}
        </ul>
      )}
      {rejected.length > 0 && (
        <Table label="Contributions that were not accepted" head={['round', 'who', 'reason', 'gain, nats', 'record']}>
          {rejected.map((one: Contribution) => (
            <tr>
              <td class="n"><Link to={`/runs/${name}/rounds/${one.round}`}>{one.round}</Link></td>
              <td><Key id={one.author} run={name} /></td>
              <td>{one.reason}</td>
              <td class="n">{format.gain(one.gain_nanos)}</td>
              <td><Link to={`/records/${one.id}`}>#{one.index}</Link></td>
            </tr>
          ))}
        </Table>
      )}
      {refusals.length > 0 && (
        <details>
          <summary>{format.count(count)} {count === 1 ? 'record' : 'records'} changed nothing</summary>
          <ul class="plainlist">
            {refusals.map((one) => (
              <li><Link to={`/records/${one.id}`}>#{one.index}</Link> {one.kind} by{' '}
                <Key id={one.author} run={name} />: {one.reason}</li>
            ))}
          </ul>
        </details>
      )}
    </Card>
  );
}

function Audits(props: { view: RunView }) {
  const { audits, liars, name } = props.view;
  if (audits.total === 0 && liars.length === 0) return null;
  return (
    <Card title="Trained again, to check" id="audits"
          aside={<AuditCounts audits={audits} />}>
      <AuditTable audits={audits} run={name} />
      {liars.length > 0 && (
        <>
          <h3>Whose word counts no more</h3>
          <ul class="plainlist">
            {liars.map((one) => (
              <li><Key id={one.key} run={name} /> {one.reason} (<Link to={`/records/${one.by.id}`}>#{one.by.index}</Link>)</li>
            ))}
          </ul>
        </>
      )}
    </Card>
  );
}

function Rounds(props: { name: string }) {
  const [from, set] = useState(0);
  const loaded = useView<RoundsView>(`/view/runs/${props.name}/rounds?from=${from}&count=10`, props.name);
  const page = loaded.data?.rounds;
  return (
    <Card title="Closed rounds" aside={page && <span class="quiet">{format.count(page.total)}</span>}>
      {page && page.rows.length === 0 && <p class="quiet">None yet.</p>}
      {page && page.rows.length > 0 && (
        <Table label="Closed rounds, the newest first"
               head={['round', 'loss before it, nats', 'accepted', 'missed', 'closed', 'weights after it']}>
          {page.rows.map((round) => (
            <tr>
              <th scope="row"><Link to={`/runs/${props.name}/rounds/${round.number}`}>{round.number}</Link></th>
              <td class="n">{format.loss(round.loss_nanos)}</td>
              <td class="n">
                {round.voided ? <span class="bad">void</span> : `${round.accepted} of ${round.contributions}`}
                {round.taken_back && <small> taken back</small>}
              </td>
              <td class="n">{round.missed}</td>
              <td><Time ms={round.closed_ms} relative /></td>
              <td><code title={round.weights}>{format.short(round.weights)}</code></td>
            </tr>
          ))}
        </Table>
      )}
      {page && page.total > 10 && (
        <nav class="pager" aria-label="Pages of rounds">
          <button type="button" disabled={from === 0} onClick={() => set(Math.max(0, from - 10))}>← newer</button>
          <button type="button" disabled={from + 10 >= page.total} onClick={() => set(from + 10)}>older →</button>
        </nav>
      )}
    </Card>
  );
}

function RecipeRows(props: { recipe: Recipe; prefix: string }) {
  return (
    <>
      {Object.entries(props.recipe).map(([key, value]) =>
        typeof value === 'object'
          ? <RecipeRows recipe={value} prefix={`${props.prefix}${key}.`} />
          : <tr><th scope="row"><code>{props.prefix}{key}</code></th><td><code>{String(value)}</code></td></tr>)}
    </>
  );
}

function Stats(props: { view: RunView }) {
  const { view } = props;
  const perMember = view.members.total > 0 ? view.bytes_up / view.members.total : 0;
  return (
    <dl class="facts wide">
      <Fact name="held-out loss"><Reached run={view} /></Fact>
      <Fact name="rounds" note={format.phases[view.phase]}>{view.round} of {view.rounds}</Fact>
      <Fact name={view.phase === 'finished' ? 'stayed to the end' : 'at work'}
            note={`${format.count(view.members.total)} joined ever`}>{format.count(view.active)}</Fact>
      <Fact name="model" note={`data ${format.short(view.data.digest)}`}>
        {format.compact(view.parameters)} parameters</Fact>
      <Fact name="tokens accepted">{format.compact(view.tokens)}</Fact>
      <Fact name="sent up" note={`${format.bytes(perMember)} each`}>{format.bytes(view.bytes_up)}</Fact>
      <Fact name="fetched by each">{format.bytes(view.bytes_down)}</Fact>
      <Fact name="credits given"
            note={view.forfeited_micros > 0 ? `${format.credits(view.forfeited_micros)} taken back` : undefined}>
        {format.credits(view.distributed_micros)}</Fact>
    </dl>
  );
}

export function RunPage(props: { name: string }) {
  const loaded = useView<RunView>(`/view/runs/${props.name}`, props.name);
  const view = loaded.data;
  if (!view) return <Waiting loaded={loaded} />;
  return (
    <>
      <section class="title">
        <p class="crumb"><Link to="/">The map</Link> / run</p>
        <h1>{view.name} <PhaseChip run={view} /></h1>
        <progress max={view.rounds} value={view.round}
                  aria-label={`${view.round} of ${view.rounds} rounds`} />
        {view.parent && (
          <p>Began with the weights of <Link to={`/runs/${view.parent.name}`}>{view.parent.name}</Link>{' '}
            after {view.parent.rounds} rounds.</p>
        )}
        <Stats view={view} />
        {view.phase !== 'finished' && <Copy text={joinCommand(view.name)} label="the join command" />}
      </section>
      <Card title="Held-out loss"><LossChart series={view.series} tokens={view.tokens} baselines={view.baselines} /></Card>
      <OpenRoundCard view={view} />
      <Samples run={view.name} />
      <TryModel name={view.name} />
      <Contributors view={view} />
      <Rejected view={view} />
      <Audits view={view} />
      <Rounds name={view.name} />
      <Card title="Who runs it">
        <ul class="plainlist">
          {view.officials.map((one) => (
            <li><Key id={one.key} run={view.name} /> {one.role}, {format.credits(one.credit_micros)} credits</li>
          ))}
        </ul>
        <p class="quiet">
          The run record is <Link to={`/records/${view.id}`}>entry {view.index}</Link>
          {view.start && <>, its first weights are <Link to={`/records/${view.start.id}`}>entry {view.start.index}</Link></>}
          {view.checkpoint && <>; newest whole model:{' '}
            <a href={`/blobs/${view.checkpoint.blob.digest}`} download={`${view.name}-round-${view.checkpoint.round}.safetensors`}>
              round {view.checkpoint.round}, {format.bytes(view.checkpoint.blob.size)}</a></>}.
        </p>
      </Card>
      <Card title="Recipe">
        <details>
          <summary>Everything that those who train together have agreed on</summary>
          <Table label="Recipe" head={['member', 'value']}><RecipeRows recipe={view.recipe} prefix="" /></Table>
        </details>
      </Card>
      <Card title="Just now"><Deeds list={view.activity.slice(0, 10)} /></Card>
      <TakenAt at={view.at} />
    </>
  );
}
