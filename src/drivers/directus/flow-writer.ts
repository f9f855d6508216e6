import { ReconcilerError } from '../../errors.ts';
import type { JsonObject } from '../../manifest/manifest.ts';
import type { Outcome, Step } from '../driver.ts';
import type { DirectusClient } from './client.ts';
import { batched } from './flow-batches.ts';
import type { FlowNames } from './flow-names.ts';
import { versionOf } from './flow-rows.ts';
import { type Task, type Work, type Writing, bodyOf, idOf, workOf, worksOf } from './flow-works.ts';
import { FLOW, type Flows } from './flows.ts';
import type { FolderNames, Folders } from './folders.ts';
import { objectsOf, textOf } from './json.ts';
import { readNote } from './note.ts';
import { applied, asReconcilerError, failed, skipped, stale, taken, unconfirmed } from './outcomes.ts';

/** Refusals that may be about one of several: the batch is split until the culprit stands alone. */
const SPLIT = new Set(['refused', 'not-unique', 'forbidden', 'licence', 'too-large']);

type Verb = 'POST' | 'PATCH';

/** Writes the flows of a stage in bulk: new ones, changed ones, then those that go. */
export class FlowWriter {
  readonly #client: DirectusClient;
  readonly #flows: Flows;
  readonly #folders: Folders;

  constructor(client: DirectusClient, flows: Flows, folders: Folders) {
    this.#client = client;
    this.#flows = flows;
    this.#folders = folders;
  }

  async *write(steps: readonly Step[], signal: AbortSignal): AsyncGenerator<Outcome> {
    let names: Promise<FlowNames> | undefined;
    let folders: Promise<FolderNames | undefined> | undefined;
    const context: Writing = {
      names: () => (names ??= this.#flows.names(steps, signal)),
      folders: () => (folders ??= this.#folders.names(signal)),
      signal,
    };
    const creates = steps.filter(({ change }) => change.verb === 'create').map((step) => ({ step }));
    yield* this.#batches(creates, 'POST', context);
    yield* this.#change(
      steps.filter(({ change }) => change.verb !== 'create'),
      context,
    );
  }

  /** Steps on what is there: looked at first, because Directus takes a write to anything, and to nothing at all. */
  async *#change(steps: readonly Step[], context: Writing): AsyncGenerator<Outcome> {
    if (steps.length === 0) return;
    const present = await this.#flows.byIds(steps.map(idOf), context.signal).catch(asReconcilerError);
    if (present instanceof ReconcilerError) {
      yield* steps.map((step) => failed(step, present));
      return;
    }
    const staying: Task[] = [];
    const leaving: Step[] = [];
    for (const step of steps) {
      const { change } = step;
      const row = present.get(idOf(step));
      if (row === undefined && (change.verb === 'delete' || change.verb === 'release')) yield applied(step);
      else if (row === undefined || isStale(step, row)) yield failed(step, stale(step));
      else if (change.verb === 'delete') leaving.push(step);
      else staying.push({ step, row });
    }
    yield* this.#batches(staying, 'PATCH', context);
    if (leaving.length > 0) yield* this.#remove(leaving, context.signal);
  }

  /** While a batch is under way, the next is put together, and what came of the last is written down. */
  async *#batches(tasks: readonly Task[], method: Verb, context: Writing): AsyncGenerator<Outcome> {
    const impossible: Outcome[] = [];
    let underway: Promise<readonly Outcome[]> | undefined;
    for await (const batch of batched(worksOf(tasks, context, (outcome) => impossible.push(outcome)))) {
      const done = await underway;
      underway = Array.fromAsync(this.#send(batch, method, context));
      if (done !== undefined) yield* done;
    }
    if (underway !== undefined) yield* await underway;
    yield* impossible;
  }

  async *#send(works: readonly Work[], method: Verb, context: Writing): AsyncGenerator<Outcome> {
    const { signal } = context;
    if (signal.aborted) {
      yield* works.map(({ step }) => skipped(step));
      return;
    }
    let rows: readonly JsonObject[];
    try {
      const body = works.map((work) => work.body);
      rows = objectsOf(await this.#client.data({ method, route: '/flows', query: FLOW, body, signal }));
    } catch (error) {
      yield* this.#refused(works, method, { ...context, error: asReconcilerError(error) });
      return;
    }
    yield* this.#confirm(works, rows, signal);
  }

