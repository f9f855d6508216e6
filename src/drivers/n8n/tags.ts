import type { Step } from '../driver.ts';
import type { N8nApi } from './api.ts';
import { notConfirmed, stale } from './errors.ts';
import { textOf } from './shapes.ts';
import type { RawTag, Written } from './shapes.ts';
import type { Writing } from './writing.ts';

/** Carries out one change of an Application: a tag. */
export async function writeTag(step: Step, { api, signal }: Writing): Promise<Written> {
  const { change } = step;
  if (change.verb === 'create') {
    const name = textOf((await step.desired())['title']) ?? '';
    const { json } = await api.send(
      { method: 'POST', route: '/api/v1/tags', body: { name }, idempotent: false },
      signal,
    );
    return confirmedTag((json as unknown as RawTag).id, name, { api, signal });
  }
  const { id, version } = change.remote;
  const present = await api.get('tags', id, signal);
  // A tag has no room for a marker: there is nothing to take.
  if (change.verb === 'release') return present === undefined ? undefined : { id, version: present.name };
  if (change.verb === 'delete') {
    if (present === undefined) return undefined;
    if (present.name !== version) throw stale(`The tag "${present.name}"`);
    await api.send({ method: 'DELETE', route: '/api/v1/tags/:id', params: { id }, accept: [404] }, signal);
    if ((await api.get('tags', id, signal)) !== undefined)
      throw notConfirmed(`the tag "${present.name}" is still there`);
    return undefined;
  }
  if (present?.name !== version) throw stale(`The tag "${present?.name ?? id}"`);
  const name = textOf((await step.desired())['title']) ?? '';
  if (name !== present.name)
    await api.send({ method: 'PUT', route: '/api/v1/tags/:id', params: { id }, body: { name } }, signal);
  return confirmedTag(id, name, { api, signal });
}

async function confirmedTag(
  id: string,
  name: string,
  { api, signal }: { readonly api: N8nApi; readonly signal: AbortSignal },
): Promise<Written> {
  const found = await api.get('tags', id, signal);
  if (found?.name !== name) throw notConfirmed(`there is no tag "${name}"`);
  return { id, version: name };
}
