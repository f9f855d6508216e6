import { ReconcilerError, messageOf } from '../../errors.ts';
import type { Outcome } from '../driver.ts';
import type { NodeRedClient, Snapshot } from './client.ts';
import { versionOf } from './identity.ts';
import { canonicalJson } from '../../manifest/canonical.ts';
import { type Merged, type Work, merge, shown } from './merge.ts';
import { partsOf } from './objects.ts';
import type { RawNode } from './raw.ts';
import type { Runtime, RuntimeWatch } from './runtime.ts';

/** Writes that lose the race against somebody else, or whose answer is lost, before it is left to the next pass. */
const ATTEMPTS = 5;

export interface WriterOptions {
  readonly client: NodeRedClient;
  /** Listens to the runtime; one per write. */
  readonly watch: (signal: AbortSignal) => Promise<RuntimeWatch>;
  /** Milliseconds that the runtime gets to say what it makes of a deploy. */
  readonly patience: number;
}

/** Writes stages: one POST for all of a stage, fenced by the revision it was made for, and looked at afterwards. */
export class Writer {
  readonly #options: WriterOptions;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /** One outcome per work. `base` is the last listing: the revision makes an old one harmless. */
  async write(works: readonly Work[], base: Snapshot | undefined, signal: AbortSignal): Promise<readonly Outcome[]> {
    if (works.length === 0) return [];
    try {
      return await this.#write(works, base, signal);
    } catch (error) {
      return works.map(({ change }) => ({ status: 'failed', change, error: asReconcilerError(error) }));
    }
  }

  async #write(works: readonly Work[], base: Snapshot | undefined, signal: AbortSignal): Promise<readonly Outcome[]> {
    const { client } = this.#options;
    let before = base ?? (await client.flows(signal));
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const merged = merge(before.set, works);
      const failures = merged.failed.map(({ work, error }): Outcome => ({
        status: 'failed',
        change: work.change,
        error,
      }));
      if (merged.done.length === 0) return failures;
      if (changesNothing(before, merged)) return [...failures, ...appliedAt(before, merged.done)];
      const result = await this.#deploy(before, merged, signal);
      if (result !== 'again') return [...failures, ...result];
      before = await client.flows(signal);
    }
    throw new ReconcilerError(
      `The flows of ${client.name} were changed by others each time they were to be written.`,
      'backoff',
      {
        code: 'stale-write',
        remedy: 'See who else deploys there all the time.',
      },
    );
  }

  async #deploy(before: Snapshot, merged: Merged, signal: AbortSignal): Promise<readonly Outcome[] | 'again'> {
    const { client, watch, patience } = this.#options;
    using runtime = await watch(signal);
    const old = await runtime.before(Math.min(patience, 3_000), signal);
    let deployed: { readonly rev: string } | 'stale';
    try {
      deployed = await client.deploy(merged.flows, before.rev, signal);
    } catch (error) {
      const failure = asReconcilerError(error);
      if (failure.code === 'outcome-unknown' && !signal.aborted) return await this.#lookAgain(merged, signal);
      if (failure.code !== 'refused' && failure.code !== 'too-large') throw failure;
      return await this.#split(merged.done, failure, signal);
    }
    if (deployed === 'stale') return 'again';
    const { rev } = deployed;
    const now = await runtime.after(rev, old.state === 'unknown' ? 0 : patience, signal);
    const harm = harmOf(old, now);
    if (harm === undefined) return await this.#confirmed(merged, signal);
    const restored = await this.#restore(before, rev, signal);
    const error = new ReconcilerError(
      `${client.name} took the flows but ran none of them: ${harm}. ${restored}`,
      'never',
      {
        code: 'effect-failed',
        remedy: 'Install what is missing on the platform, or take it out of the flow.',
      },
    );
    return await this.#split(merged.done, error, signal);
  }

  /** After a write whose answer was lost: what stands there decides. Sending again is fenced by the revision. */
  async #lookAgain(merged: Merged, signal: AbortSignal): Promise<readonly Outcome[] | 'again'> {
    const after = await this.#options.client.flows(signal);
    const landed = merged.done.every(
      (work) => stands(after, merged, work) && Object.keys(work.wanted?.secrets ?? {}).length === 0,
    );
    return landed ? appliedAt(after, merged.done) : 'again';
  }

  /** Reads back what was written; what somebody overwrote in the meantime is left to the next pass. */
  async #confirmed(merged: Merged, signal: AbortSignal): Promise<readonly Outcome[]> {
    const after = await this.#options.client.flows(signal);
    const outcomes: Outcome[] = [];
    for (const work of merged.done) {
      const error = stands(after, merged, work) ? await this.#secretProblem(after, work, signal) : overwritten(work);
      if (error === undefined) outcomes.push(...appliedAt(after, [work]));
      else outcomes.push({ status: 'failed', change: work.change, error });
    }
    return outcomes;
  }

  async #secretProblem(after: Snapshot, work: Work, signal: AbortSignal): Promise<ReconcilerError | undefined> {
    const names = Object.entries(work.wanted?.secrets ?? {}).flatMap(([name, value]) => (value === '' ? [] : [name]));
    const entry = after.set.byId.get(work.id);
    if (names.length === 0 || entry === undefined) return undefined;
    const set = await this.#options.client.secretsSet(entry, signal);
    const lost = names.filter((name) => set[name] !== true);
    if (lost.length === 0) return undefined;
    const known = Object.keys(set);
    return new ReconcilerError(
      `Integration "${work.change.title}": Node-RED dropped the secret ${lost.join(', ')}, because ${entry.type} has no such credential.`,
      'never',
      {
        code: 'unknown-secret',
        remedy: known.length === 0 ? `A ${entry.type} has no credentials.` : `Use one of: ${known.join(', ')}.`,
      },
    );
  }

  /** Finds the culprits: each half alone, until one change fails by itself. */
  async #split(works: readonly Work[], error: ReconcilerError, signal: AbortSignal): Promise<readonly Outcome[]> {
    if (works.length === 1) return works.map(({ change }) => ({ status: 'failed', change, error }));
    const middle = Math.ceil(works.length / 2);
    const first = await this.write(works.slice(0, middle), undefined, signal);
    return [...first, ...(await this.write(works.slice(middle), undefined, signal))];
  }

  /** Puts back what stood there, unless somebody wrote since; says what came of it. */
  async #restore(before: Snapshot, rev: string, signal: AbortSignal): Promise<string> {
    try {
      const restored = await this.#options.client.deploy(before.set.entries, rev, signal);
      return restored === 'stale'
        ? 'Somebody deployed since, so it was left as it is.'
        : 'What stood there before was put back.';
    } catch (error) {
      return `What stood there before could not be put back (${messageOf(error)}).`;
    }
  }
}

