import { ReconcilerError } from '../../errors.ts';
import type { JsonObject } from '../../manifest/manifest.ts';
import type { Outcome, Step } from '../driver.ts';
import type { DirectusClient } from './client.ts';
import { normalizeDefinition } from './flow-definition.ts';
import type { FlowNames } from './flow-names.ts';
import { flowBody, normalizeWorkflow, releaseBody, versionOf } from './flow-rows.ts';
import { FLOW, type Flows } from './flows.ts';
import { batched } from './flow-batches.ts';
import { objectId } from './ids.ts';
import { objectOf, objectsOf, textOf } from './json.ts';
import { readNote } from './note.ts';
import { applied, asReconcilerError, failed, skipped, stale, taken, unconfirmed } from './outcomes.ts';
import { flowOf, renameFlows, titleIn } from './references.ts';

/** Refusals that may be about one of several: the batch is split until the culprit stands alone. */
const SPLIT = new Set(['refused', 'not-unique', 'forbidden', 'licence', 'too-large']);

/** What one step sends. */
interface Work {
  readonly step: Step;
  readonly id: string;
  readonly body: JsonObject;
  readonly size: number;
}
type Verb = 'POST' | 'PATCH';

/** Writes the flows of a stage in bulk: new ones, changed ones, then those that go. */
export class FlowWriter {
  readonly #client: DirectusClient;
  readonly #flows: Flows;

  constructor(client: DirectusClient, flows: Flows) {
    this.#client = client;
    this.#flows = flows;
  }

  async *write(steps: readonly Step[], signal: AbortSignal): AsyncGenerator<Outcome> {
    const names = await this.#namesFor(steps, signal).catch(asReconcilerError);
    if (names instanceof ReconcilerError) {
      yield* steps.map((step) => failed(step, names));
      return;
    }
    const creates: Work[] = [];
    for (const step of steps.filter(({ change }) => change.verb === 'create')) {
      try {
        const id = objectId(step.owner, step.change.key);
        creates.push(workOf(step, id, await bodyOf(step, id, { names })));
      } catch (error) {
        yield failed(step, asReconcilerError(error));
      }
    }
    yield* this.#batches(creates, 'POST', { names, signal });
    yield* this.#change(
      steps.filter(({ change }) => change.verb !== 'create'),
      { names, signal },
    );
  }

  /** Steps on what is there: looked at first, because Directus takes a write to anything, and to nothing at all. */
  async *#change(steps: readonly Step[], context: Context): AsyncGenerator<Outcome> {
    if (steps.length === 0) return;
    const present = await this.#flows.byIds(steps.map(idOf), context.signal).catch(asReconcilerError);
    if (present instanceof ReconcilerError) {
      yield* steps.map((step) => failed(step, present));
      return;
    }
    const works: Work[] = [];
    const leaving: Step[] = [];
    for (const step of steps) {
      const { change } = step;
      const row = present.get(idOf(step));
      if (row === undefined && (change.verb === 'delete' || change.verb === 'release')) yield applied(step);
      else if (row === undefined || isStale(step, row)) yield failed(step, stale(step));
      else if (change.verb === 'delete') leaving.push(step);
      else {
        try {
          const body =
            change.verb === 'release' ? releaseBody(row) : await bodyOf(step, idOf(step), { ...context, row });
          works.push(workOf(step, idOf(step), body));
        } catch (error) {
          yield failed(step, asReconcilerError(error));
        }
      }
    }
    yield* this.#batches(works, 'PATCH', context);
    if (leaving.length > 0) yield* this.#remove(leaving, context.signal);
  }

  async *#batches(works: readonly Work[], method: Verb, context: Context): AsyncGenerator<Outcome> {
    for (const batch of batched(works)) yield* this.#send(batch, method, context);
  }

  async *#send(works: readonly Work[], method: Verb, context: Context): AsyncGenerator<Outcome> {
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
    context: Context & { readonly error: ReconcilerError },
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
  async *#repeat(work: Work, context: Context): AsyncGenerator<Outcome> {
    try {
      const row = (await this.#flows.byIds([work.id], context.signal)).get(work.id);
      const claim = row === undefined ? undefined : readNote(textOf(row['description']) ?? '').note.marker;
      if (row === undefined || claim?.key !== work.step.change.key || claim.owner !== work.step.owner)
        throw taken(work.step);
      const body = await bodyOf(work.step, work.id, { ...context, row });
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

  async #namesFor(steps: readonly Step[], signal: AbortSignal): Promise<FlowNames | undefined> {
    for (const step of steps) {
      if (step.change.verb === 'delete' || step.change.verb === 'release') continue;
      const operations = objectsOf(normalizeDefinition((await step.desired())['definition'])['operations']);
      if (operations.some((operation) => titleIn(flowOf(operation) ?? '') !== undefined))
        return await this.#flows.names(steps, signal);
    }
    return undefined;
  }
}

interface Context {
  /** Undefined where no step names another flow. */
  readonly names: FlowNames | undefined;
  readonly signal: AbortSignal;
}

async function bodyOf(
  step: Step,
  id: string,
  { names, row }: { readonly names: FlowNames | undefined; readonly row?: JsonObject },
): Promise<JsonObject> {
  const spec = normalizeWorkflow(await step.desired());
  const definition = renameFlows(objectOf(spec['definition']), (said) => {
    const target = names?.idOf(said) ?? said;
    // What does not run may wait for the other under its name.
    const runs = spec['active'] ?? row?.['status'] === 'active';
    if (titleIn(target) === undefined || runs !== true) return target;
    throw new ReconcilerError(
      `${step.change.key} runs the flow "${titleIn(target) ?? ''}", which is not there, or not once.`,
      'replan',
      {
        code: 'dependency-missing',
        remedy: 'Create that flow, or give each flow a name of its own.',
      },
    );
  });
  return flowBody({
    id,
    spec: { ...spec, title: step.change.title, definition },
    ...(step.marker === undefined ? {} : { marker: step.marker }),
    ...(row === undefined ? {} : { present: row }),
  });
}

function workOf(step: Step, id: string, body: JsonObject): Work {
  return { step, id, body, size: JSON.stringify(body).length };
}

/** The answer shows what stands there now: that is the proof, not the status of the answer. */
function confirmed({ step, id, body }: Work, row: JsonObject | undefined): Outcome {
  if (row === undefined || row['name'] === undefined || (body['name'] !== undefined && row['name'] !== body['name']))
    return failed(step, unconfirmed(step));
  if (row['description'] !== body['description']) return failed(step, unconfirmed(step));
  const sent = body['operations'] === undefined ? undefined : objectsOf(body['operations']).length;
  if (sent !== undefined && objectsOf(row['operations']).length !== sent) return failed(step, unconfirmed(step));
  return { status: 'applied', change: step.change, remote: { id, version: versionOf(row) } };
}

function idOf({ change, owner }: Step): string {
  return change.verb === 'create' ? objectId(owner, change.key) : change.remote.id;
}

function isStale({ change }: Step, row: JsonObject): boolean {
  return change.verb !== 'create' && versionOf(row) !== change.remote.version;
}
