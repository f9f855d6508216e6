import type { Outcome, Step } from '../../../src/drivers/driver.ts';
import { ReconcilerError, messageOf, retryOf } from '../../../src/errors.ts';
import type { Kind } from '../../../src/manifest/manifest.ts';
import type { MintApi } from './api.ts';
import { collectionOf, fieldsOf, markerIn, tagFor } from './normal-form.ts';
import type { Shown } from './normal-form.ts';
import { References } from './references.ts';
import { TAGGED } from './store.ts';
import type { Collection, Fields } from './store.ts';

interface Writing {
  readonly api: MintApi;
  /** Steps under way at once. */
  readonly concurrency: number;
  readonly signal: AbortSignal;
}

/** Carries out the steps of a stage a few at a time; yields each outcome when it is known. */
export async function* write(stage: readonly Step[], writing: Writing): AsyncGenerator<Outcome> {
  const references = await look(stage, writing).catch((error: unknown) => asError(error));
  const waiting = [...stage];
  const running = new Map<Step, Promise<Outcome>>();
  while (waiting.length > 0 || running.size > 0) {
    while (running.size < writing.concurrency) {
      const step = waiting.shift();
      if (step === undefined) break;
      running.set(step, one(step, references, writing));
    }
    const [step, outcome] = await Promise.race([...running].map(async ([of, work]) => [of, await work] as const));
    running.delete(step);
    yield outcome;
  }
}

/** Learns what the stage's references are called on the platform now. */
async function look(stage: readonly Step[], { api, signal }: Writing): Promise<References> {
  const references = new References();
  for (const step of stage) {
    if (hasContent(step)) await references.loadFor(step.change.kind, api, signal);
  }
  return references;
}

async function one(step: Step, references: References | ReconcilerError, writing: Writing): Promise<Outcome> {
  const { change } = step;
  if (writing.signal.aborted) return { status: 'skipped', change, because: 'the pass was stopped before it began' };
  try {
    if (references instanceof ReconcilerError) throw references;
    const shown = await perform(step, references, writing);
    if (shown === undefined) return { status: 'applied', change };
    return { status: 'applied', change, remote: { id: shown.id, version: String(shown.version) } };
  } catch (error) {
    return { status: 'failed', change, error: asError(error) };
  }
}

async function perform(step: Step, references: References, { api, signal }: Writing): Promise<Shown | undefined> {
  const { change } = step;
  const collection = collectionOf(change.kind);
  if (change.verb === 'delete') {
    await api.remove(collection, change.remote, signal);
    return undefined;
  }
  if (change.verb === 'release') return release(collection, change.remote, { api, signal });
  // Where nothing differs and there is no room for a marker, taking an object over leaves nothing to be written.
  const nothing = change.verb === 'adopt' && change.diff.length === 0 && !isTagged(change.kind);
  if (nothing) return api.get(collection, change.remote.id, signal);
  const fields = await contentOf(step, references);
  if (change.verb === 'create') return api.create(collection, fields, signal);
  return api.change(collection, change.remote, fields, signal);
}

async function release(
  collection: Collection,
  remote: { readonly id: string; readonly version: string },
  { api, signal }: Pick<Writing, 'api' | 'signal'>,
): Promise<Shown | undefined> {
  const found = await api.get(collection, remote.id, signal);
  if (found === undefined || markerIn(found.tag) === undefined) return found;
  return api.change(collection, { id: remote.id, version: String(found.version) }, { tag: null }, signal);
}

async function contentOf(step: Step, references: References): Promise<Fields> {
  const { change, marker } = step;
  const fields = fieldsOf(change.kind, await step.desired(), references.idsFor(step.owner));
  const secrets = Object.entries(await step.secrets()).map(([name, value]) => [name, value.reveal()] as const);
  return {
    ...fields,
    ...(marker !== undefined && isTagged(change.kind) ? { tag: tagFor(marker) } : {}),
    ...(secrets.length === 0 ? {} : { secrets: Object.fromEntries(secrets) }),
  };
}

function hasContent(step: Step): boolean {
  return step.change.verb !== 'delete' && step.change.verb !== 'release';
}

function isTagged(kind: Kind): boolean {
  return TAGGED.includes(collectionOf(kind));
}

function asError(error: unknown): ReconcilerError {
  return error instanceof ReconcilerError
    ? error
    : new ReconcilerError(messageOf(error), retryOf(error), { cause: error });
}
