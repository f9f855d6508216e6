import type { JsonObject, Key, Kind } from '../../../src/manifest/manifest.ts';
import type { DriverHarness, RunningPlatform, Sample } from '../contract-harness.ts';
import { secretValue } from '../contract-steps.ts';
import { MintDriver } from './driver.ts';
import { collectionOf, fieldsOf, normalize } from './normal-form.ts';
import { MintServer, TOKEN } from './server.ts';

const NARROW = 'narrow-token';
export const LIMITS = { concurrency: 4, requestsPerSecond: 10_000, timeout: 5_000 };
/** Circuits close again at once: tests break a lot on purpose. */
export const CIRCUIT = { firstProbeAfter: 1, lastProbeAfter: 1 };

interface Details {
  readonly changed?: JsonObject;
  readonly dependsOn?: readonly Key[];
  readonly secrets?: Readonly<Record<string, string>>;
  readonly open?: readonly string[];
}

function sample(kind: Kind, spec: JsonObject & { readonly title: string }, details: Details = {}): Sample {
  const key: Key = `${kind}/${spec.title.toLowerCase().replaceAll(' ', '-')}`;
  const { changed = {}, dependsOn = [], secrets = {}, open = [] } = details;
  return { key, kind, title: spec.title, spec, changed: { ...spec, ...changed }, dependsOn, secrets, open };
}

const SAMPLES: readonly Sample[] = [
  sample('Application', { title: 'Bare' }, { changed: { environment: 'test' } }),
  sample(
    'Application',
    { title: 'Orders', environment: 'production', version: '2.3.0' },
    { changed: { version: '2.4.0', owner: 'ops' } },
  ),
  sample(
    'AccessRole',
    { title: 'Operator', exclusive: false, permissions: [{ on: 'workflow', verbs: ['run', 'read'] }], native: {} },
    { changed: { permissions: [{ on: 'workflow', verbs: ['read'] }], native: { level: 3 } } },
  ),
  sample(
    'Integration',
    { title: 'CRM', type: 'http-header', settings: { name: 'X-Api-Key' } },
    { changed: { settings: { name: 'X-Key', retries: 2 } }, secrets: { value: 'crm-secret-1' } },
  ),
  sample('Workflow', { title: 'Plain', definition: { steps: [] } }, { changed: { version: '2' }, open: ['/active'] }),
  sample(
    'Workflow',
    {
      title: 'Fulfil',
      application: 'orders',
      version: '1.5.2',
      active: true,
      definition: {
        steps: [
          { name: 'ask', type: 'http', connection: 'CRM' },
          { name: 'tell', type: 'mail', retries: 3 },
        ],
      },
    },
    {
      changed: { definition: { steps: [{ name: 'ask', type: 'http', text: 'now without' }] } },
      dependsOn: ['Application/orders', 'Integration/crm'],
    },
  ),
  sample(
    'AccessGrant',
    {
      title: 'alice-operates',
      role: 'operator',
      subjects: [{ user: 'Alice@example.com' }, { user: 'a' }],
      scope: { workflow: 'fulfil' },
      expiresAt: '2031-01-31T01:00:00+01:00',
    },
    {
      changed: { subjects: [{ user: 'bob' }], scope: { platform: true }, justification: 'on call' },
      dependsOn: ['AccessRole/operator', 'Workflow/fulfil'],
    },
  ),
];

function workflow(key: Key, title: string, text: string): Sample {
  const spec = { title, active: false, definition: { steps: [{ name: 'only', type: 'text', text }] } };
  return { ...sample('Workflow', spec), key };
}

async function start(): Promise<RunningPlatform> {
  const accounts = {
    [TOKEN]: { name: 'plumbline' },
    [NARROW]: { name: 'newcomer', ownOnly: true, hidden: ['roles'] as const },
  };
  const mint = await MintServer.start({ pageSize: 5, accounts });
  const { store } = mint;
  const empty = store.snapshot();
  return {
    url: mint.url,
    connect: ({ url = mint.url, narrowed = false, limits = {}, onRequest = () => undefined } = {}) => {
      const token = secretValue(narrowed ? NARROW : TOKEN);
      const auth = { token: () => Promise.resolve(token) };
      return new MintDriver({ platform: 'mint', url, auth, limits: { ...LIMITS, ...limits }, onRequest }, CIRCUIT);
    },
    clear: async () => {
      mint.rules.clear();
      mint.poison.clear();
      mint.forget();
      store.restore(empty);
    },
    hands: {
      kinds: ['Application', 'AccessRole', 'Integration', 'Workflow'],
      make: async (made) => {
        const fields = fieldsOf(made.kind, normalize(made.kind, made.spec), { idOf: () => '' });
        return store.create(collectionOf(made.kind), { ...fields, secrets: made.secrets }, 'maker').id;
      },
      edit: async (kind, remote) => {
        const found = store.get(collectionOf(kind), remote);
        const body =
          kind === 'Workflow'
            ? { enabled: found.body['enabled'] !== true }
            : kind === 'Integration'
              ? { settings: { edited: found.version } }
              : kind === 'AccessRole'
                ? { native: { edited: found.version } }
                : { owner: `edited ${found.version}` };
        store.change(found, { body }, { by: 'maker' });
      },
      copy: async (kind, remote) => store.copy(store.get(collectionOf(kind), remote), 'maker').id,
    },
    truth: async (kind) =>
      kind === 'Webhook' || kind === 'ServiceLevel' ? [] : store.list(collectionOf(kind)).map(({ title }) => title),
    [Symbol.asyncDispose]: () => mint[Symbol.asyncDispose](),
    poison: (title: string) => mint.poison.add(title),
  } as MintPlatform;
}

interface MintPlatform extends RunningPlatform {
  poison(title: string): void;
}

export const mintHarness: DriverHarness = {
  start,
  samples: SAMPLES,
  workflow,
  moreThanAPage: 17,
  poison: (platform, poisoned) => (platform as MintPlatform).poison(poisoned.title),
  refused: {
    ...sample('Workflow', {
      title: 'Dangling',
      definition: { steps: [{ name: 'ask', type: 'http', connection: 'Nobody' }] },
    }),
  },
  emptySuccess: { code: 200, body: JSON.stringify({ id: 'ghost', version: 1 }) },
  shortTimeout: 250,
  listing: /^\/api\/(applications|roles|connections|workflows|grants)$/,
  skip: {
    events: 'Mint tells nobody when something changes',
    'client-ids': 'Mint mints its ids',
  },
};
