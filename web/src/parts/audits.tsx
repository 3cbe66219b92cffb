// What was trained again to check it, and what each auditor found.
import { type Audit, type Audits, type Found } from '../api';
import * as format from '../format';
import { Link } from '../router';
import { closeness, compared, limits } from './closeness';
import { Card, Chip, Key, Table } from './small';

const STATE: Record<string, [string, string]> = {
  reveal: ['live', 'states are awaited'],
  audit: ['live', 'being trained again'],
  passed: ['done', 'passed'],
  lapsed: ['idle', 'nobody answered'],
  withheld: ['warn', 'states withheld'],
  accused: ['warn', 'accused'],
  undecided: ['warn', 'undecided'],
  cleared: ['done', 'cleared'],
  convicted: ['bad', 'convicted'],
};

const RESULT: Record<string, [string, string]> = {
  exact: ['done', 'exact'],
  near: ['done', 'near'],
  differs: ['bad', 'differs'],
  far: ['bad', 'far'],
  withheld: ['warn', 'states not to be had'],
};

function State(props: { name: string; of: typeof STATE }) {
  const [kind, words] = props.of[props.name] ?? ['idle', props.name];
  return <Chip kind={kind}>{words}</Chip>;
}

function Answer(props: { found: Found; run: string }) {
  const { found, run } = props;
  return (
    <li>
      <Link to={`/records/${found.id}`} class="entry"
            label={`${format.short(found.auditor)} found it ${found.result}; its record`}>
        <State name={found.result} of={RESULT} />
      </Link>{' '}
      by <Key id={found.auditor} run={run} />
      {closeness(found) && <small class="n">{closeness(found)}</small>}
    </li>
  );
}

function Row(props: { one: Audit; run: string }) {
  const { one, run } = props;
  return (
    <tr>
      <th scope="row"><Link to={`/records/${one.id}`}>#{one.index}</Link></th>
      <td><Key id={one.author} run={run} /></td>
      <td class="n"><Link to={`/runs/${run}/rounds/${one.round}`}>{one.round}</Link></td>
      <td><State name={one.state} of={STATE} />{one.disputed && <small>disputed</small>}</td>
      <td>
        {one.found.length > 0 && (
          <ul class="plainlist">{one.found.map((found) => <Answer found={found} run={run} />)}</ul>
        )}
        <small>{one.answers} of {one.asked} answered</small>
      </td>
      <td>{one.reason}</td>
    </tr>
  );
}

export function AuditTable(props: { audits: Audits; run: string }) {
  const { audits, run } = props;
  if (audits.total === 0) return null;
  return (
    <>
      <Table label="The newest audits" head={['contribution', 'by', 'round', 'outcome', 'found', 'why']}>
        {audits.rows.map((one) => <Row one={one} run={run} />)}
      </Table>
      {compared(audits.rows) && (
        <p class="quiet">{limits(audits.near)} It is asked where bits cannot be compared: what comes far is
          suspected, never convicted.</p>
      )}
    </>
  );
}

// The card of a member's or a contribution's audits; nothing if there are none.
export function AuditCard(props: { audits: Audits | null; run: string | null }) {
  const { audits, run } = props;
  if (!audits || !run || audits.total === 0) return null;
  return (
    <Card title="Trained again, to check" id="audits" aside={<AuditCounts audits={audits} />}>
      <AuditTable audits={audits} run={run} />
    </Card>
  );
}

export function AuditCounts(props: { audits: Audits }) {
  const { convicted, open, passed, total } = props.audits;
  return (
    <span class="quiet">{format.count(passed)} passed, {format.count(convicted)} convicted,{' '}
      {format.count(open)} open of {format.count(total)}</span>
  );
}
