// The hub's views (spec/hub-api.md §5) as types, and how pages get them and stay up to date.
import { useEffect, useState } from 'preact/hooks';

export interface At { log_ms: number; origin: string; root: string; size: number }
export interface Page<T> { from: number; rows: T[]; total: number }
export interface Losses { best_nanos: number | null; first_nanos: number | null; last_nanos: number | null }
export interface Parent { name: string; rounds: number; run: string }
export type Phase = 'waiting_start' | 'commit' | 'score' | 'closing' | 'finished';

export interface RunCard {
  active: number;
  changed_ms: number;
  data: string;
  distributed_micros: number;
  id: string;
  index: number;
  loss: Losses;
  members: number;
  name: string;
  opened_ms: number;
  parameters: number;
  parent: Parent | null;
  phase: Phase;
  round: number;
  rounds: number;
  spark_nanos: (number | null)[];
  tokens: number;
  weights: string | null;
}

export interface Activity {
  author: string;
  id: string;
  index: number;
  kind: string;
  log_ms: number;
  name: string | null;
  reason: string;
  round: number | null;
}

export interface MapView { activity: Activity[]; at: At; authors: number; runs: Page<RunCard> }

export interface Member {
  accepted: number;
  all_credit_micros: number;
  bytes_sent: number;
  class: string;
  credit_micros: number;
  gains_nanos: number[];
  key: string;
  missed_rounds: number;
  ordinal: number;
  own_better: number;
  own_known: number;
  reason: string | null;
  rejected: number;
  rejected_streak: number;
  standing: string;
  tokens: number;
  trainer: string;
}

export interface Contribution {
  accepted: boolean;
  author: string;
  bytes: number;
  credit_micros: number;
  domain: string;
  domain_gains_nanos: number[];
  forfeited_micros: number;
  gain_nanos: number | null;
  group: number;
  id: string;
  index: number;
  loss_first_nanos: number;
  loss_last_nanos: number;
  own_nanos: number | null;
  reason: string;
  round: number;
  tokens: number;
  vote_millis: number;
}

// What one auditor found; cosine and distance are decimals, of inexact classes alone.
export interface Found {
  auditor: string; cosine: string | null; distance: string | null; id: string; index: number;
  result: string;
}

export interface Audit {
  answers: number; asked: number; author: string; disputed: boolean; found: Found[]; id: string;
  index: number; reason: string; round: number; state: string;
}

export interface Near { cosine_min: string; distance_max: string }

export type Audits = Page<Audit> & { convicted: number; near: Near; open: number; passed: number };

export interface OpenRound {
  awaited: string[];
  cohort: number | null;
  committee: number | null;
  contributions: { author: string; id: string; index: number }[];
  deadline_ms: number | null;
  number: number;
  opened_ms: number;
  phase_ms: number;
  scorers: number;
  scores: { id: string; index: number; loss_nanos: number | null; validator: string }[];
  waiting_for: number;
}

export interface Series {
  accepted: number[];
  contributions: number[];
  loss_nanos: (number | null)[];
  round: number[];
  tokens: number[];
}

// What another training reached, as the run's maintainer says.
export interface Baseline {
  id: string;
  index: number;
  label: string;
  over: 'tokens' | 'rounds';
  points: [number, number][]; // at, nano-nats; at ascending
}

export interface Blob { digest: string; size: number; type: string }
export interface Refusal { author: string; id: string; index: number; kind: string; reason: string }
export type Recipe = { [key: string]: string | number | boolean | Recipe };

export interface RunView extends Omit<RunCard, 'members' | 'data' | 'spark_nanos'> {
  activity: Activity[];
  at: At;
  baselines: Baseline[];
  audits: Audits;
  bytes_down: number;
  bytes_up: number;
  checkpoint: { blob: Blob; round: number } | null;
  data: Blob;
  excluded: { by: { id: string; index: number }; key: string; reason: string }[];
  forfeited_micros: number;
  liars: { by: { id: string; index: number }; key: string; reason: string }[];
  members: Page<Member>;
  officials: { credit_micros: number; key: string; role: string }[];
  open: OpenRound | null;
  recipe: Recipe;
  refusals: Refusal[];
  refusals_count: number;
  rejected: Contribution[];
  series: Series;
  start: { id: string; index: number; loss_first_nanos: number; loss_last_nanos: number;
           tokens: number; weights: string } | null;
}

export interface Explanation {
  reasons: { id: string; index: number; sentence: string }[];
  reasons_count: number;
  subject: string;
  verdict: string;
}

export interface ClosedRound {
  accepted: number;
  closed_ms: number;
  contributions: number;
  loss_nanos: number | null;
  missed: number;
  number: number;
  taken_back: boolean;
  voided: boolean;
  weights: string;
}

export interface RoundView {
  at: At;
  closed: ClosedRound | null;
  contributions: Contribution[];
  domains: string[];
  explanation: Explanation;
  name: string;
  open: OpenRound | null;
  round: number;
}

export interface RoundsView { at: At; rounds: Page<ClosedRound> }
export interface MembersView { at: At; members: Page<Member> }
export interface MemberView {
  at: At; audits: Audits; explanation: Explanation; key: string; member: Member | null; name: string;
}

