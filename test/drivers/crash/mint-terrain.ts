import type { JsonValue } from '../../../src/manifest/manifest.ts';
import { secretValue } from '../contract-steps.ts';
import { MintDriver } from '../mint/driver.ts';
import { CIRCUIT, LIMITS } from '../mint/harness.ts';
import { markerIn } from '../mint/normal-form.ts';
import { MintServer, TOKEN } from '../mint/server.ts';
import { COLLECTIONS } from '../mint/store.ts';
import type { MintStore } from '../mint/store.ts';
import type { Dialect } from './changes.ts';
import type { Connect, Terrain } from './terrain.ts';

export const mintDialect: Dialect = {
  format: 'mint',
  definition: (name, connection, text) => ({
    steps: [
      { name, type: 'http', connection },
      { name: 'tell', type: 'mail', text },
    ],
  }),
  integration: (port) => ({ type: 'http-header', settings: { port }, secret: 'value' }),
  permissions: (wide) => [{ on: 'workflow', verbs: wide ? ['read', 'run'] : ['read'] }],
};

export const connectMint: Connect = ({ url, secret }) => {
  const token = secretValue(secret);
  const auth = { token: () => Promise.resolve(token) };
  return new MintDriver({ platform: 'main', url, auth, limits: LIMITS, onRequest: () => undefined }, CIRCUIT);
};

export async function startMint(): Promise<Terrain & { readonly mint: MintServer }> {
  const mint = await MintServer.start({ pageSize: 20 });
  return {
    mint,
    dialect: mintDialect,
    url: mint.url,
    reach: (url) => ({ terrain: 'mint', url, secret: TOKEN }),
    picture: async () => pictureOf(mint.store),
    save: async () => mint.store.snapshot(),
    restore: async (saved) => mint.store.restore(saved),
    takeWrites: async () => {
      const writes = mint.effects.map(({ effect, path, title }) => ({
        what: effect ?? 'change',
        object: `${path.split('/')[2] ?? ''}/${title ?? ''}`,
      }));
      mint.forget();
      return writes;
    },
    holdsSecrets: (object) => object.startsWith('connections/'),
    [Symbol.asyncDispose]: () => mint[Symbol.asyncDispose](),
  };
}

/** Everything that Mint holds, one line per object, with titles for ids and without times. */
export function pictureOf(store: MintStore): readonly string[] {
  const titles = new Map(COLLECTIONS.flatMap((name) => store.list(name).map(({ id, title }) => [id, title] as const)));
  const told = (value: JsonValue): JsonValue =>
    JSON.parse(JSON.stringify(value), (_name, inner: JsonValue) =>
      typeof inner === 'string' ? (titles.get(inner) ?? inner) : inner,
    ) as JsonValue;
  return COLLECTIONS.flatMap((name) =>
    store.list(name).map(({ title, body, tag, secrets }) => {
      const marker = markerIn(tag);
      return `${name}/${title} ${JSON.stringify([told(sorted(body)), marker?.owner, marker?.key, secrets])}`;
    }),
  ).sort();
}

function sorted(value: JsonValue): JsonValue {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
