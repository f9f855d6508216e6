import { NodeRedDriver } from '../../../src/drivers/node-red/node-red.ts';
import type { JsonObject, Key, Kind } from '../../../src/manifest/manifest.ts';
import type { DriverHarness, Hands, RunningPlatform, Sample } from '../contract-harness.ts';
import { secretValue } from '../contract-steps.ts';
import { type Entry, RawNodeRed, freshId, isApplication, isConfig, titleOf } from './raw-node-red.ts';

export const LIMITS = { concurrency: 4, requestsPerSecond: 1_000, timeout: 5_000 };

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

const tab = { id: 'tab', type: 'tab', label: 'whatever' };
const comment = (text: string): Entry => ({
  id: 'c',
  type: 'comment',
  z: 'tab',
  name: 'only',
  info: text,
  x: 100,
  y: 100,
  wires: [],
});

const SAMPLES: readonly Sample[] = [
  sample(
    'Application',
    { title: 'Orders', environment: 'production', version: '2.3.0' },
    { changed: { version: '2.4.0', owner: 'ops' } },
  ),
  sample(
    'AccessRole',
    { title: 'Operator', exclusive: false, permissions: [{ on: 'workflow', verbs: ['run', 'read'] }], native: {} },
    { changed: { permissions: [{ on: 'workflow', verbs: ['read'] }] } },
  ),
  sample(
    'Integration',
    { title: 'Way out', type: 'http proxy', settings: { url: 'http://127.0.0.1:3128', noproxy: [] } },
    {
      changed: { settings: { url: 'http://127.0.0.1:3129', noproxy: ['localhost'] } },
      secrets: { username: 'proxy-user', password: 'proxy-secret-1' },
    },
  ),
  sample(
    'Workflow',
    { title: 'Plain', definition: [tab, comment('one')] },
    { changed: { definition: [tab, comment('two')] }, open: ['/active'] },
  ),
  sample(
    'Workflow',
    {
      title: 'Fulfil',
      application: 'orders',
      version: '1.5.2',
      active: true,
      definition: [
        tab,
        { id: 'in', type: 'link in', z: 'tab', name: 'start', links: [], x: 100, y: 100, wires: [['ask']] },
        {
          id: 'ask',
          type: 'http request',
          z: 'tab',
          name: 'ask',
          proxy: '@integration/http proxy/Way out',
          x: 300,
          y: 100,
          wires: [[]],
        },
      ],
    },
    {
      changed: { definition: [tab, comment('now without')] },
      dependsOn: ['Application/orders', 'Integration/way-out'],
    },
  ),
  sample(
    'AccessGrant',
    {
      title: 'alice-operates',
      role: 'operator',
      subjects: [{ user: 'alice@example.com' }],
      scope: { platform: true },
      expiresAt: '2031-01-31T01:00:00+01:00',
    },
    {
      changed: { subjects: [{ user: 'bob' }, { user: 'alice@example.com' }], justification: 'on call' },
      dependsOn: ['AccessRole/operator'],
    },
  ),
];

function workflow(key: Key, title: string, text: string): Sample {
  return { ...sample('Workflow', { title, active: true, definition: [tab, comment(text)] }), key };
}

async function start(): Promise<RunningPlatform> {
  const server = await RawNodeRed.start();
  return {
    url: server.url,
    connect: ({ url = server.url, narrowed = false, limits = {}, onRequest = () => undefined } = {}) => {
      const token = secretValue(narrowed ? server.reader : server.token);
      const auth = { token: () => Promise.resolve(token) };
      return new NodeRedDriver({ platform: 'node-red', url, auth, limits: { ...LIMITS, ...limits }, onRequest });
    },
    clear: () => server.clear(),
    hands: handsOn(server),
    truth: async (kind) => {
      if (kind === 'AccessRole' || kind === 'AccessGrant') {
        const { entries } = await server.access();
        return entries
          .filter((entry) => entry.kind === (kind === 'AccessRole' ? 'role' : 'grant'))
          .map(({ title }) => title);
      }
      const { flows } = await server.flows();
      return flows.filter((entry) => kindOf(entry) === kind).map(titleOf);
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

function handsOn(server: RawNodeRed): Hands {
  return {
    kinds: ['Integration', 'Workflow'],
    make: async ({ kind, title, spec, secrets }) => {
      const id = freshId();
      const made: Entry[] =
        kind === 'Integration'
          ? [
              {
                ...(spec['settings'] as JsonObject),
                id,
                type: spec['type'] as string,
                name: title,
                credentials: secrets,
              },
            ]
          : (spec['definition'] as readonly Entry[]).map((entry) =>
              entry.type === 'tab'
                ? { ...entry, id, label: title, disabled: false }
                : { ...entry, id: freshId(), z: id },
            );
      await server.change((flows) => [...flows, ...made]);
      return id;
    },
    edit: async (kind, remote) => {
      const mark = `edited ${freshId()}`;
      await server.change((flows) =>
        kind === 'Workflow'
          ? [...flows, { id: freshId(), type: 'comment', z: remote, name: mark, x: 10, y: 10, wires: [] }]
          : flows.map((entry) => (entry.id === remote ? { ...entry, url: `http://${mark.replace(' ', '-')}` } : entry)),
      );
    },
    copy: async (_kind, remote) => {
      const id = freshId();
      await server.change((flows) => [
        ...flows,
        ...flows.flatMap((entry): Entry[] => {
          if (entry.id === remote) return [{ ...entry, id, label: 'A copy' }];
          return entry['z'] === remote ? [{ ...entry, id: freshId(), z: id, wires: [] }] : [];
        }),
      ]);
      return id;
    },
  };
}

function kindOf(entry: Entry): Kind | undefined {
  if (entry.type === 'tab' || entry.type === 'subflow') return isApplication(entry) ? 'Application' : 'Workflow';
  return isConfig(entry) ? 'Integration' : undefined;
}

export const nodeRedHarness: DriverHarness = {
  start,
  samples: SAMPLES,
  workflow,
  moreThanAPage: 0,
  poisoned: workflow('Workflow/bad', 'Bad', 'x'.repeat(6 * 1024 * 1024)),
  refused: sample('Workflow', {
    title: 'Unknown',
    definition: [tab, { id: 'n', type: 'no-such-node', z: 'tab', x: 1, y: 1, wires: [] }],
  }),
  emptySuccess: { code: 200, body: '{"rev":"0123456789abcdef"}' },
  shortTimeout: 1_500,
  listing: /^\/(flows|plumbline\/access)$/,
  standing: (object) => object.kind === 'AccessGrant' && object.remote.startsWith('settings.js:'),
  onlyByMarker: ['Application'],
  skip: {
    pages: 'Node-RED answers with all its flows at once',
  },
};
