import { randomUUID } from 'node:crypto';
import { DirectusDriver } from '../../../src/drivers/directus/directus.ts';
import { wordOf } from '../../../src/drivers/directus/json.ts';
import type { JsonObject, Kind } from '../../../src/manifest/manifest.ts';
import type { DriverHarness, Hands, RunningPlatform } from '../contract-harness.ts';
import { secretValue } from '../contract-steps.ts';
import { CIRCLE, POISONED, samplesFor, workflow } from './contract-samples.ts';
import { RawDirectus, READER_TOKEN, type Row } from './raw-directus.ts';
import { VERSIONS } from '../../platforms/versions.ts';
import { ADMIN_TOKEN, type DirectusVersion } from './server.ts';

const LIMITS = { concurrency: 4, requestsPerSecond: 1_000, timeout: 30_000 };
/** Items that the server gives at once, so that listings have pages. */
const PAGE = 50;

async function start(version: DirectusVersion): Promise<RunningPlatform> {
  const raw = await RawDirectus.start(version, { QUERY_LIMIT_MAX: String(PAGE) });
  for (const { id } of await raw.rows('policies')) STANDING.add(id);
  for (const { id } of await raw.rows('roles')) STANDING.add(id);
  for (const { id } of await raw.rows('access')) STANDING.add(id);
  return {
    url: raw.url,
    connect: ({ url = raw.url, narrowed = false, limits = {}, onRequest = () => undefined } = {}) => {
      const token = secretValue(narrowed ? READER_TOKEN : ADMIN_TOKEN);
      const auth = { token: () => Promise.resolve(token) };
      return new DirectusDriver({ platform: 'directus', url, auth, limits: { ...LIMITS, ...limits }, onRequest });
    },
    clear: () => raw.clear(),
    hands: handsOn(raw),
    truth: (kind) => truth(raw, kind),
    [Symbol.asyncDispose]: () => raw[Symbol.asyncDispose](),
  };
}

/** Ids of what every Directus has from its beginning, and what the tests need there. */
const STANDING = new Set<string>();

async function truth(raw: RawDirectus, kind: Kind): Promise<readonly string[]> {
  const names = (rows: readonly Row[]): string[] => rows.map(({ name }) => wordOf(name));
  if (kind === 'Workflow') return names(await raw.rows('flows'));
  if (kind === 'Application') return names(await raw.made('folders'));
  const [roles, policies] = [await raw.made('roles'), await raw.made('policies')];
  if (kind === 'AccessRole') {
    const ids = new Set(roles.map(({ id }) => id));
    return [...names(roles), ...names(policies.filter(({ id }) => !ids.has(id)))];
  }
  if (kind !== 'AccessGrant') return [];
  return [...roles, ...policies].flatMap(({ description }) => {
    const note = /<!-- plumbline (\{.*\}) -->/s.exec(wordOf(description))?.[1] ?? '{}';
    const { grants = {} } = JSON.parse(note) as { grants?: Record<string, { title: string }> };
    return Object.values(grants).map(({ title }) => title);
  });
}

function handsOn(raw: RawDirectus): Hands {
  return {
    kinds: ['Workflow', 'AccessRole'],
    make: async ({ kind, title, spec }) => {
      const id = randomUUID();
      if (kind === 'AccessRole') {
        await raw.ask('POST', '/policies', { id, name: title, description: 'by hand' });
        return id;
      }
      const { operations, ...rest } = spec['definition'] as { operations: readonly JsonObject[] } & JsonObject;
      const ids = new Map(operations.map(({ key }) => [key, randomUUID()]));
      const rows = operations.map((operation) => ({
        position_x: 1,
        position_y: 1,
        ...operation,
        id: ids.get(operation['key']),
        resolve: null,
        reject: null,
      }));
      const root = ids.get(rest['operation']);
      await raw.ask('POST', '/flows', { ...rest, id, name: title, operation: root, operations: rows });
      for (const { key, resolve, reject } of operations) {
        const links = { resolve: ids.get(resolve) ?? null, reject: ids.get(reject) ?? null };
        await raw.ask('PATCH', `/operations/${ids.get(key) ?? ''}`, links);
      }
      return id;
    },
    edit: async (kind, remote) => {
      if (kind === 'AccessRole') {
        await raw.ask('PATCH', `/policies/${remote}`, { icon: `edited${Math.trunc(Math.random() * 1e9)}` });
        return;
      }
      const flow = { flow: remote, key: `edited_${randomUUID()}`, type: 'log', position_x: 9, position_y: 9 };
      await raw.ask('POST', '/operations', flow);
    },
    copy: async (_kind, remote) => {
      const id = randomUUID();
      const {
        date_created: _d,
        user_created: _u,
        operations,
        ...flow
      } = await raw.row('flows', remote, 'fields=*,operations.*');
      const ids = new Map((operations as Row[]).map((operation) => [operation.id, randomUUID()]));
      const copies = (operations as (Row & { resolve: string; reject: string })[]).map((operation) => ({
        ...operation,
        id: ids.get(operation.id),
        flow: id,
        resolve: null,
        reject: null,
      }));
      const root = ids.get(wordOf(flow['operation'])) ?? null;
      await raw.ask('POST', '/flows', { ...flow, id, name: 'A copy', operation: root, operations: copies });
      return id;
    },
  };
}

/** The contract on a real Directus of this version. */
export function directusHarness(version: DirectusVersion): DriverHarness {
  const licence = version === VERSIONS.directus ? 'core' : 'none';
  return {
    start: () => start(version),
    samples: samplesFor(licence),
    // The free licence lets five flows be active.
    workflow: (key, title, text) => workflow(key, title, text, licence === 'none'),
    moreThanAPage: PAGE + 7,
    poisoned: POISONED,
    refused: CIRCLE,
    emptySuccess: { code: 200, body: '{"data":[]}' },
    patience: 600_000,
    shortTimeout: 4_000,
    listing: /^\/(flows|folders|policies|roles|permissions|access|users)$/,
    standing: ({ remote }) => STANDING.has(remote),
    skip: {},
  };
}
