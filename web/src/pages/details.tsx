// What can be linked: a round, a peer in a run, a peer, and why things are as they are.
import { useView, type Contribution, type MemberView, type PeerView, type RoundView } from '../api';
import * as format from '../format';
import { AuditCard } from '../parts/audits';
import { Card, Copy, Fact, Glyph, Key, Table, TakenAt, Time, Waiting, Why } from '../parts/small';
import { Link } from '../router';
import { Deeds } from './map';
import { Standing } from './run';

const explainCommand = (run: string, what: string): string =>
  `harambee explain ${location.origin}/runs/${run} ${what}`;

// How much an accepted contribution could move the sum: newcomers less, and what is alike together.
function Vote(props: { one: Contribution; all: Contribution[] }) {
  const { one } = props;
  if (!one.accepted) return <span class="n">–</span>;
  const alike = props.all.filter((other) => other.accepted && other.group === one.group).length;
  return (
    <span class="n">{format.percent(one.vote_millis)}
      {one.vote_millis < 1000 && <small>newcomer’s cap</small>}
      {alike > 1 && <small>shared by {alike} that are alike</small>}
    </span>
  );
}

export function RoundPage(props: { run: string; round: string }) {
  const loaded = useView<RoundView>(`/view/runs/${props.run}/rounds/${props.round}`, props.run);
  const view = loaded.data;
  if (!view) return <Waiting loaded={loaded} />;
  return (
    <>
      <section class="title">
        <p class="crumb"><Link to="/">The map</Link> / <Link to={`/runs/${view.name}`}>{view.name}</Link> / round</p>
        <h1>Round {view.round}</h1>
        {view.closed && (
          <dl class="facts wide">
            <Fact name="loss before it">{format.loss(view.closed.loss_nanos)} nats</Fact>
            <Fact name="accepted">
              {view.closed.voided ? 'void: the loss had risen too far' : `${view.closed.accepted} of ${view.closed.contributions}`}
              {view.closed.taken_back && ', taken back by the next round'}
            </Fact>
            <Fact name="missed">{view.closed.missed}</Fact>
            <Fact name="closed"><Time ms={view.closed.closed_ms} /></Fact>
          </dl>
        )}
        <nav class="pager" aria-label="Neighbouring rounds">
          {view.round > 0 && <Link to={`/runs/${view.name}/rounds/${view.round - 1}`}>← round {view.round - 1}</Link>}
          {view.closed && <Link to={`/runs/${view.name}/rounds/${view.round + 1}`}>round {view.round + 1} →</Link>}
        </nav>
      </section>
      {view.contributions.length > 0 && (
        <Card title="Contributions">
          <Table label="Contributions" head={['who', 'verdict', 'gain, nats', 'vote', 'credits', 'tokens', 'size', 'record']}>
            {view.contributions.map((one) => (
              <tr>
                <th scope="row"><Key id={one.author} run={view.name} /></th>
                <td>{one.accepted ? <span class="good">accepted</span> : <span class="bad">{one.reason}</span>}</td>
                <td class="n">{format.gain(one.gain_nanos)}
                  {one.domain_gains_nanos.map((nanos, i) => (
                    <small>{view.domains[i]}{view.domains[i] === one.domain && ' (its own)'}: {format.gain(nanos)}</small>
                  ))}</td>
                <td><Vote one={one} all={view.contributions} /></td>
                <td class="n">{format.credits(one.credit_micros)}
                  {one.forfeited_micros > 0 && <small>{format.credits(one.forfeited_micros)} taken back</small>}</td>
                <td class="n">{format.compact(one.tokens)}</td>
                <td class="n">{format.bytes(one.bytes)}</td>
                <td><Link to={`/records/${one.id}`}>#{one.index}</Link></td>
              </tr>
            ))}
          </Table>
        </Card>
      )}
      <Card title="Why"><Why explanation={view.explanation} /></Card>
      <TakenAt at={view.at} />
    </>
  );
}

