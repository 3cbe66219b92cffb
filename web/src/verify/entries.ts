// Checks of entries: one record, or all of the log.
import { equal, hex, unhex } from './bytes';
import { checkAuthor, ownKey, parseEnvelope } from './envelope';
import { Frontier, inclusionHolds, leafHash } from './merkle';
import { type Checkpoint } from './note';
import { TILE_WIDTH, type Tiles } from './tiles';

export interface Step {
  ok: boolean;
  sentence: string;
}

// What the page says about a record, against the log itself.
export async function checkRecord(
  shown: { index: number; id: string; envelope: string; authorKey: string },
  checkpoint: Checkpoint, tiles: Tiles): Promise<Step[]> {
  const steps: Step[] = [];
  const add = (ok: boolean, sentence: string): boolean => {
    steps.push({ ok, sentence });
    return ok;
  };
  const entry = (await tiles.entries(Math.floor(shown.index / TILE_WIDTH)))[
    shown.index % TILE_WIDTH];
  if (!entry) {
    add(false, 'The log has no such entry.');
    return steps;
  }
  const proof = await tiles.inclusion(shown.index);
  const included = inclusionHolds(
    shown.index, checkpoint.size, leafHash(entry), proof, checkpoint.root);
  add(included, included
    ? `Entry ${shown.index} is in the signed log of ${checkpoint.size.toLocaleString('en')} ` +
      `entries: its hash and ${proof.length} others give the root.`
    : `Entry ${shown.index} is not what the signed root says: its bytes were changed.`);
  const same = equal(entry, new TextEncoder().encode(shown.envelope));
  add(same, same
    ? 'The bytes on this page are the bytes in the log.'
    : 'The bytes on this page are not those in the log.');
  try {
    const envelope = parseEnvelope(entry);
    const named = envelope.id === shown.id;
    add(named, named ? 'Its id is the SHA-256 of what was signed.' : 'Its id is another one.');
    await checkAuthor(envelope, unhex(shown.authorKey));
    add(true, 'Its author’s key has signed it, and the author’s name is that key’s SHA-256.');
  } catch (error) {
    add(false, `${(error as Error).message}.`);
  }
  return steps;
}

export interface WholeLog {
  entries: number;
  signatures: number;
  authors: number;
  fault: string | null;
}

interface Author {
  key: Uint8Array;
  next: number;
  last: string | null;
}

// Every entry: canonical, signed by its author, in its author's chain; and all of them together
// give the signed root. `progress` is told after each bundle; when it returns false the check ends.
export async function checkAll(tiles: Tiles, checkpoint: Checkpoint,
  progress: (done: number) => boolean): Promise<WholeLog> {
  const result: WholeLog = { entries: 0, signatures: 0, authors: 0, fault: null };
  const authors = new Map<string, Author>();
  const tree = new Frontier();
  const expected = await recordedLeaves(tiles, checkpoint);
  for (let bundle = 0; bundle * TILE_WIDTH < checkpoint.size; bundle++) {
    for (const entry of await tiles.entries(bundle)) {
      const index = tree.size;
      const leaf = leafHash(entry);
      tree.append(leaf);
      try {
        if (!(await expected(index, leaf))) throw new Error('its bytes are not those of the tree');
        await checkEntry(entry, authors, checkpoint.origin);
      } catch (error) {
        result.fault = `Entry ${index}: ${(error as Error).message}.`;
        return result;
      }
      result.entries += 1;
      result.signatures += 1;
      result.authors = authors.size;
    }
    if (!progress(tree.size)) return { ...result, fault: 'Stopped before the end.' };
  }
  if (!equal(tree.root(), checkpoint.root)) {
    result.fault = 'The entries together do not give the signed root.';
  }
  return result;
}

// Tells which entry was changed, not only that one was.
async function recordedLeaves(tiles: Tiles, checkpoint: Checkpoint)
  : Promise<(index: number, leaf: Uint8Array) => Promise<boolean>> {
  return async (index, leaf) =>
    index >= checkpoint.size || equal(await tiles.root(index, index + 1), leaf);
}

async function checkEntry(
  entry: Uint8Array, authors: Map<string, Author>, origin: string): Promise<void> {
  const envelope = parseEnvelope(entry);
  const { payload } = envelope;
  if (payload['log'] !== origin) throw new Error('it is a record of another log');
  let author = authors.get(envelope.author);
  if (!author) {
    const key = ownKey(envelope);
    if (!key) throw new Error('its author has not introduced itself');
    author = { key, next: 0, last: null };
    authors.set(envelope.author, author);
  }
  if (payload['seq'] !== author.next || payload['prev'] !== author.last) {
    throw new Error('it does not continue its author’s chain');
  }
  await checkAuthor(envelope, author.key);
  author.next += 1;
  author.last = envelope.id;
}

export const shortRoot = (root: Uint8Array): string => hex(root).slice(0, 16);