export interface Sample {
  author: string;
  class: string;
  id: string;
  index: number;
  round: number;
  seed: string;
  temperature: string;
  texts: { prompt: string; text: string }[]; // base64
  weights: string;
}

export interface SamplesView { at: At; name: string; rounds: number[]; samples: Page<Sample> }

export interface TryView { attached: boolean; chat: boolean; model: string }

export interface PeerView {
  activity: Activity[];
  at: At;
  hub: boolean;
  key: string;
  public_key: string;
  records: number;
  runs: { coordinator: boolean; credit_micros: number; maintainer: boolean; member: Member | null;
          name: string; validator: boolean }[];
}

export interface RecordView {
  at: At;
  audits: Audits | null; // of a contribution: its own, if it was drawn
  author: string;
  author_public_key: string | null;
  blobs: Blob[];
  body: unknown;
  effect: 'applied' | 'inert' | 'unknown';
  envelope: string;
  explanation: Explanation | null;
  id: string;
  index: number;
  kind: string;
  name: string | null;
  prev: string | null;
  reason: string;
  round: number | null;
  seq: number;
}

// ---- the stream of changes ----

export interface Change { at: At; more: boolean; runs: string[] }
type Listener = (change: Change | null) => void;

// A browser gives one hub six connections for all its tabs, and pages that are kept for the back
// button count too: so only pages that are looked at hold the stream open.
class Changes {
  private readonly listeners = new Set<Listener>();
  private source: EventSource | null = null;
  live = false;
  latest: At | null = null;

  begin(): void {
    document.addEventListener('visibilitychange', () => this.follow(!document.hidden));
    addEventListener('pagehide', () => this.follow(false));
    addEventListener('pageshow', () => this.follow(!document.hidden));
    this.follow(!document.hidden);
  }

  listen(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private follow(looked_at: boolean): void {
    if (looked_at && !this.source) return this.open();
    if (looked_at || !this.source) return;
    this.source.close();
    this.source = null;
    this.live = false;
  }

  private tell(change: Change | null): void {
    for (const listener of [...this.listeners]) listener(change);
  }

  private open(): void {
    // From where this page stopped: the first event names the runs that have changed since.
    this.source = new EventSource(this.latest ? `/events?from=${this.latest.size}` : '/events');
    this.source.addEventListener('open', () => {
      this.live = true;
      this.tell(null);
    });
    this.source.addEventListener('log', (event) => {
      const change = JSON.parse((event as MessageEvent<string>).data) as Change;
      this.latest = change.at;
      this.tell(change);
    });
    this.source.addEventListener('error', () => {
      this.live = false;
      this.tell(null);
      // The browser tries again by itself, unless the hub refused.
      if (this.source?.readyState === EventSource.CLOSED) {
        this.source = null;
        setTimeout(() => this.follow(!document.hidden), 5000);
      }
    });
  }
}

export const changes = new Changes();

export function useLive(): { live: boolean; at: At | null } {
  const [state, set] = useState({ live: changes.live, at: changes.latest });
  useEffect(() => changes.listen(() => set({ live: changes.live, at: changes.latest })), []);
  return state;
}

// ---- views ----

export interface Loaded<T> { data: T | null; error: string | null; missing: boolean }

const REFETCH_MS = 700; // a busy log changes many times a second; eyes do not

// The view at `path`, fetched again when the log says that it may have changed. `run`: only changes
// of this run matter; null: every change does.
export function useView<T>(path: string, run: string | null = null): Loaded<T> {
  const [loaded, set] = useState<Loaded<T> & { path: string }>(
    { data: null, error: null, missing: false, path });
  useEffect(() => {
    let gone = false;
    let timer: ReturnType<typeof setTimeout> | null = null;
    let running = false;
    let again = false;
    let last = 0;
    const later = (ms: number): void => {
      timer ??= setTimeout(() => {
        timer = null;
        void load();
      }, ms);
    };
    const load = async (): Promise<void> => {
      if (running) {
        again = true;
        return;
      }
      running = true;
      last = Date.now();
      try {
        const response = await fetch(path, { headers: { Accept: 'application/json' } });
        const body = await response.json() as T & { error?: string; folded?: number; size?: number };
        if (gone) return;
        if (response.ok) {
          set({ data: body, error: null, missing: false, path });
        } else {
          const progress = body.folded === undefined ? '' : ` (${body.folded} of ${body.size} entries)`;
          set((old) => ({ data: old.path === path ? old.data : null, path,
            error: `${body.error ?? response.statusText}${progress}`,
            missing: response.status === 404 }));
          if (response.status === 503) later(1000);
        }
      } catch {
        if (!gone) {
          set((old) => ({ ...old, error: 'The hub does not answer; trying again.' }));
          later(3000);
        }
      } finally {
        running = false;
        if (again && !gone) {
          again = false;
          later(REFETCH_MS);
        }
      }
    };
    void load();
    const stop = changes.listen((change) => {
      if (change === null) return;
      if (run !== null && !change.more && !change.runs.includes(run)) return;
      later(Math.max(0, REFETCH_MS - (Date.now() - last)));
    });
    return () => {
      gone = true;
      stop();
      if (timer) clearTimeout(timer);
    };
  }, [path, run]);
  return loaded.path === path ? loaded : { data: null, error: null, missing: false };
}
