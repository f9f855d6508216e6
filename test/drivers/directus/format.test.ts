import { expect } from 'chai';
import { normalizeDefinition } from '../../../src/drivers/directus/flow-definition.ts';
import { directusFormat } from '../../../src/drivers/directus/format.ts';
import type { JsonObject, JsonValue } from '../../../src/manifest/manifest.ts';

const A = 'aaaaaaaa-0000-4000-8000-000000000001';
const B = 'bbbbbbbb-0000-4000-8000-000000000002';
const C = 'cccccccc-0000-4000-8000-000000000003';
const F = 'ffffffff-0000-4000-8000-000000000004';
const G = 'ffffffff-0000-4000-8000-000000000005';

const operation = (id: string, key: string, more: JsonObject = {}): JsonObject => ({
  id,
  key,
  name: null,
  type: 'log',
  position_x: 19,
  position_y: 1,
  options: null,
  resolve: null,
  reject: null,
  flow: F,
  date_created: '2024-01-01T00:00:00',
  user_created: A,
  ...more,
});

/** As the API gives a flow, with everything that only its instance knows. */
const exported = (more: JsonObject = {}): JsonObject => ({
  id: F,
  name: 'Orders',
  icon: null,
  color: '',
  description: 'Ships.\n',
  status: 'active',
  trigger: 'webhook',
  accountability: 'all',
  options: null,
  operation: A,
  date_created: '2024-01-01T00:00:00',
  user_created: A,
  operations: [operation(B, 'second'), operation(A, 'first', { resolve: B })],
  ...more,
});

const byKey: JsonObject = {
  description: 'Ships.',
  trigger: 'webhook',
  operation: 'first',
  operations: [
    { key: 'first', type: 'log', position_x: 19, position_y: 1, resolve: 'second' },
    { key: 'second', type: 'log', position_x: 19, position_y: 1 },
  ],
};

const problemsOf = (definition: JsonValue): readonly string[] =>
  directusFormat.inspect(definition).problems.map(({ message }) => message);

