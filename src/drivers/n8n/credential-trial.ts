import type { Trial } from '../driver.ts';
import type { N8nApi } from './api.ts';
import { objectOf, textOf } from './shapes.ts';

/** What n8n says of a type that it has no way to try. */
const NO_WAY = /^No testing function found/;

/**
 * Has n8n try a credential against the service it is for, as its editor does when one is saved.
 * @returns undefined where n8n knows no way to try that type, or the credential is gone.
 */
export async function tryCredential(id: string, api: N8nApi, signal: AbortSignal): Promise<Trial | undefined> {
  const route = '/api/v1/credentials/:id/test';
  const answer = await api.send(
    { method: 'POST', route, params: { id }, body: {}, accept: [404], idempotent: true },
    signal,
  );
  const { status, message } = objectOf(answer.json);
  const said = textOf(message) ?? '';
  if (answer.status === 404 || NO_WAY.test(said)) return undefined;
  return { works: status === 'OK', message: said };
}
