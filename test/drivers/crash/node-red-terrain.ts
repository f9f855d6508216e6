import { NodeRedDriver } from '../../../src/drivers/node-red/node-red.ts';
import type { JsonObject } from '../../../src/manifest/manifest.ts';
import { secretValue } from '../contract-steps.ts';
import { LIMITS } from '../node-red/contract-harness.ts';
import { RawNodeRed, titleOf } from '../node-red/raw-node-red.ts';
import type { AccessItem, Entry } from '../node-red/raw-node-red.ts';
import type { Dialect } from './changes.ts';
import { differences } from './terrain.ts';
import type { Connect, Terrain } from './terrain.ts';

const PROXY = 'http proxy';

export const nodeRedDialect: Dialect = {
  format: 'node-red',
  definition: (name, connection, text) => [
    { id: 'tab', type: 'tab', label: name },
    { id: 'in', type: 'link in', z: 'tab', name, links: [], x: 100, y: 100, wires: [['ask']] },
    {
      id: 'ask',
      type: 'http request',
      z: 'tab',
      name: text,
      proxy: `@integration/${PROXY}/${connection}`,
      x: 300,
      y: 100,
      wires: [[]],
    },
  ],
  integration: (port) => ({
    type: PROXY,
    settings: { url: `http://127.0.0.1:${port}`, noproxy: [] },
    secret: 'password',
  }),
  permissions: (wide) => [{ on: 'workflow', verbs: wide ? ['read', 'update'] : ['read'] }],
};

export const connectNodeRed: Connect = ({ url, secret }) => {
  const token = secretValue(secret);
  const auth = { token: () => Promise.resolve(token) };
  return new NodeRedDriver({ platform: 'main', url, auth, limits: LIMITS, onRequest: () => undefined });
};

interface Saved {
  readonly flows: readonly Entry[];
  readonly credentials: Readonly<Record<string, JsonObject>>;
  readonly access: readonly AccessItem[];
}

/** A real Node-RED. It takes whole sets, so what was written is told from what stood there before and after. */
export async function startNodeRed(): Promise<Terrain> {
  const server = await RawNodeRed.start();
  let known = new Map<string, string>();
  const look = async (): Promise<Map<string, string>> => objectsOf(await save(server));
  return {
    dialect: nodeRedDialect,
    url: server.url,
    reach: (url) => ({ terrain: 'node-red', url, secret: server.token }),
    picture: async () => [...(await look())].map(([object, text]) => `${object} ${text}`).sort(),
    save: async () => JSON.stringify(await save(server)),
    restore: async (text) => {
      const { flows, credentials, access } = JSON.parse(text) as Saved;
      await server.deploy(
        flows.map((entry) =>
          credentials[entry.id] === undefined ? entry : { ...entry, credentials: credentials[entry.id] ?? {} },
        ),
        'full',
      );
      await server.setAccess(access.map(writable));
      known = await look();
    },
    takeWrites: async () => {
      const now = await look();
      const writes = differences(known, now);
      known = now;
      return writes;
    },
    holdsSecrets: () => false,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

async function save(server: RawNodeRed): Promise<Saved> {
  const [{ flows }, { entries }] = [await server.flows(), await server.access()];
  return { flows, credentials: server.credentials(), access: entries };
}

/** One text per object: its entries with their credentials, or its role or grant. */
function objectsOf({ flows, credentials, access }: Saved): Map<string, string> {
  const objects = new Map<string, string>();
  for (const root of flows.filter((entry) => entry['z'] === undefined)) {
    const parts = [root, ...flows.filter((entry) => entry['z'] === root.id)];
    const title = titleOf(root);
    const name = `${root.type.replace(' ', '-')}/${title.replaceAll(' ', '-')}`;
    const text = parts.map((part) => stable({ ...part, credentials: credentials[part.id] ?? {} })).sort();
    // Two objects of one name must not hide each other.
    objects.set(objects.has(name) ? `${name}#${root.id}` : name, text.join(' '));
  }
  for (const { id, kind, title, value, marker } of access) {
    objects.set(`${kind}/${title.replaceAll(' ', '-')}`, stable({ id, value: value ?? null, marker: marker ?? null }));
  }
  return objects;
}

/** An entry as it is written back: without what the add-on adds. */
function writable(item: AccessItem): JsonObject {
  const { revision: _r, createdAt: _c, changedAt: _a, changedBy: _b, passwords: _p, ...rest } = item;
  return rest;
}

function stable(value: JsonObject): string {
  return JSON.stringify(value, (_name, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
