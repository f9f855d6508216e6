import { readNote } from '../../../src/drivers/directus/note.ts';
import { DirectusDriver } from '../../../src/drivers/directus/directus.ts';
import { textOf, wordOf } from '../../../src/drivers/directus/json.ts';
import type { JsonObject } from '../../../src/manifest/manifest.ts';
import { VERSIONS } from '../../platforms/versions.ts';
import { secretValue } from '../contract-steps.ts';
import { logs } from '../directus/contract-samples.ts';
import { RawDirectus, type Row } from '../directus/raw-directus.ts';
import { ADMIN_TOKEN } from '../directus/server.ts';
import type { Dialect } from './changes.ts';
import { differences } from './terrain.ts';
import type { Connect, Terrain } from './terrain.ts';

const LIMITS = { concurrency: 4, requestsPerSecond: 1_000, timeout: 30_000 };
/** Users that grants of the revisions may name. */
const NUMBERS = Array.from({ length: 13 }, (_, index) => index + 1);
/** Tables with what a pass writes, each after those it refers to, and the columns that are put back. */
const TABLES = {
  folders: 'id,name,parent,type',
  policies: 'id,name,icon,description,ip_access,enforce_tfa,admin_access,app_access',
  access: 'id,policy,role,user',
  flows: 'id,name,icon,color,description,status,trigger,accountability,options,operation,folder',
} as const;

const directusDialect: Dialect = {
  format: 'directus',
  kinds: ['Application', 'AccessRole', 'Workflow', 'AccessGrant'],
  bareApplications: true,
  // The free licence lets five flows be active.
  runs: (number) => [3, 11, 13, 14].includes(number),
  definition: (name, _connection, text) => ({
    trigger: 'webhook',
    operation: 'ask',
    operations: [logs('ask', name, { resolve: 'tell' }), logs('tell', text)],
  }),
  integration: () => ({ type: '', settings: {}, secret: '' }),
  permissions: (wide) => [{ on: 'data', collection: 'directus_files', verbs: wide ? ['read', 'update'] : ['read'] }],
};

export const connectToDirectus: Connect = ({ url, secret }) => {
  const token = secretValue(secret);
  const auth = { token: () => Promise.resolve(token) };
  return new DirectusDriver({ platform: 'main', url, auth, limits: LIMITS, onRequest: () => undefined });
};

/** A real Directus 12, which has all that the driver can hold. What it held is put back by its API, ids and all. */
export async function startDirectusTerrain(): Promise<Terrain> {
  const raw = await RawDirectus.start(VERSIONS.directus);
  for (const number of NUMBERS)
    for (const email of [`user-${number}@example.com`, `second-${number}@example.com`]) {
      const { id } = (await raw.ask('POST', '/users', { email })) as Row;
      raw.standing.add(`users/${id}`);
    }
  let known = new Map<string, string>();
  return {
    dialect: directusDialect,
    url: raw.url,
    reach: (url) => ({ terrain: 'directus', url, secret: ADMIN_TOKEN }),
    picture: async () => [...(await look(raw))].map(([object, text]) => `${object} ${text}`).sort(),
    save: async () => JSON.stringify(await save(raw)),
    restore: async (saved) => {
      await raw.clear();
      await restore(raw, JSON.parse(saved) as Saved);
      known = await look(raw);
    },
    takeWrites: async () => {
      const now = await look(raw);
      const writes = differences(known, now);
      known = now;
      return writes;
    },
    holdsSecrets: () => false,
    [Symbol.asyncDispose]: () => raw[Symbol.asyncDispose](),
  };
}

type Saved = Readonly<Record<keyof typeof TABLES | 'operations' | 'permissions', readonly Row[]>>;

