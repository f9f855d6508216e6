import type { JsonObject, Key, Kind } from '../../../src/manifest/manifest.ts';
import type { Sample } from '../contract-harness.ts';

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

export const logs = (key: string, message: string, links: JsonObject = {}): JsonObject => ({
  key,
  type: 'log',
  options: { message },
  ...links,
});

const POLICY = sample(
  'AccessRole',
  {
    title: 'Operator',
    permissions: [
      { on: 'workflow', verbs: ['read'] },
      {
        on: 'data',
        collection: 'directus_files',
        verbs: ['update', 'read'],
        fields: ['title', 'id'],
        where: { title: { _nnull: true } },
      },
    ],
    native: {
      app_access: true,
      description: 'Runs the shop',
      permissions: [{ collection: 'directus_files', action: 'create', presets: { title: 'new' } }],
    },
  },
  {
    changed: { permissions: [{ on: 'data', collection: 'directus_files', verbs: ['read'] }], native: { icon: 'key' } },
  },
);

/** What the free licence of Directus 12 includes of it. */
const PLAIN_POLICY: Sample = {
  ...POLICY,
  spec: {
    ...POLICY.spec,
    permissions: [{ on: 'workflow', verbs: ['read'] }],
    native: { description: 'Runs the shop' },
  },
};

const ROLE = sample(
  'AccessRole',
  {
    title: 'Crew',
    exclusive: true,
    permissions: [{ on: 'data', collection: 'directus_folders', verbs: ['read'] }],
    native: { role: {} },
  },
  { changed: { permissions: [], exclusive: false, native: { role: {}, icon: 'group' } } },
);

const GRANTS: readonly Sample[] = [
  sample(
    'AccessGrant',
    { title: 'bob-in-crew', role: 'crew', subjects: [{ user: 'bob@example.com' }] },
    {
      changed: { subjects: [{ user: 'dora@example.com' }] },
      dependsOn: ['AccessRole/crew'],
    },
  ),
  sample(
    'AccessGrant',
    {
      title: 'alice-operates',
      role: 'operator',
      subjects: [{ user: 'Alice@example.com' }, { user: 'carol@example.com' }],
      scope: { platform: true },
      expiresAt: '2031-01-31T01:00:00+01:00',
    },
    {
      changed: { subjects: [{ user: 'bob@example.com' }, { user: 'carol@example.com' }], justification: 'on call' },
      dependsOn: ['AccessRole/operator'],
      secrets: { 'password:carol@example.com': 'a first password' },
    },
  ),
];

const WORKFLOWS: readonly Sample[] = [
  sample(
    'Workflow',
    { title: 'Plain', definition: { trigger: 'operation', operations: [logs('say', 'one')], operation: 'say' } },
    {
      changed: { definition: { trigger: 'operation', operations: [logs('say', 'two')], operation: 'say' } },
      open: ['/active'],
    },
  ),
  sample(
    'Workflow',
    {
      title: 'Fulfil',
      version: '1.5.2',
      active: true,
      definition: {
        trigger: 'webhook',
        icon: 'bolt',
        color: '#6644FF',
        description: 'Ships what was ordered.',
        accountability: 'activity',
        options: { method: 'POST', async: false, return: '$last' },
        operation: 'check',
        operations: [
          logs('done', 'shipped'),
          {
            key: 'plain',
            type: 'trigger',
            name: 'Run plain',
            options: { flow: '{{ $trigger.body.flow }}', payload: { a: [1, null, { b: 2 }] } },
            resolve: 'done',
          },
          {
            key: 'check',
            type: 'condition',
            position_x: 40,
            position_y: 3,
            options: { filter: { $trigger: { body: { ok: { _eq: true } } } } },
            resolve: 'plain',
            reject: 'no',
          },
          logs('no', 'not ordered'),
        ],
      },
    },
    {
      changed: {
        definition: {
          trigger: 'manual',
          accountability: null,
          options: { collections: ['directus_files'] },
          operation: 'check',
          operations: [logs('done', 'x', { resolve: 'no' }), logs('check', 'y', { resolve: 'done' }), logs('no', 'z')],
        },
      },
    },
  ),
];

/** Since version 12 flows have folders. */
const FOLDER = sample('Application', { title: 'Shop' });

function inFolder(flow: Sample): Sample {
  const application = 'shop';
  const placed = { spec: { ...flow.spec, application }, changed: { ...flow.changed, application } };
  return { ...flow, ...placed, dependsOn: [...flow.dependsOn, FOLDER.key] };
}

/** Every kind, as far as the server goes: the version that has folders has a licence, too. */
export function samplesFor(licence: 'none' | 'core'): readonly Sample[] {
  if (licence === 'none') return [ROLE, POLICY, ...WORKFLOWS, ...GRANTS];
  const [first, ...others] = WORKFLOWS;
  return [FOLDER, ROLE, PLAIN_POLICY, ...(first === undefined ? [] : [first]), ...others.map(inFolder), ...GRANTS];
}

export function workflow(key: Key, title: string, text: string, active = true): Sample {
  const definition = { trigger: 'webhook', operation: 'say', operations: [logs('say', text)] };
  return { ...sample('Workflow', { title, active, definition }), key };
}

/** The server wants every operation to have a type. */
export const POISONED = sample('Workflow', {
  title: 'Bad',
  definition: { trigger: 'webhook', operation: 'say', operations: [{ key: 'say', options: {} }] },
});

/** Taken by the server, which then dies of it. */
export const CIRCLE = sample('Workflow', {
  title: 'Circle',
  active: true,
  definition: {
    trigger: 'webhook',
    operation: 'a',
    operations: [logs('a', '1', { resolve: 'b' }), logs('b', '2', { resolve: 'a' })],
  },
});