  /** The answer shows what stands there now, as far as the server gives so many at once. */
  async *#confirm(works: readonly Work[], rows: readonly JsonObject[], signal: AbortSignal): AsyncGenerator<Outcome> {
    const byId = new Map(rows.map((row) => [textOf(row['id']) ?? '', row]));
    const missing = works.filter(({ id }) => !byId.has(id));
    const read = await this.#flows
      .byIds(
        missing.map(({ id }) => id),
        signal,
      )
      .catch(asReconcilerError);
    for (const work of works) {
      const row = byId.get(work.id) ?? (read instanceof ReconcilerError ? undefined : read.get(work.id));
      if (row === undefined && read instanceof ReconcilerError) yield failed(work.step, read);
      else yield confirmed(work, row);
    }
  }

  async *#refused(
    works: readonly Work[],
    method: Verb,
    context: Writing & { readonly error: ReconcilerError },
  ): AsyncGenerator<Outcome> {
    const { error } = context;
    const [first, ...more] = works;
    if (first === undefined) return;
    if (!SPLIT.has(error.code ?? '')) yield* works.map(({ step }) => failed(step, error));
    else if (more.length > 0) {
      const middle = Math.ceil(works.length / 2);
      yield* this.#send(works.slice(0, middle), method, context);
      yield* this.#send(works.slice(middle), method, context);
    } else if (error.code === 'not-unique' && method === 'POST') yield* this.#repeat(first, context);
    else yield failed(first.step, error);
  }

  /** A create whose id is taken: an earlier try that nobody heard of, or an object that is not ours any more. */
  async *#repeat(work: Work, context: Writing): AsyncGenerator<Outcome> {
    try {
      const row = (await this.#flows.byIds([work.id], context.signal)).get(work.id);
      const claim = row === undefined ? undefined : readNote(textOf(row['description']) ?? '').note.marker;
      if (row === undefined || claim?.key !== work.step.change.key || claim.owner !== work.step.owner)
        throw taken(work.step);
      const body = await bodyOf({ step: work.step, row }, await work.step.desired(), context);
      yield* this.#send([workOf(work.step, work.id, body)], 'PATCH', context);
    } catch (error) {
      yield failed(work.step, asReconcilerError(error));
    }
  }

  /** A DELETE succeeds whatever it met, so that only looking again tells. */
  async *#remove(steps: readonly Step[], signal: AbortSignal): AsyncGenerator<Outcome> {
    try {
      await this.#client.send({ method: 'DELETE', route: '/flows', body: steps.map(idOf), signal });
      const left = await this.#flows.byIds(steps.map(idOf), signal);
      for (const step of steps) yield left.has(idOf(step)) ? failed(step, unconfirmed(step)) : applied(step);
    } catch (error) {
      const [first, ...more] = steps;
      const failure = asReconcilerError(error);
      if (first === undefined) return;
      if (more.length === 0 || !SPLIT.has(failure.code ?? '')) yield* steps.map((step) => failed(step, failure));
      else for (const step of steps) yield* this.#remove([step], signal);
    }
  }
}

/** The answer shows what stands there now: that is the proof, not the status of the answer. */
function confirmed({ step, id, body }: Work, row: JsonObject | undefined): Outcome {
  if (row === undefined || row['name'] === undefined || (body['name'] !== undefined && row['name'] !== body['name']))
    return failed(step, unconfirmed(step));
  const isAs = (column: string): boolean => body[column] === undefined || row[column] === body[column];
  if (row['description'] !== body['description'] || !isAs('folder')) return failed(step, unconfirmed(step));
  const sent = body['operations'] === undefined ? undefined : objectsOf(body['operations']).length;
  if (sent !== undefined && objectsOf(row['operations']).length !== sent) return failed(step, unconfirmed(step));
  return { status: 'applied', change: step.change, remote: { id, version: versionOf(row) } };
}

function isStale({ change }: Step, row: JsonObject): boolean {
  return change.verb !== 'create' && versionOf(row) !== change.remote.version;
}
