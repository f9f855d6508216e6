import { formatProblem, messageOf, sentences } from '../errors.ts';
import type { Outcome } from '../drivers/driver.ts';
import type { Key } from '../manifest/manifest.ts';
import type { Change, Verb, Withheld, WithheldCode } from '../plan/types.ts';
import { pathsOf } from './counts.ts';
import type { PassReport } from './pass-report.ts';

/** A stable word for programs. */
export type EventType =
  | 'applied'
  | 'drift-reverted'
  | 'drift-found'
  | 'withheld'
  | 'change-failed'
  | 'pass-failed'
  | 'problem'
  | 'source-stale'
  | 'recovered';

/** What is told about one thing: field paths, never values (law 9). */
export interface Telling {
  readonly type: EventType;
  readonly key?: Key;
  readonly message: string;
  readonly paths?: readonly string[];
}

/** Which step of the pass knows about a situation: a pass that ended before that step cannot say that it is over. */
export type KnownBy = 'source' | 'manifest' | 'plan' | 'pass';

/** Something that stands as it is until it changes, and is told once (drift, a refusal, a source that cannot be read). */
export interface Situation extends Telling {
  readonly id: string;
  readonly knownBy: KnownBy;
}

/** Told one by one up to here; more of the same become one telling with their number. */
const MOST_ALIKE = 20;
/** Withheld because the platform was changed behind git's back. */
const DRIFT: ReadonlySet<WithheldCode> = new Set(['drift-reported', 'grace-period', 'held']);

/** Everything in a report that is a state rather than an event. */
export function situationsOf(report: PassReport): readonly Situation[] {
  return [...sourceSituations(report), ...problemSituations(report), ...planSituations(report)];
}

function sourceSituations({ stale, error }: PassReport): readonly Situation[] {
  const found: Situation[] = [];
  if (stale !== undefined) {
    found.push({
      id: 'stale',
      knownBy: 'source',
      type: 'source-stale',
      message: sentences({ message: `An old revision is served: ${stale.reason}`, remedy: stale.remedy }),
    });
  }
  if (error !== undefined) {
    found.push({
      id: 'error',
      knownBy: 'pass',
      type: 'pass-failed',
      message: sentences({ message: `The pass ended before its time: ${messageOf(error)}`, remedy: error.remedy }),
    });
  }
  return found;
}

function problemSituations(report: PassReport): readonly Situation[] {
  return folded<Situation>(
    report.problems.map((problem) => ({
      id: `problem:${problem.origin.file}:${problem.key ?? ''}:${problem.message}`,
      knownBy: 'manifest',
      type: 'problem',
      ...keyOf(problem.key),
      message: formatProblem(problem),
    })),
    (count) => ({
      id: 'problems',
      knownBy: 'manifest',
      type: 'problem',
      message: `The source has ${count} problems; \`plumbline validate\` shows them.`,
    }),
  );
}

function planSituations(report: PassReport): readonly Situation[] {
  const byCode = Map.groupBy(report.plan?.withheld ?? [], (withheld) => withheld.code);
  const withheld = [...byCode].flatMap(([code, group]) =>
    folded(group.map(withheldSituation), (count) => foldedWithheld(code, count, group)),
  );
  const failed = folded<Situation>(
    report.outcomes.filter((outcome) => outcome.status === 'failed').map(failedSituation),
    (count) => ({
      id: 'failed',
      knownBy: 'plan',
      type: 'change-failed',
      message: `${count} changes failed; \`plumbline history\` shows them.`,
    }),
  );
  return [...withheld, ...failed];
}

function withheldSituation({ change, code, because, remedy }: Withheld): Situation {
  const drift = DRIFT.has(code);
  // Reasons for drift say what differs, since when and by whom: nothing is to be added.
  const what = drift ? '' : `${nameOf(change, because)} withheld: `;
  return {
    id: `${drift ? 'drift' : `withheld:${code}`}:${change.key}`,
    knownBy: 'plan',
    type: drift ? 'drift-found' : 'withheld',
    key: change.key,
    message: capitalised(sentences({ message: `${what}${because}`, remedy })),
    ...somePaths(change),
  };
}

/** `delete of Workflow/a`; without the key where the reason names it. */
function nameOf({ verb, key }: Change, because: string): string {
  return because.includes(key) ? verb : `${verb} of ${key}`;
}

function capitalised(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

function foldedWithheld(code: WithheldCode, count: number, group: readonly Withheld[]): Situation {
  const [first] = group;
  const why = first === undefined ? '' : `: ${sentences({ message: first.because, remedy: first.remedy })}`;
  return {
    id: `withheld:${code}`,
    knownBy: 'plan',
    type: DRIFT.has(code) ? 'drift-found' : 'withheld',
    message: `${count} changes are withheld (${code})${why}`,
  };
}

function failedSituation({ change, error }: Extract<Outcome, { status: 'failed' }>): Situation {
  const what = `${nameOf(change, messageOf(error))} failed: ${messageOf(error)}`;
  return {
    id: `failed:${change.key}`,
    knownBy: 'plan',
    type: 'change-failed',
    key: change.key,
    message: capitalised(sentences({ message: what, remedy: error.remedy })),
    ...somePaths(change),
  };
}

/** What happened in this pass and is over now: each told once, by nature. */
export function occurrencesOf(report: PassReport): readonly Telling[] {
  const applied = report.outcomes.filter((outcome) => outcome.status === 'applied').map(({ change }) => change);
  return folded<Telling>(
    applied.map((change) => appliedTelling(change, report.archived[change.key])),
    (count) => ({ type: 'applied', message: `${count} changes were applied; \`plumbline history\` shows them.` }),
  );
}

const DONE: Record<Verb, string> = {
  create: 'Created',
  update: 'Updated',
  adopt: 'Adopted',
  release: 'Released',
  delete: 'Deleted',
};

function appliedTelling(change: Change, archived: string | undefined): Telling {
  const { key, verb, cause } = change;
  const reverted = cause === 'drift' || cause === 'vanished' || (verb === 'update' && change.overwritesDrift);
  const copy = archived === undefined ? '' : `; what was there is archived as ${archived}`;
  const message = reverted ? revertedMessage(change) : `${DONE[verb]} ${key}`;
  return { type: reverted ? 'drift-reverted' : 'applied', key, message: `${message}${copy}.`, ...somePaths(change) };
}

function revertedMessage(change: Change): string {
  if (change.verb === 'create') return `Created ${change.key} again, which was gone from the platform`;
  return `Reverted ${change.key}, changed on the platform${whoOf(change)}`;
}

function whoOf(change: Change): string {
  if (change.verb !== 'update' || change.who === undefined) return '';
  const { by, at } = change.who;
  return `${by === undefined ? '' : ` by ${by}`}${at === undefined ? '' : ` at ${new Date(at).toISOString()}`}`;
}

function somePaths(change: Change): { readonly paths?: readonly string[] } {
  const paths = pathsOf(change);
  return paths.length === 0 ? {} : { paths };
}

function keyOf(key: string | undefined): { readonly key?: Key } {
  return key === undefined ? {} : { key: key as Key };
}

function folded<T>(all: readonly T[], fold: (count: number) => T): readonly T[] {
  return all.length > MOST_ALIKE ? [fold(all.length)] : all;
}
