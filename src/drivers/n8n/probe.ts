import { z } from 'zod';
import { ReconcilerError } from '../../errors.ts';
import type { Facts } from '../driver.ts';
import type { N8nApi } from './api.ts';
import { narrowed } from './capabilities.ts';
import { PACKAGE_IMPORT } from './packages.ts';

const Discovered = z.object({ data: z.object({ scopes: z.array(z.string()) }) });
const Users = z.object({
  data: z.array(z.object({ id: z.string(), email: z.string().optional(), role: z.string().optional() })),
});

/**
 * What n8n says of itself: version, the owner's id (made when the instance was set up, and the only thing by which one instance is
 * told from another through the API), and what the key may do.
 */
export async function probe(api: N8nApi, signal: AbortSignal): Promise<Facts> {
  const [{ json }, version] = await Promise.all([
    api.send({ method: 'GET', route: '/api/v1/discover' }, signal),
    versionOf(api, signal),
  ]);
  const discovered = Discovered.safeParse(json);
  if (!discovered.success) {
    throw new ReconcilerError("n8n's /api/v1/discover does not name the scopes of the API key.", 'never', {
      code: 'unsupported-version',
      remedy: 'n8n 2 is needed; check the version of the platform.',
    });
  }
  const rights = discovered.data.data.scopes.toSorted();
  const instance = rights.includes('user:list') ? await ownerOf(api, signal) : undefined;
  return {
    version,
    ...(instance === undefined ? {} : { instance }),
    rights,
    licence: 'community',
    capabilities: narrowed(rights),
    notes: [
      'An Application is a tag on n8n: a title of at most 24 characters; one with an environment, a version or an owner is refused.',
      'A workflow that leaves git is unpublished and archived, never deleted; its executions stay.',
      ...(api.mayUse(PACKAGE_IMPORT) && !rights.includes('workflow:import')
        ? ['The API key lacks "workflow:import": new workflows are created one by one, although packages may be used.']
        : []),
      ...(instance === undefined
        ? ['The API key lacks "user:list": whether another instance stands behind the URL cannot be told.']
        : []),
    ],
  };
}

async function ownerOf(api: N8nApi, signal: AbortSignal): Promise<string | undefined> {
  const query = { limit: '250', includeRole: 'true' };
  const { json } = await api.send({ method: 'GET', route: '/api/v1/users', query }, signal);
  const users = Users.safeParse(json);
  return users.success ? users.data.data.find(({ role }) => role === 'global:owner')?.id : undefined;
}

/** The API does not tell its version; the editor's page does, in what it hands to its error reporter. */
async function versionOf(api: N8nApi, signal: AbortSignal): Promise<string> {
  const { text } = await api.open({ method: 'GET', route: '/', accept: [200, 401, 403, 404] }, signal);
  const encoded = /name="n8n:config:sentry" content="([A-Za-z0-9+/=]+)"/.exec(text)?.[1];
  const said = encoded === undefined ? text : Buffer.from(encoded, 'base64').toString('utf8');
  return /n8n@(\d+\.\d+\.\d+[\w.-]*)/.exec(said)?.[1] ?? '2 (n8n does not tell which)';
}