/** Why a deploy did harm: something is missing that was not missing before. */
function harmOf(old: Runtime, now: Runtime): string | undefined {
  if (now.state !== 'failed') return undefined;
  const before = new Set(old.state === 'failed' ? old.missing : []);
  return now.missing.length > 0 && now.missing.every((name) => before.has(name)) ? undefined : now.reason;
}

function changesNothing(before: Snapshot, merged: Merged): boolean {
  if (merged.done.some(({ wanted }) => Object.keys(wanted?.secrets ?? {}).length > 0)) return false;
  const { entries } = before.set;
  return merged.flows.length === entries.length && merged.flows.every((entry, index) => isSame(entry, entries[index]));
}

function isSame(wanted: RawNode, there: RawNode | undefined): boolean {
  return wanted === there || (there !== undefined && canonicalJson(shown(wanted)) === canonicalJson(shown(there)));
}

/** Whether every part of an object is on the server as it was sent, and nothing else is on it. */
function stands(after: Snapshot, merged: Merged, { id }: Work): boolean {
  const sent = merged.flows.filter((entry) => entry.id === id || entry['z'] === id);
  const root = after.set.byId.get(id);
  if (root === undefined) return sent.length === 0;
  return (
    partsOf(after.set, root).length === sent.length &&
    sent.every((entry) => isSame(entry, after.set.byId.get(entry.id)))
  );
}

function overwritten({ change }: Work): ReconcilerError {
  return new ReconcilerError(
    `${change.kind} "${change.title}" was written, and changed by somebody else at once.`,
    'replan',
    {
      code: 'stale-write',
      remedy: 'Nothing to do: the next pass looks again and plans anew.',
    },
  );
}

function appliedAt(after: Snapshot, works: readonly Work[]): readonly Outcome[] {
  return works.map(({ change, id }): Outcome => {
    const entry = after.set.byId.get(id);
    if (entry === undefined) return { status: 'applied', change };
    return { status: 'applied', change, remote: { id, version: versionOf(after.set, entry) } };
  });
}

export function asReconcilerError(error: unknown): ReconcilerError {
  return error instanceof ReconcilerError ? error : new ReconcilerError(messageOf(error), 'backoff', { cause: error });
}
