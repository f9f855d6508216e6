import type { RegisteredIntegration } from '../drivers/integration-register.ts';
import type { Letters, TakenLetter } from '../ledger/letters.ts';
import type { DeadLetters, KeptLetter } from './dead-letters.ts';
import type { RecordCheck } from './record-check.ts';

/** Which dead letters are meant: by id, by the key of their record, or all. */
export interface LetterSelection {
  readonly ids?: readonly string[] | undefined;
  readonly keys?: readonly string[] | undefined;
}

/** A dead letter as it is shown: where it went wrong, not what it holds. Times are RFC 3339 in UTC. */
export interface LetterStatus {
  readonly id: string;
  readonly since: string;
  readonly key?: string;
  readonly what: KeptLetter['what'];
  readonly reason: string;
  /** Attempts to deliver it. */
  readonly attempts: number;
  readonly changedAt?: string;
  /** Why it cannot be replayed, whatever is mended; absent where it can. */
  readonly stuck?: string;
}

/** What came of a replay. */
export interface LettersReplayed {
  /** Those that are delivered again, or whose run is made. */
  readonly replayed: number;
  /** Those that stay dead letters. */
  readonly refused: number;
  /** The first of them, and why. */
  readonly refusals: readonly { readonly id: string; readonly key?: string; readonly because: string }[];
  /** Those that were too many for once. */
  readonly left: number;
}

export interface ReplayParts {
  readonly letters: DeadLetters;
  readonly known: Letters;
  readonly check: RecordCheck;
  readonly now: () => number;
}

/** Letters that one replay takes up. */
const MOST = 10_000;
/** Letters that are held against the schema at once. */
const CHECKED = 1_000;
const REFUSALS = 100;

function isMeant({ ids, keys }: LetterSelection, { id, key }: KeptLetter): boolean {
  if (ids === undefined && keys === undefined) return true;
  return ids?.includes(id) === true || keys?.includes(key) === true;
}

export function letterStatus(letter: KeptLetter): LetterStatus {
  const { id, at, key, what, reason, attempts, changedAt } = letter;
  const stuck = stuckBy(letter);
  return {
    id,
    since: new Date(at).toISOString(),
    ...(key === '' ? {} : { key }),
    what,
    reason,
    attempts,
    ...(changedAt === undefined ? {} : { changedAt: new Date(changedAt).toISOString() }),
    ...(stuck === undefined ? {} : { stuck }),
  };
}

/**
 * Takes out of the file what the ledger has taken up: an earlier process may have ended in between. Before anything is added to the file,
 * so that what is given up again is not taken for what was. @throws what the file system says
 */
export async function settleTaken(
  one: RegisteredIntegration,
  { letters, known }: Pick<ReplayParts, 'letters' | 'known'>,
): Promise<void> {
  const taken = known.taken(one);
  if (taken.size === 0) return;
  await letters.remove(one, taken);
  known.settle(one, await letters.keys(one));
}

/**
 * Makes records of dead letters again, oldest first, those that may be now: while nothing of the Integration runs. What the schema refuses
 * stays, and so does what would write over something newer of its key, unless `overtaken`. Nothing of it is counted a second time.
 * @throws ReconcilerError `schema-…`; what the file system says
 */
export async function replayLetters(
  one: RegisteredIntegration,
  { overtaken, ...selection }: LetterSelection & { readonly overtaken?: boolean | undefined },
  parts: ReplayParts,
  signal: AbortSignal,
): Promise<LettersReplayed> {
  const { letters, known, now } = parts;
  await settleTaken(one, parts);
  const passed = known.passed(one);
  const found: KeptLetter[] = [];
  let left = 0;
  for await (const letter of letters.list(one)) {
    if (!isMeant(selection, letter)) continue;
    if (found.length < MOST) found.push(letter);
    else left += 1;
  }
  const isPassed = ({ key, at }: KeptLetter): boolean => key !== '' && (passed.get(key) ?? -Infinity) >= at;
  const refusals = new Map<KeptLetter, string>();
  for (const letter of found) {
    const stuck = stuckBy(letter);
    if (stuck !== undefined) refusals.set(letter, stuck);
    else if (isPassed(letter) && overtaken !== true) refusals.set(letter, OVERTAKEN);
  }
  for (const [letter, flaw] of await flawsOf(one, found, { parts, signal })) refusals.set(letter, flaw);
  const taken = found.filter((letter) => !refusals.has(letter)).map(takenOf);
  if (taken.length > 0) {
    known.take(one, taken, now());
    await settleTaken(one, parts);
  }
  return {
    replayed: taken.length,
    refused: refusals.size,
    refusals: [...refusals].slice(0, REFUSALS).map(([{ id, key }, because]) => ({
      id,
      ...(key === '' ? {} : { key }),
      because,
    })),
    left,
  };
}

/** @returns how many are gone. @throws what the file system says */
export async function discardLetters(
  one: RegisteredIntegration,
  selection: LetterSelection,
  { letters, known }: Pick<ReplayParts, 'letters' | 'known'>,
): Promise<number> {
  await settleTaken(one, { letters, known });
  const ids = new Set<string>();
  for await (const letter of letters.list(one)) if (isMeant(selection, letter)) ids.add(letter.id);
  await letters.remove(one, ids);
  if (ids.size > 0) known.settle(one, await letters.keys(one));
  return ids.size;
}

const OVERTAKEN = 'something newer of its key was delivered since, which it would write over';

function stuckBy({ what, data }: KeptLetter): string | undefined {
  if (data === undefined) return 'it held a secret, so that nothing of it was kept';
  return what === 'fragment' ? 'it is no record, so that there is nothing to deliver' : undefined;
}

/** What the schema that is in force says of records. */
async function flawsOf(
  { runs }: RegisteredIntegration,
  found: readonly KeptLetter[],
  { parts, signal }: { readonly parts: ReplayParts; readonly signal: AbortSignal },
): Promise<ReadonlyMap<KeptLetter, string>> {
  const { schema } = runs.records ?? {};
  const flawed = new Map<KeptLetter, string>();
  if (schema === undefined) return flawed;
  const records = found.filter((letter) => letter.what === 'record' && letter.data !== undefined);
  for (let from = 0; from < records.length; from += CHECKED) {
    const some = records.slice(from, from + CHECKED);
    const flaws = await parts.check.flaws(
      schema,
      some.map(({ data = null }) => data),
      signal,
    );
    for (const [index, letter] of some.entries()) {
      const flaw = flaws[index];
      if (flaw !== undefined) flawed.set(letter, `it breaks the schema: ${flaw}`);
    }
  }
  return flawed;
}

function takenOf({ id, what, key, changedAt, data = null }: KeptLetter): TakenLetter {
  if (what === 'trigger') return { id, wish: data };
  return { id, record: { key, data, ...(changedAt === undefined ? {} : { changedAt }) } };
}
