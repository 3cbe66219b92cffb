// What this browser believes about a log: the key it met first, and the newest checkpoint that it
// has checked. Trust on first use, and from then on no way back: a log that contradicts what was
// seen before is caught, and the two signed checkpoints that prove it are kept.
import { equal, hex, text, unhex } from './bytes';
import { consistencyHolds } from './merkle';
import { openCheckpoint, parseVkey, type Checkpoint } from './note';
import { type Fetcher, Tiles } from './tiles';

export interface Memory {
  vkey: string;
  since: number; // unix ms of the first visit
  size: number;
  root: string;
  note: string; // the signed checkpoint itself
  proof?: [string, string]; // two checkpoints that contradict each other
}

export interface Store {
  load(): Memory | null;
  save(memory: Memory): void;
  forget(): void;
}

export interface Finding {
  name: 'key' | 'signature' | 'consistency' | 'page';
  ok: boolean;
  sentence: string;
}

export interface Report {
  findings: Finding[];
  ok: boolean;
  checkpoint: Checkpoint | null;
  tiles: Tiles | null; // of that checkpoint, when it is believed
  firstVisit: boolean;
  memory: Memory | null;
}

// Where the hub says that its numbers were taken.
export interface At {
  size: number;
  root: string;
  origin: string;
}

const plural = (n: number, word: string): string =>
  `${n.toLocaleString('en')} ${n === 1 ? word : word.replace(/y$/, 'ie') + 's'}`;

async function proven(tiles: Tiles, from: number, fromRoot: Uint8Array, to: Checkpoint)
  : Promise<boolean> {
  return consistencyHolds(from, to.size, await tiles.consistency(from), fromRoot, to.root);
}

// A proof that does not hold convicts only a hub whose tiles are those of the root that it signed;
// else the tiles are damaged, by whomever.
async function convicts(tiles: Tiles, remembered: number, checkpoint: Checkpoint): Promise<boolean> {
  if (remembered === checkpoint.size) return true; // two roots of one size
  try {
    return equal(await tiles.root(0, checkpoint.size), checkpoint.root);
  } catch {
    return false;
  }
}

export class Watch {
  constructor(
    private readonly fetcher: Fetcher,
    private readonly store: Store,
    private readonly vkeyNow: () => Promise<string>,
    private readonly now: () => number = Date.now,
  ) {}

  // Checks what the hub says now against everything that is remembered. Never throws: what could
  // not be checked is a finding.
  async check(): Promise<Report> {
    const report: Report = {
      findings: [], ok: false, checkpoint: null, tiles: null, firstVisit: false, memory: null,
    };
    try {
      await this.run(report);
    } catch (error) {
      report.findings.push({
        name: 'signature', ok: false,
        sentence: `The check could not be made: ${(error as Error).message}`,
      });
    }
    report.ok = report.findings.length > 0 && report.findings.every((finding) => finding.ok);
    return report;
  }

  private async run(report: Report): Promise<void> {
    const offered = await this.vkeyNow();
    const memory = this.store.load();
    report.firstVisit = memory === null;
    report.memory = memory;
    const add = (name: Finding['name'], ok: boolean, sentence: string): void => {
      report.findings.push({ name, ok, sentence });
    };
    if (memory && memory.vkey !== offered) {
      add('key', false, `This is not the log that this browser knows by this address. It knew ` +
        `${memory.vkey}; now there is ${offered}.`);
      return;
    }
    add('key', true, memory
      ? `The log has the key that this browser has known since ` +
        `${new Date(memory.since).toLocaleDateString()}.`
      : 'First visit: this browser remembers the log’s key from now on. Compare it once with the ' +
        'key that somebody you trust tells you.');
    const bytes = await this.fetcher('checkpoint');
    let checkpoint: Checkpoint;
    try {
      checkpoint = await openCheckpoint(bytes, parseVkey(offered));
    } catch (error) {
      add('signature', false, `${(error as Error).message}.`);
      return;
    }
    add('signature', true,
      `The log’s key has signed the checkpoint of ${plural(checkpoint.size, 'entry')}.`);
    report.checkpoint = checkpoint;
    const note = text(bytes);
    const tiles = new Tiles(this.fetcher, checkpoint.size);
    if (memory && !(await this.consistent(memory, checkpoint, tiles, note, add))) return;
    report.tiles = tiles;
    const next: Memory = {
      vkey: offered, since: memory?.since ?? this.now(), size: checkpoint.size,
      root: hex(checkpoint.root), note,
    };
    if (!memory || checkpoint.size >= memory.size) {
      this.store.save(next);
      report.memory = next;
    }
  }

  private async consistent(memory: Memory, checkpoint: Checkpoint, tiles: Tiles, note: string,
    add: (name: Finding['name'], ok: boolean, sentence: string) => void): Promise<boolean> {
    const before = plural(memory.size, 'entry');
    const contradiction = (sentence: string): boolean => {
      this.store.save({ ...memory, proof: [memory.note, note] });
      add('consistency', false, sentence);
      return false;
    };
    if (checkpoint.size < memory.size) {
      // Being shown an old state is no contradiction, if it is the beginning of what was seen.
      add('consistency', false, `This browser has seen ${before}, and is now shown only ` +
        `${checkpoint.size.toLocaleString('en')}: an old state, or another log.`);
      return false;
    }
    let holds = false;
    try {
      holds = await proven(tiles, memory.size, unhex(memory.root), checkpoint);
    } catch (error) {
      add('consistency', false,
        `The proof that nothing was rewritten could not be fetched: ${(error as Error).message}`);
      return false;
    }
    if (!holds && !(await convicts(tiles, memory.size, checkpoint))) {
      add('consistency', false, `The hub does not prove that it kept the ${before} that this ` +
        'browser has seen: the tree it serves is not the one it signed.');
      return false;
    }
    if (!holds) {
      return contradiction(`The log was rewritten: it no longer contains the ${before} that this ` +
        'browser has seen. Both signed checkpoints are kept as proof.');
    }
    add('consistency', true, checkpoint.size === memory.size
      ? `It is the log that this browser saw before, ${before}.`
      : `It has grown from ${before} to ${plural(checkpoint.size, 'entry')} and nothing that this ` +
        'browser saw before was changed.');
    return true;
  }
}

// Whether the numbers on a page were taken from this very log. Null: they are newer than the
// checkpoint, which says nothing yet.
export async function checkPage(at: At, checkpoint: Checkpoint, tiles: Tiles)
  : Promise<Finding | null> {
  if (at.size > checkpoint.size) return null;
  const root = unhex(at.root);
  const holds = at.origin === checkpoint.origin &&
    (at.size === checkpoint.size
      ? equal(root, checkpoint.root)
      : consistencyHolds(at.size, checkpoint.size, await tiles.consistency(at.size), root,
        checkpoint.root));
  const entries = plural(at.size, 'entry');
  return {
    name: 'page', ok: holds,
    sentence: holds
      ? `The numbers on this page were taken from the first ${entries} of this very log. They are ` +
        'the hub’s sums; harambee verify computes them again.'
      : `The numbers on this page are not of this log: their root at ${entries} is another one.`,
  };
}
