// What this browser has checked, what it has not, and all of the log on request.
import { useEffect, useRef, useState } from 'preact/hooks';
import * as format from '../format';
import { Card, Copy, Time } from '../parts/small';
import { trust, useTrust } from '../trust';
import { implementation } from '../verify/ed25519';
import { checkAll, type WholeLog } from '../verify/entries';
import { Steps } from './record';

function WholeCheck() {
  const report = useTrust();
  const [state, set] = useState<{ done: number; size: number } | null>(null);
  const [result, setResult] = useState<(WholeLog & { ms: number; size: number }) | null>(null);
  const stop = useRef(false);
  const checkpoint = report?.checkpoint;
  const tiles = report?.tiles;
  const start = async (): Promise<void> => {
    if (!checkpoint || !tiles) return;
    stop.current = false;
    setResult(null);
    const begun = performance.now();
    set({ done: 0, size: checkpoint.size });
    const found = await checkAll(tiles, checkpoint, (done) => {
      set({ done, size: checkpoint.size });
      return !stop.current;
    }).catch((error: unknown): WholeLog =>
      ({ entries: 0, signatures: 0, authors: 0, fault: (error as Error).message }));
    set(null);
    setResult({ ...found, ms: performance.now() - begun, size: checkpoint.size });
  };
  return (
    <Card title="Check every record">
      <p>
        Fetches the whole log, checks each record’s form, its author’s signature and its place in
        its author’s chain, and that all records together give the signed root.
      </p>
      {state
        ? <>
            <progress max={state.size} value={state.done} aria-label="Records checked" />
            <p role="status">{format.count(state.done)} of {format.count(state.size)} records</p>
            <button type="button" onClick={() => { stop.current = true; }}>Stop</button>
          </>
        : <button type="button" class="primary" onClick={start} disabled={!checkpoint || !tiles}>
            Check {checkpoint ? format.count(checkpoint.size) : ''} records
          </button>}
      {result && (
        <div role="status" id="whole-result">
          <Steps steps={[result.fault
            ? { ok: false, sentence: result.fault }
            : { ok: true, sentence: `All ${format.count(result.entries)} records of ` +
                `${format.count(result.authors)} authors are as they were signed, and they are the ` +
                `signed log (${format.ms(Math.round(result.ms))}).` }]} />
        </div>
      )}
    </Card>
  );
}

export function VerifyPage() {
  const report = useTrust();
  const [by, setBy] = useState('');
  useEffect(() => void implementation().then(setBy), []);
  const memory = report?.memory;
  return (
    <>
      <section class="title">
        <h1>Checked in your browser</h1>
        <p class="lead">
          A hub can delay and withhold; it cannot forge what others signed, and it cannot rewrite
          what you have seen without being caught here.
        </p>
      </section>
      <Card title="The log" id="the-log">
        {report ? <Steps steps={report.findings} /> : <p role="status">Checking…</p>}
        {by && (
          <p class="quiet">
            {by === 'WebCrypto'
              ? 'Signatures are checked by the browser itself (WebCrypto, Ed25519).'
              : 'This browser offers no Ed25519 here (over plain http from another machine none ' +
                'does), so the page computes it by itself: slower, the same rules.'}
          </p>
        )}
        {memory?.proof && (
          <>
            <h3>Proof</h3>
            <p>Two checkpoints, both signed by this log’s key, that contradict each other. Keep them; show them to others.</p>
            {memory.proof.map((note) => <pre tabIndex={0} aria-label="A signed checkpoint">{note}</pre>)}
          </>
        )}
        {memory && (
          <dl class="body">
            <dt>The log’s key</dt><dd><code class="hex">{memory.vkey}</code></dd>
            <dt>Known here since</dt><dd><Time ms={memory.since} /></dd>
            <dt>Newest checkpoint that held</dt>
            <dd>{format.count(memory.size)} entries, root <code class="hex">{memory.root}</code></dd>
          </dl>
        )}
        <p>
          <button type="button" onClick={() => void trust.check()}>Check again now</button>{' '}
          <button type="button" onClick={() => trust.forget()}>Forget what this browser has seen</button>
        </p>
      </Card>
      <WholeCheck />
      <Card title="What this does not tell">
        <p>
          This page came from the hub as well; a hub that lies could send a page that lies. And the
          weights are not computed again here. Whoever wants to be sure runs a program of their own:
        </p>
        <Copy text={`harambee verify ${location.origin}/runs/NAME`} label="the verify command" />
      </Card>
    </>
  );
}
