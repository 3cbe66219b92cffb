// Small parts that many pages use.
import { type ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { type At, type Explanation, type Loaded } from '../api';
import * as format from '../format';
import { Link } from '../router';

export function useNow(everyMs: number): number {
  const [now, set] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => set(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

// A time in the reader's zone; how long ago where that says more.
export function Time(props: { ms: number; relative?: boolean }) {
  const now = useNow(10_000);
  if (props.ms <= 0) return <span>–</span>;
  return (
    <time dateTime={new Date(props.ms).toISOString()} title={format.time(props.ms)}>
      {props.relative ? format.ago(props.ms, now) : format.time(props.ms)}
    </time>
  );
}

// A face for a key: the same for everybody, made from its digits, so that people recognise
// somebody without reading hex.
export function Glyph(props: { id: string; size?: number }) {
  const size = props.size ?? 20;
  const at = (i: number): number => parseInt(props.id.slice(i, i + 2), 16) || 0;
  const hue = (at(0) * 256 + at(2)) % 360;
  const cells = [];
  for (let row = 0; row < 5; row++) {
    for (let column = 0; column < 3; column++) {
      if (at(4 + 2 * (row * 3 + column)) < 118) continue;
      cells.push(<rect x={column} y={row} width="1.02" height="1.02" />);
      if (column < 2) cells.push(<rect x={4 - column} y={row} width="1.02" height="1.02" />);
    }
  }
  return (
    <svg class="glyph" width={size} height={size} viewBox="-0.5 -0.5 6 6" aria-hidden="true">
      <g fill={`hsl(${hue} 45% 50%)`}>{cells}</g>
    </svg>
  );
}

export function Key(props: { id: string; run?: string | undefined; you?: boolean }) {
  const to = props.run ? `/runs/${props.run}/peers/${props.id}` : `/peers/${props.id}`;
  return (
    <Link to={to} class="key" title={props.id}>
      <Glyph id={props.id} />
      <span>{format.short(props.id)}</span>
    </Link>
  );
}

export function Copy(props: { text: string; label: string }) {
  const [done, set] = useState<'' | 'copied' | 'select it by hand'>('');
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(props.text);
      set('copied');
    } catch {
      set('select it by hand'); // plain http from another machine has no clipboard
    }
    setTimeout(() => set(''), 2500);
  };
  return (
    <div class="command">
      <code tabIndex={0}>{props.text}</code>
      <button type="button" onClick={copy} aria-label={`Copy ${props.label}`}>
        {done === 'copied' ? 'Copied ✓' : 'Copy'}
      </button>
      <span class="sr" role="status">{done}</span>
    </div>
  );
}

export function Chip(props: { kind: string; children: ComponentChildren }) {
  return <span class={`chip ${props.kind}`}>{props.children}</span>;
}

export function Fact(props: { name: string; children: ComponentChildren; note?: ComponentChildren }) {
  return (
    <div class="fact">
      <dt>{props.name}</dt>
      <dd>{props.children}{props.note !== undefined && <small>{props.note}</small>}</dd>
    </div>
  );
}

// A section with a heading.
export function Card(props: { title: string; id?: string; aside?: ComponentChildren;
                              children: ComponentChildren }) {
  const id = props.id ?? props.title.toLowerCase().replace(/[^a-z0-9]+/g, '-');
  return (
    <section class="card" aria-labelledby={id}>
      <header><h2 id={id}>{props.title}</h2>{props.aside}</header>
      {props.children}
    </section>
  );
}

// A table that scrolls by itself on narrow screens, and by keyboard.
export function Table(props: { label: string; head: string[]; children: ComponentChildren }) {
  return (
    <div class="scroll" role="region" aria-label={`${props.label} (table)`} tabIndex={0}>
      <table>
        <thead><tr>{props.head.map((name) => <th scope="col">{name}</th>)}</tr></thead>
        <tbody>{props.children}</tbody>
      </table>
    </div>
  );
}

export function Waiting<T>(props: { loaded: Loaded<T> }) {
  const { error, missing } = props.loaded;
  if (missing) {
    return <div class="card"><h1>Not here</h1><p>{error}</p><p><Link to="/">To the map</Link></p></div>;
  }
  if (error) return <p class="notice" role="alert">{error}</p>;
  return <p class="quiet" role="status">Loading…</p>;
}

export function TakenAt(props: { at: At }) {
  return (
    <p class="quiet at">
      Folded from entries 0–{format.count(props.at.size - 1)} of <code>{props.at.origin}</code>, log
      time <Time ms={props.at.log_ms} />, root <code>{props.at.root.slice(0, 16)}…</code>
    </p>
  );
}

export function Why(props: { explanation: Explanation }) {
  const { reasons, reasons_count: all } = props.explanation;
  return (
    <>
      <p class="verdict">{props.explanation.verdict}</p>
      {all > reasons.length && (
        <p class="quiet">The newest {format.count(reasons.length)} of {format.count(all)} reasons.</p>
      )}
      <ol class="reasons">
        {reasons.map((reason) => (
          <li>
            <Link to={`/records/${reason.id}`} class="entry" label={`Record at entry ${reason.index}`}>
              #{reason.index}
            </Link>
            <span>{reason.sentence}</span>
          </li>
        ))}
      </ol>
    </>
  );
}
