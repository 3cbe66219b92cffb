import { render } from 'preact';
import { useEffect } from 'preact/hooks';
import { changes, useLive } from './api';
import * as format from './format';
import { MemberPage, PeerPage, RoundPage } from './pages/details';
import { MapPage } from './pages/map';
import { RecordPage } from './pages/record';
import { RunPage } from './pages/run';
import { VerifyPage } from './pages/verify';
import { Link, usePath } from './router';
import './style.css';
import { caught, trust, useTrust } from './trust';

function Badge() {
  const report = useTrust();
  const [kind, words] = !report ? ['checking', 'checking the log…']
    : report.ok ? ['ok', `verified, ${format.count(report.checkpoint?.size ?? 0)} entries`]
    : caught(report) ? ['no', 'this hub was caught'] : ['unknown', 'not verified'];
  return (
    <Link to="/verify" class={`badge ${kind}`} title="What your browser has checked">
      <span aria-hidden="true">{kind === 'ok' ? '✓' : kind === 'no' ? '✗' : '…'}</span> {words}
    </Link>
  );
}

function Caught() {
  const report = useTrust();
  if (!report || report.ok || !caught(report)) return null;
  return (
    <div class="caught" role="alert">
      <strong>Do not trust what this hub shows.</strong>{' '}
      {report.findings.filter((finding) => !finding.ok).map((finding) => finding.sentence).join(' ')}{' '}
      <Link to="/verify">What was checked</Link>
    </div>
  );
}

function Live() {
  const { live, at } = useLive();
  return (
    <span class={live ? 'stream on' : 'stream'} role="status">
      {live ? 'live' : 'not connected'}{at && <span class="sr">, {at.size} entries</span>}
    </span>
  );
}

function page(path: string) {
  const parts = path.split('/').slice(1).map(decodeURIComponent);
  const [first, second = '', third, fourth = ''] = parts;
  if (first === '') return <MapPage />;
  if (first === 'verify') return <VerifyPage />;
  if (first === 'records') return <RecordPage key={second} record={second} />;
  if (first === 'peers') return <PeerPage key={second} peer={second} />;
  if (first === 'runs' && third === 'rounds') return <RoundPage key={path} run={second} round={fourth} />;
  if (first === 'runs' && third === 'peers') return <MemberPage key={path} run={second} peer={fourth} />;
  if (first === 'runs') return <RunPage key={second} name={second} />;
  return <p>There is no such page. <Link to="/">To the map</Link></p>;
}

function titleOf(path: string): string {
  const [first, second = ''] = path.split('/').slice(1);
  if (first === 'runs') return `${second} · Harambee`;
  if (first === 'verify') return 'Verify · Harambee';
  if (first === 'records' || first === 'peers') return `${second.slice(0, 10)} · Harambee`;
  return 'Harambee';
}

function App() {
  const path = usePath();
  useEffect(() => {
    document.title = titleOf(path);
  }, [path]);
  return (
    <>
      <a class="skip" href="#content">To the content</a>
      <header class="top">
        <Link to="/" class="brand" current={path === '/'}>
          <img src="/mark.svg" alt="" width="28" height="28" /> Harambee
        </Link>
        <Live />
        <Badge />
      </header>
      <Caught />
      <main id="content" tabIndex={-1}>{page(path)}</main>
      <footer>
        <p>All pull together. <a href="/checkpoint">checkpoint</a> · <a href="/view/map">this page as
          JSON</a> · <Link to="/verify">what was checked</Link></p>
      </footer>
    </>
  );
}

const root = document.getElementById('app');
if (root) {
  root.textContent = ''; // the hub's own summary has done its work
  render(<App />, root);
  changes.begin();
  trust.begin();
}
