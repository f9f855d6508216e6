import { ReconcilerError } from '../../errors.ts';
import type { Step } from '../driver.ts';
import { bodyFor, bodyWithout } from './compose.ts';
import type { Wanted } from './compose.ts';
import { confirmed } from './confirm.ts';
import { notConfirmed, stale } from './errors.ts';
import { readNote } from './note.ts';
import { publish, readBack, replace, unpublish, untilLive } from './publish.ts';
import { textOf } from './shapes.ts';
import type { RawWorkflow, Written } from './shapes.ts';
import { isLive, versionOf } from './view.ts';
import { wantedOf } from './wanted.ts';
import type { Made, Writing } from './writing.ts';

/** Carries out one change of a workflow. */
export function writeWorkflow(step: Step, writing: Writing): Promise<Written> {
  const { verb } = step.change;
  if (verb === 'create') return create(step, writing);
  if (verb === 'release') return release(step, writing);
  return verb === 'delete' ? remove(step, writing) : update(step, writing);
}

/** The second write of what could not be whole at first, when everything it refers to is there. */
export async function finishWorkflow(step: Step, writing: Writing): Promise<Written> {
  const { change } = step;
  const id = 'remote' in change ? change.remote.id : writing.confirmations.idOf(step);
  const present = id === undefined ? undefined : await writing.api.get('workflows', id, writing.signal);
  if (present === undefined) throw notConfirmed(`the workflow "${change.title}" is not there`);
  writing.late.delete(step);
  const wanted = await wantedOf(step, await step.desired(), writing);
  if (writing.late.has(step)) {
    throw new ReconcilerError(`What the workflow "${change.title}" refers to could not be written.`, 'replan', {
      code: 'unresolved-reference',
      remedy: 'Mend what failed beside it; the next pass writes the references.',
    });
  }
  return bring(present, wanted, step, writing);
}

async function create(step: Step, writing: Writing): Promise<Written> {
  const { api, signal, confirmations, tags, imported } = writing;
  const there = imported.get(step) ?? (await post(step, writing));
  if (there instanceof ReconcilerError) throw there;
  const { made, spec } = there;
  await tags.attach(made, textOf(spec['application']), signal);
  if (spec['active'] === true && !writing.late.has(step)) {
    await publish(made.id, api, signal);
    return confirmed(await untilLive(made.id, api, signal), step);
  }
  confirmations.add(step, made.id);
  return { id: made.id, version: '' };
}

async function post(step: Step, writing: Writing): Promise<Made> {
  const { api, signal, catalogue } = writing;
  const wanted = await wantedOf(step, await step.desired(), writing);
  const { json } = await api.send(
    { method: 'POST', route: '/api/v1/workflows', body: bodyFor(wanted), idempotent: false },
    signal,
  );
  const told = json as unknown as RawWorkflow;
  const made = { ...told, settings: told.settings ?? null, name: told.name ?? step.change.title };
  catalogue.learn(made);
  return { made, spec: wanted.spec };
}

async function update(step: Step, writing: Writing): Promise<Written> {
  const present = await unchanged(step, writing);
  if (present === undefined) {
    throw new ReconcilerError(`The workflow "${step.change.title}" is not on n8n any more.`, 'replan', {
      code: 'not-found',
    });
  }
  return bring(present, await wantedOf(step, await step.desired(), writing), step, writing);
}

/** Makes a workflow that is there what is wanted: content, tag, and whether it runs. */
async function bring(present: RawWorkflow, wanted: Wanted, step: Step, writing: Writing): Promise<Written> {
  const { api, signal, tags, catalogue } = writing;
  const { id } = present;
  const active = wanted.spec['active'];
  if (active === false && present.active) await unpublish(id, api, signal);
  await replace(present, bodyFor(wanted, present), api, signal);
  await tags.attach(present, textOf(wanted.spec['application']), signal);
  let found = await readBack(id, api, signal);
  catalogue.learn(found);
  if (active === true && !writing.late.has(step) && (!found.active || !isLive(found))) {
    await publish(id, api, signal);
    found = await untilLive(id, api, signal);
  } else if (active !== false && present.active) found = await untilLive(id, api, signal);
  if (active === false && found.active) throw notConfirmed(`the workflow "${found.name}" is still active`);
  return confirmed(found, step);
}

async function release(step: Step, writing: Writing): Promise<Written> {
  const { api, signal } = writing;
  const { change } = step;
  const id = 'remote' in change ? change.remote.id : '';
  const present = await api.get('workflows', id, signal);
  if (present === undefined) return undefined;
  if (readNote(present.settings) === undefined || present.isArchived === true) return writtenOf(present);
  await replace(present, bodyWithout(present), api, signal);
  const found = await readBack(id, api, signal);
  if (readNote(found.settings) !== undefined) throw notConfirmed(`the workflow "${found.name}" still says whose it is`);
  return writtenOf(found);
}

/** Archived, not deleted: its executions and its history stay, and a person can bring it back (law 14). */
async function remove(step: Step, writing: Writing): Promise<Written> {
  const { api, signal } = writing;
  const present = await unchanged(step, writing);
  if (present === undefined) return undefined;
  const { id } = present;
  const route = '/api/v1/workflows/:id/archive';
  await api.send({ method: 'POST', route, params: { id }, body: {}, accept: [404], idempotent: true }, signal);
  const left = await api.get('workflows', id, signal);
  if (left !== undefined && left.isArchived !== true) throw notConfirmed(`the workflow "${left.name}" is still there`);
  return undefined;
}

/** The workflow as it was when it was looked at; undefined when it is gone or archived. @throws `stale-write`. */
async function unchanged({ change }: Step, { api, signal }: Writing): Promise<RawWorkflow | undefined> {
  if (!('remote' in change)) return undefined;
  const found = await api.get('workflows', change.remote.id, signal);
  if (found === undefined || found.isArchived === true) return undefined;
  if (versionOf(found) !== change.remote.version) throw stale(`The workflow "${found.name}"`);
  return found;
}

function writtenOf(raw: RawWorkflow): Written {
  return { id: raw.id, version: versionOf(raw) };
}
