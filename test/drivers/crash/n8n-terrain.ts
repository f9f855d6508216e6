import { setTimeout as pause } from 'node:timers/promises';
import type { JsonObject } from '../../../src/manifest/manifest.ts';
import { slug } from '../../../src/manifest/slug.ts';
import { readNote } from '../../../src/drivers/n8n/note.ts';
import { N8nClient } from '../n8n/client.ts';
import { connectN8n, flow, node, webhook } from '../n8n/harness.ts';
import { startN8n } from '../n8n/server.ts';
import { N8nStore } from '../n8n/store.ts';
import type { Dialect } from './changes.ts';
import type { Connect, Terrain } from './terrain.ts';
import { differences } from './terrain.ts';

export const n8nDialect: Dialect = {
  format: 'n8n',
  kinds: ['Application', 'Integration', 'Workflow'],
  bareApplications: true,
  // Publishing takes its time; one that runs is changed, one is left alone, and two are new.
  runs: (number) => [3, 11, 13, 14].includes(number),
  definition: (name, connection, text) =>
    flow([
      webhook(name),
      node(
        'Ask',
        'httpRequest',
        { url: 'http://127.0.0.1:9/', authentication: 'genericCredentialType', genericAuthType: 'httpHeaderAuth' },
        { typeVersion: 4.2, credentials: { httpHeaderAuth: { name: connection } } },
      ),
      node('Say', 'noOp', {}, { notes: text }),
    ]),
  integration: (port) => ({ type: 'httpHeaderAuth', settings: { name: `X-Key-${port}` }, secret: 'value' }),
  permissions: () => [],
};

export const connectToN8n: Connect = ({ url, secret }) => connectN8n(url, secret);

/** A real n8n. It makes its ids by itself, so what it held is put back below it, into its database. */
export async function startN8nTerrain(): Promise<Terrain> {
  const server = await startN8n();
  const client = new N8nClient(server.url, server.apiKey);
  const store = new N8nStore(server.folder);
  let known = new Map<string, string>();
  return {
    dialect: n8nDialect,
    url: server.url,
    reach: (url) => ({ terrain: 'n8n', url, secret: server.apiKey }),
    picture: async () => [...(await look(client, store))].map(([object, text]) => `${object} ${text}`).sort(),
    save: async () => store.save(),
    restore: async (saved) => {
      await stopAll(client);
      store.restore(saved);
      known = await look(client, store);
    },
    takeWrites: async () => {
      const now = await look(client, store);
      const writes = differences(known, now);
      known = now;
      return writes;
    },
    holdsSecrets: (object) => object.startsWith('credential/'),
    [Symbol.asyncDispose]: async () => {
      store[Symbol.dispose]();
      await server.stop();
    },
  };
}

/** What runs is known to n8n's memory, too: it has to be told. */
async function stopAll(client: N8nClient): Promise<void> {
  for (const { id, active } of await client.list('workflows'))
    if (active === true) await client.call('POST', `/workflows/${id}/deactivate`, {});
  const running = async (): Promise<boolean> =>
    (await client.list('workflows')).some(({ triggerCount }) => triggerCount !== 0 && triggerCount !== undefined);
  for (let looks = 0; looks < 100 && (await running()); looks += 1) await pause(50);
}

/** One text per object that is there, archived workflows left out; ids replaced by names, secrets included. */
async function look(client: N8nClient, store: N8nStore): Promise<Map<string, string>> {
  const objects = new Map<string, string>();
  const tell = (kind: string, { id, name }: { id: string; name: string }, text: JsonObject): void => {
    const object = `${kind}/${slug(name)}`;
    // Two objects of one name must not hide each other.
    objects.set(objects.has(object) ? `${object}#${id}` : object, JSON.stringify(sorted({ name, ...text })));
  };
  const secrets = store.secrets();
  const credentials = await client.list('credentials');
  const names = new Map(credentials.map(({ id, name }) => [id, name]));
  for (const tag of await client.list('tags')) tell('tag', tag, {});
  for (const one of credentials) tell('credential', one, { type: one['type'] ?? '', data: secrets.get(one.id) ?? '' });
  for (const one of await client.list('workflows')) {
    const { settings, active, nodes, connections, tags, isArchived } = one;
    if (isArchived === true) continue;
    const { customTelemetryTags: _note, ...rest } = settings as JsonObject;
    const marker = readNote(settings as JsonObject)?.marker;
    const told = JSON.parse(JSON.stringify(nodes), (_name, inner: unknown) =>
      typeof inner === 'string' ? (names.get(inner) ?? inner) : inner,
    ) as JsonObject[];
    tell('workflow', one, {
      nodes: told,
      connections: connections ?? {},
      settings: rest,
      active: active ?? false,
      tags: (tags as { name: string }[]).map((tag) => tag.name).toSorted(),
      owner: marker?.owner ?? '',
      key: marker?.key ?? '',
    });
  }
  return objects;
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([name, inner]) => [name, sorted(inner)] as const)
      .toSorted(([one], [other]) => (one < other ? -1 : 1)),
  );
}
