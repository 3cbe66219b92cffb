// The browser's own check of the log, for the badge on every page.
import { useEffect, useState } from 'preact/hooks';
import { type At, changes } from './api';
import { type Fetcher } from './verify/tiles';
import { type Memory, type Report, type Store, Watch, checkPage } from './verify/watch';

export const fetchBytes: Fetcher = async (path) => {
  const response = await fetch(`/${path}`);
  if (!response.ok) throw new Error(`/${path}: the hub answers ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
};

class Local implements Store {
  private readonly name = `harambee.log.${location.host}`;
  private kept: Memory | null = null;

  load(): Memory | null {
    try {
      const text = localStorage.getItem(this.name);
      return text === null ? this.kept : (JSON.parse(text) as Memory);
    } catch {
      return this.kept; // no storage, or somebody else's: as on a first visit
    }
  }
  save(memory: Memory): void {
    this.kept = memory;
    try {
      localStorage.setItem(this.name, JSON.stringify(memory));
    } catch {
      // remembered until this page is closed
    }
  }
  forget(): void {
    this.kept = null;
    try {
      localStorage.removeItem(this.name);
    } catch {
      // there is nothing to forget
    }
  }
}

export const store = new Local();

async function vkey(): Promise<string> {
  const health = await (await fetch('/health')).json() as { vkey: string };
  return health.vkey;
}

const CHECK_MS = 3000; // at most so often while the log grows

class Trust {
  report: Report | null = null;
  private readonly watch = new Watch(fetchBytes, store, vkey);
  private readonly listeners = new Set<() => void>();
  private running = false;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private last = 0;

  begin(): void {
    void this.check();
    changes.listen((change) => {
      if (change) this.later();
    });
  }

  listen(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async check(): Promise<void> {
    if (this.running) return this.later();
    this.running = true;
    this.last = Date.now();
    const report = await this.watch.check();
    // What was caught stays caught: a hub that shows its honest face again is still that hub.
    if (!this.report || this.report.ok || !caught(this.report) || caught(report)) {
      this.report = await this.withPage(report);
    }
    this.running = false;
    if (!report.ok && !caught(report)) this.later(); // a bad connection: once more
    for (const listener of [...this.listeners]) listener();
  }

  forget(): void {
    store.forget();
    this.report = null;
    void this.check();
  }

  private async withPage(report: Report): Promise<Report> {
    const at: At | null = changes.latest;
    if (!report.ok || !report.checkpoint || !report.tiles || !at) return report;
    try {
      const finding = await checkPage(at, report.checkpoint, report.tiles);
      if (!finding) return report;
      return { ...report, ok: report.ok && finding.ok, findings: [...report.findings, finding] };
    } catch {
      return report; // asked again with the next checkpoint
    }
  }

  private later(): void {
    this.timer ??= setTimeout(() => {
      this.timer = null;
      void this.check();
    }, Math.max(0, CHECK_MS - (Date.now() - this.last)));
  }
}

export const trust = new Trust();

// A finding that no bad connection can explain.
export function caught(report: Report): boolean {
  return report.findings.some((finding) =>
    !finding.ok && !finding.sentence.startsWith('The check could not be made') &&
    !finding.sentence.startsWith('The proof that nothing was rewritten could not be fetched'));
}

export function useTrust(): Report | null {
  const [, redraw] = useState(0);
  useEffect(() => trust.listen(() => redraw((n) => n + 1)), []);
  return trust.report;
}