export function MemberPage(props: { run: string; peer: string }) {
  const loaded = useView<MemberView>(`/view/runs/${props.run}/peers/${props.peer}`, props.run);
  const view = loaded.data;
  if (!view) return <Waiting loaded={loaded} />;
  const { member } = view;
  return (
    <>
      <section class="title">
        <p class="crumb"><Link to="/">The map</Link> / <Link to={`/runs/${view.name}`}>{view.name}</Link> / peer</p>
        <h1><Glyph id={view.key} size={40} /> {format.short(view.key)} {member && <Standing name={member.standing} />}</h1>
        <p class="quiet"><code>{view.key}</code> · <Link to={`/peers/${view.key}`}>in all runs</Link></p>
        {member && (
          <dl class="facts wide">
            <Fact name="credits as trainer">{format.credits(member.credit_micros)}</Fact>
            <Fact name="accepted">{member.accepted} of {member.accepted + member.rejected}</Fact>
            {member.own_known > 0 && (
              <Fact name="better on its own rows" note="than on others of its shards; half by chance">
                {member.own_better} of {member.own_known} rounds
              </Fact>
            )}
            <Fact name="rounds missed">{member.missed_rounds}</Fact>
            <Fact name="tokens accepted">{format.compact(member.tokens)}</Fact>
            <Fact name="sent">{format.bytes(member.bytes_sent)}</Fact>
            <Fact name="last gains, nats" note="median of the validators’ scores, newest last">
              <span class="gains">{member.gains_nanos.map((nanos) => (
                <span class={nanos > 0 ? 'good' : 'bad'}>{format.gain(nanos)}</span>
              ))}</span>
            </Fact>
          </dl>
        )}
      </section>
      <Card title="Why it stands where it stands">
        <Why explanation={view.explanation} />
        <p class="quiet">The same from your own computer, computed by yourself:</p>
        <Copy text={explainCommand(view.name, view.key)} label="the explain command" />
      </Card>
      <AuditCard audits={view.audits} run={view.name} />
      <TakenAt at={view.at} />
    </>
  );
}

export function PeerPage(props: { peer: string }) {
  const loaded = useView<PeerView>(`/view/peers/${props.peer}`);
  const view = loaded.data;
  if (!view) return <Waiting loaded={loaded} />;
  return (
    <>
      <section class="title">
        <p class="crumb"><Link to="/">The map</Link> / peer</p>
        <h1><Glyph id={view.key} size={40} /> {format.short(view.key)}</h1>
        <p class="quiet"><code>{view.key}</code></p>
        <p>{view.hub ? 'This is the hub itself: it keeps the log and tells the time. ' : ''}
          {format.count(view.records)} signed records on this log. Public key <code>{view.public_key}</code></p>
      </section>
      <Card title="In runs">
        {view.runs.length === 0 && <p class="quiet">It takes part in none.</p>}
        {view.runs.length > 0 && (
          <Table label="Its runs" head={['run', 'as', 'credits, all roles', 'accepted / not', 'why']}>
            {view.runs.map((run) => (
              <tr>
                <th scope="row"><Link to={`/runs/${run.name}`}>{run.name}</Link></th>
                <td>{[run.maintainer && 'maintainer', run.coordinator && 'coordinator',
                      run.validator && 'validator', run.member && 'trainer'].filter(Boolean).join(', ')}
                  {run.member && <> <Standing name={run.member.standing} /></>}</td>
                <td class="n">{format.credits(run.credit_micros)}</td>
                <td class="n">{run.member ? `${run.member.accepted} / ${run.member.rejected}` : '–'}</td>
                <td><Link to={`/runs/${run.name}/peers/${view.key}`}>the records behind it</Link></td>
              </tr>
            ))}
          </Table>
        )}
      </Card>
      {view.activity.length > 0 && <Card title="Lately"><Deeds list={view.activity} /></Card>}
      <TakenAt at={view.at} />
    </>
  );
}
