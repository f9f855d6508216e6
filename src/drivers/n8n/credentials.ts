import { ReconcilerError } from '../../errors.ts';
import type { JsonObject } from '../../manifest/manifest.ts';
import type { Step } from '../driver.ts';
import { notConfirmed, stale, unread } from './errors.ts';
import { objectOf, textOf } from './shapes.ts';
import type { RawCredential, Written } from './shapes.ts';
import { credentialVersion } from './view.ts';
import type { Writing } from './writing.ts';

interface Content {
  readonly title: string;
  readonly type: string;
  /** Settings and those secrets that have to be written. */
  readonly data: JsonObject;
  readonly sensitive: readonly string[];
}

/** Carries out one change of an Integration: a credential, whose data n8n takes and never shows. */
export async function writeCredential(step: Step, writing: Writing): Promise<Written> {
  const { change } = step;
  if (change.verb === 'create') return create(step, writing);
  const present = await writing.api.get('credentials', change.remote.id, writing.signal);
  // A credential has no room for a marker: there is nothing to take.
  if (change.verb === 'release') return present === undefined ? undefined : writtenOf(present);
  if (change.verb === 'delete' && present === undefined) return undefined;
  if (present === undefined || credentialVersion(present) !== change.remote.version)
    throw stale(`The credential "${change.title}"`);
  return change.verb === 'delete' ? remove(present, writing) : update(step, present, writing);
}

async function create(step: Step, { api, signal }: Writing): Promise<Written> {
  const { title, type, data, sensitive } = await contentOf(step);
  const { json } = await api.send(
    { method: 'POST', route: '/api/v1/credentials', body: { name: title, type, data }, idempotent: false, sensitive },
    signal,
  );
  const { id } = json as unknown as RawCredential;
  const found = await api.get('credentials', id, signal).catch((error: unknown) => {
    throw unread(`The credential "${title}"`, error);
  });
  if (found?.name !== title || found.type !== type) throw notConfirmed(`there is no credential "${title}"`);
  return writtenOf(found);
}

/** What is not sent stays: secrets that need no writing are kept by n8n. */
async function update(step: Step, present: RawCredential, { api, signal }: Writing): Promise<Written> {
  const { title, type, data, sensitive } = await contentOf(step);
  if (type !== present.type) {
    throw new ReconcilerError(`The credential "${title}" is of type ${present.type}, not ${type}.`, 'never', {
      code: 'type-changed',
      remedy: 'n8n keeps the type of a credential: give the new one another name.',
    });
  }
  const renamed = title !== present.name;
  const filled = Object.keys(data).length > 0;
  if (!renamed && !filled) return writtenOf(present);
  const body = { ...(renamed ? { name: title } : {}), ...(filled ? { data, isPartialData: true } : {}) };
  const { id } = present;
  const route = '/api/v1/credentials/:id';
  await api.send({ method: 'PATCH', route, params: { id }, body, idempotent: true, sensitive }, signal);
  const found = await api.get('credentials', id, signal);
  // Every write changes the time that n8n shows, and there is nothing else to see of it.
  if (found === undefined || found.name !== title || found.updatedAt === present.updatedAt)
    throw notConfirmed(`the credential "${title}" is as it was`);
  return writtenOf(found);
}

async function remove({ id, name }: RawCredential, { api, signal }: Writing): Promise<Written> {
  await api.send({ method: 'DELETE', route: '/api/v1/credentials/:id', params: { id }, accept: [404] }, signal);
  if ((await api.get('credentials', id, signal)) !== undefined)
    throw notConfirmed(`the credential "${name}" is still there`);
  return undefined;
}

async function contentOf(step: Step): Promise<Content> {
  const spec = await step.desired();
  const secrets = Object.entries(await step.secrets()).map(([name, value]) => [name, value.reveal()] as const);
  return {
    title: textOf(spec['title']) ?? '',
    type: textOf(spec['type']) ?? '',
    data: { ...objectOf(spec['settings']), ...Object.fromEntries(secrets) },
    sensitive: secrets.map(([, text]) => text),
  };
}

function writtenOf(raw: RawCredential): Written {
  return { id: raw.id, version: credentialVersion(raw) };
}