describe('Directus flows as files', () => {
  it('an export with ids and a file with keys are the same definition', () => {
    expect(normalizeDefinition(exported())).to.deep.equal(normalizeDefinition(byKey));
  });

  it('ids, dates and the order of operations do not matter; null, empty and absent are one', () => {
    const other = exported({
      id: G,
      operation: C,
      date_created: null,
      operations: [operation(C, 'first', { resolve: G, options: {} }), operation(G, 'second', { name: '' })],
    });
    expect(normalizeDefinition(other)).to.deep.equal(normalizeDefinition(exported()));
  });

  it('normalizing changes nothing the second time, whatever is in it', () => {
    const odd: readonly JsonValue[] = [
      exported(),
      byKey,
      {},
      null,
      exported({ accountability: null }),
      exported({ operations: [operation(A, 'twice', { resolve: B }), operation(B, 'twice'), operation(C, '')] }),
      { operations: [{ key: 'a' }, { key: 'b', resolve: 'a' }] },
    ];
    for (const one of odd) {
      const once = normalizeDefinition(one);
      expect(normalizeDefinition(once)).to.deep.equal(once);
    }
  });

  it('that nothing is tracked is something else than that nobody said', () => {
    expect(normalizeDefinition({ accountability: null })['accountability']).to.equal(null);
    expect(normalizeDefinition({})['accountability']).to.equal('all');
  });

  it('recognizes one flow, a list, the answer of the API and both tables in one file, and nothing else', () => {
    const row = exported();
    for (const raw of [row, [row], { data: row }, { data: [row] }, { flows: [row], operations: [] }])
      expect(directusFormat.recognizes(raw), JSON.stringify(raw).slice(0, 40)).to.equal(true);
    const manifest = { apiVersion: 'plumbline.dev/v1alpha1', kind: 'Workflow', metadata: { name: 'x' }, spec: {} };
    for (const other of [
      manifest,
      byKey,
      [],
      {},
      null,
      'x',
      [{ id: 'n', type: 'tab' }],
      { nodes: [], connections: {} },
    ])
      expect(directusFormat.recognizes(other), JSON.stringify(other).slice(0, 40)).to.equal(false);
  });

  it('flows of one file that run each other are named by title, and need each other', () => {
    const runs = operation(A, 'run', { type: 'trigger', options: { flow: G } });
    const flows = [
      exported({ operations: [runs] }),
      exported({ id: G, name: 'Mail out', operations: [], operation: null }),
    ];
    const { objects, problems } = directusFormat.split(flows, 'flows');
    expect(problems).to.deep.equal([]);
    expect(objects.map(({ title, part }) => [title, part])).to.deep.equal([
      ['Orders', 'orders'],
      ['Mail out', 'mail-out'],
    ]);
    expect(objects[0]?.needs).to.deep.equal([{ kind: 'Workflow', part: 'mail-out' }]);
    const { references } = directusFormat.inspect(objects[0]?.spec['definition'] ?? null);
    expect(references).to.deep.equal([{ kind: 'Workflow', title: 'Mail out', node: 'run' }]);
  });

  it('operations in a table of their own find their flow; without them the flow is a problem that says what to do', () => {
    const { operations, ...flow } = exported();
    const [whole] = directusFormat.split({ flows: [flow], operations: operations as JsonValue }, 'x').objects;
    expect(normalizeDefinition(whole?.spec['definition'])).to.deep.equal(normalizeDefinition(exported()));
    const { problems } = directusFormat.split([{ ...flow, operations: null }], 'flows');
    expect(problems[0]?.message).to.include('Orders');
    expect(problems[0]?.remedy).to.include('operations.*');
  });

  it('names operations by key for patches', () => {
    expect(directusFormat.nodes(byKey)).to.deep.equal([
      { name: 'first', pointer: '/operations/0' },
      { name: 'second', pointer: '/operations/1' },
    ]);
  });

  const wrong: readonly (readonly [string, JsonValue, RegExp])[] = [
    ['a circle, from which a Directus dies', circle(2), /circle/],
    ['an operation that leads to itself', circle(1), /circle/],
    ['a long circle', circle(2_000), /circle/],
    [
      'two operations with one key',
      exported({ operations: [operation(A, 'x'), operation(B, 'x')] }),
      /have the key "x"/,
    ],
    ['two links of one kind to one operation', shared(), /both lead \(resolve\)/],
    ['a link to nowhere', { operations: [{ key: 'a', type: 'log', resolve: 'b' }] }, /leads \(resolve\) to "b"/],
    ['a beginning that is not there', { operation: 'a', operations: [] }, /begins with operation "a"/],
    ['a field that Directus would ignore', { trigger: 'webhook', colour: 'red' }, /no field "colour"/],
    [
      'a field of an operation that Directus would ignore',
      { operations: [{ key: 'a', type: 'log', typo: 1 }] },
      /"a\.typo"/,
    ],
    ['an operation without a type', { operations: [{ key: 'a' }] }, /has no type/],
    ['an operation without a key', { operations: [{ type: 'log' }] }, /no key/],
    ['a trigger that is none', { trigger: 'cron' }, /no trigger "cron"/],
    ['a flow named by the id of an instance', byId(), /by an id/],
    ['something that is no flow', [1, 2], /not a Directus flow/],
    ['operations as ids only', { operations: [A, B] }, /not a list of operations/],
    ['a place that is no number', { operations: [{ key: 'a', type: 'log', position_x: 'x' }] }, /position_x/],
  ];
  for (const [what, definition, message] of wrong) {
    it(`tells of ${what}`, () => {
      expect(problemsOf(definition).join('\n')).to.match(message);
    });
  }

  it('finds nothing wrong with what is in order', () => {
    const diamond = {
      operations: [
        log('a', { resolve: 'b', reject: 'c' }),
        log('b', { reject: 'd' }),
        log('c', { resolve: 'd' }),
        log('d'),
      ],
    };
    for (const sound of [exported(), byKey, diamond, {}]) expect(problemsOf(sound)).to.deep.equal([]);
  });
});

function log(key: string, links: JsonObject = {}): JsonObject {
  return { key, type: 'log', ...links };
}

function circle(length: number): JsonObject {
  const operations = Array.from({ length }, (_, index) => log(`o${index}`, { resolve: `o${(index + 1) % length}` }));
  return { operations };
}

function shared(): JsonObject {
  return { operations: [log('a', { resolve: 'c' }), log('b', { resolve: 'c' }), log('c')] };
}

function byId(): JsonObject {
  return { operations: [{ key: 'run', type: 'trigger', options: { flow: G } }] };
}