async function save(raw: RawDirectus): Promise<Saved> {
  const made = async (table: keyof typeof TABLES): Promise<readonly Row[]> =>
    (await raw.rows(table, `fields=${TABLES[table]}`)).filter(({ id }) => !raw.standing.has(`${table}/${id}`));
  const [folders, policies, access, flows] = [
    await made('folders'),
    await made('policies'),
    await made('access'),
    await made('flows'),
  ];
  const operations = await raw.rows('operations');
  const ids = new Set(policies.map(({ id }) => id));
  const rules = (await raw.rows('permissions')).filter(({ policy }) => ids.has(wordOf(policy)));
  return { folders, policies, access, flows, operations, permissions: rules };
}

async function restore(raw: RawDirectus, saved: Saved): Promise<void> {
  const post = async (table: string, rows: readonly JsonObject[]): Promise<void> => {
    if (rows.length > 0) await raw.ask('POST', `/${table}`, rows);
  };
  await post('folders', saved.folders);
  await post('policies', saved.policies);
  await post(
    'permissions',
    saved.permissions.map(({ id: _id, system: _system, ...rule }) => rule),
  );
  await post('access', saved.access);
  await post(
    'flows',
    saved.flows.map((flow) => ({ ...flow, operations: inOrder(flow, saved.operations) })),
  );
}

/** Operations of a flow, each after those it leads to. */
function inOrder(flow: Row, all: readonly Row[]): readonly JsonObject[] {
  const own = all.filter((operation) => operation['flow'] === flow.id);
  const chain: JsonObject[] = [];
  for (let next = textOf(flow['operation']); next !== undefined;) {
    const operation: Row | undefined = own.find(({ id }) => id === next);
    if (operation === undefined) break;
    const { flow: _flow, date_created: _d, user_created: _u, ...columns } = operation;
    chain.unshift(columns);
    next = textOf(operation['resolve']);
  }
  return chain;
}

/** One text per object, ids replaced by names. A grant is what the note of its role says, and who has the role by it. */
async function look(raw: RawDirectus): Promise<Map<string, string>> {
  const { folders, policies, access, flows, operations, permissions } = await save(raw);
  const users = new Map((await raw.rows('users', 'fields=id,email')).map(({ id, email }) => [id, wordOf(email)]));
  const names = new Map([...folders, ...policies].map(({ id, name }) => [id, wordOf(name)]));
  const objects = new Map<string, string>();
  const tell = (kind: string, name: string, value: JsonObject): void => {
    const object = `${kind}/${name.replaceAll(' ', '-')}`;
    // Two objects of one name must not hide each other.
    objects.set(objects.has(object) ? `${object}#${objects.size}` : object, JSON.stringify(value));
  };
  for (const { name } of folders) tell('folder', wordOf(name), {});
  for (const flow of flows) {
    const { note } = readNote(wordOf(flow['description']));
    const steps = inOrder(flow, operations).map(({ key, type, options }) => [key ?? '', type ?? '', options ?? {}]);
    const folder = names.get(wordOf(flow['folder'])) ?? '';
    tell('flow', wordOf(flow['name']), {
      ...marked(note.marker),
      status: flow['status'] ?? '',
      trigger: flow['trigger'] ?? '',
      folder,
      steps,
    });
  }
  for (const policy of policies) {
    const { note } = readNote(wordOf(policy['description']));
    const rules = permissions.filter((rule) => rule['policy'] === policy.id);
    const granted = rules.map((rule) => `${wordOf(rule['collection'])} ${wordOf(rule['action'])}`).toSorted();
    tell('policy', wordOf(policy['name']), { ...marked(note.marker), granted });
    for (const grant of Object.values(note.grants)) {
      const held = access.filter(({ policy: of, user }) => of === policy.id && grant.users.includes(wordOf(user)));
      const who = held.map(({ user }) => users.get(wordOf(user)) ?? '').toSorted();
      tell('grant', grant.title, { ...marked(grant.marker), on: wordOf(policy['name']), who });
    }
  }
  return objects;
}

function marked(marker: { readonly owner: string; readonly key: string } | undefined): JsonObject {
  return { owner: marker?.owner ?? '', key: marker?.key ?? '' };
}
