import { expect } from 'chai';
import * as fc from 'fast-check';
import { nodeRedFormat } from '../../../src/drivers/node-red/format.ts';
import { readInfo, writeInfo } from '../../../src/drivers/node-red/marker.ts';
import { normalizeSpec } from '../../../src/drivers/node-red/normalize.ts';
import type { JsonObject, JsonValue } from '../../../src/manifest/manifest.ts';

type Entry = JsonObject & { readonly id: string };
const TYPES = ['debug', 'function', 'link out', 'catch'] as const;
/** Names that are also values, types and labels elsewhere, so that confusion would show. */
const word = fc.constantFrom('', 'a', 'b', 'debug', 'flow', 'a#2', 'broker');

interface Shape {
  readonly type: (typeof TYPES)[number];
  readonly name: string;
  readonly x: number;
  readonly y: number;
  readonly text: string;
  readonly to: readonly number[];
  readonly config: boolean;
}
const shape: fc.Arbitrary<Shape> = fc.record({
  type: fc.constantFrom(...TYPES),
  name: word,
  x: fc.constantFrom(0, 10),
  y: fc.constantFrom(0, 10),
  text: word,
  to: fc.array(fc.nat(7), { maxLength: 3 }),
  config: fc.boolean(),
});

/** A tab with nodes that are wired at random, a broker some of them use, and ids made by `idOf`. */
function flowOf(shapes: readonly Shape[], idOf: (index: number) => string): Entry[] {
  const broker = idOf(-1);
  const nodes = shapes.map(({ type, name, x, y, text, to, config }, index): Entry => {
    const ids = [...new Set(to.filter((at) => at < shapes.length).map(idOf))];
    const targets: JsonObject =
      type === 'link out'
        ? { links: ids, wires: [] }
        : type === 'catch'
          ? { scope: ids, wires: [[]] }
          : { wires: [ids] };
    const settings: JsonObject = config ? { broker, topic: hex(-1), func: hex(0) } : {};
    return { id: idOf(index), type, z: idOf(-2), name, x, y, text, ...settings, ...targets };
  });
  const root = { id: idOf(-2), type: 'tab', label: 'Orders', disabled: true, info: '', env: [] };
  return [root, { id: broker, type: 'mqtt-broker', name: 'Main', z: '' }, ...nodes];
}

const normal = (definition: JsonValue): JsonObject => normalizeSpec('Workflow', { title: 'Orders', definition });
/** Also used as ordinary text, which must stay as it is. */
const hex = (index: number): string => (index + 1_000).toString(16).padStart(16, '0');
describe('The normal form of a Node-RED flow', () => {
  const shapes = fc.array(shape, { maxLength: 8 });

  it('is its own normal form', () => {
    fc.assert(
      fc.property(shapes, (some) => {
        const once = normal(flowOf(some, hex));
        expect(normalizeSpec('Workflow', once)).to.deep.equal(once);
      }),
    );
  });

  it('depends neither on ids nor on the order of the file', () => {
    fc.assert(
      fc.property(shapes, fc.infiniteStream(fc.nat(1_000)), fc.nat(1_000), (some, ranks, salt) => {
        const flow = flowOf(some, hex);
        const order = flow.map((entry) => ({ entry, rank: ranks.next().value ?? 0 }));
        const others = flowOf(some, (index) => hex((index + 50) * 7919 + salt));
        const shuffled = order.map(({ rank }, at) => ({ entry: others[at], rank })).toSorted((a, b) => a.rank - b.rank);
        expect(normal(shuffled.map(({ entry }) => entry ?? null))).to.deep.equal(normal(flow));
      }),
    );
  });

  it('is in order itself: nothing in it is dangling or twice', () => {
    fc.assert(
      fc.property(shapes, (some) => {
        const { definition } = normal(flowOf(some, hex));
        expect(nodeRedFormat.inspect(definition ?? null).problems).to.deep.equal([]);
      }),
    );
  });

  it('tells apart flows that differ in one wire', () => {
    const at = (to: number[]): Shape[] =>
      [0, 1, 2].map((x) => ({ type: 'debug', name: '', x, y: 0, text: '', to: x === 0 ? to : [], config: false }));
    expect(normal(flowOf(at([1]), hex))).to.not.deep.equal(normal(flowOf(at([2]), hex)));
  });

  it('names a config node by type and title, and leaves text that happens to be its id alone', () => {
    const flow = flowOf([{ type: 'debug', name: 'x', x: 0, y: 0, text: '', to: [], config: true }], hex);
    const [, node] = normal(flow)['definition'] as readonly JsonObject[];
    expect(node).to.include({ broker: '@integration/mqtt-broker/Main', topic: hex(-1), func: hex(0) });
    expect(nodeRedFormat.inspect(flow).references).to.deep.equal([
      { kind: 'Integration', type: 'mqtt-broker', title: 'Main', node: 'x' },
    ]);
  });

  it('takes a property for a reference only where it names a config node', () => {
    const tab = { id: 't', type: 'tab', label: 'T' };
    const odd = { id: 'msg', type: 'debug', z: 't', name: 'Odd', x: 1, y: 1, wires: [], targetType: 'msg' };
    const [, node] = normal([tab, odd])['definition'] as readonly JsonObject[];
    expect(node).to.include({ id: 'Odd', targetType: 'msg' });
  });

  it('has no credentials in it, and the file that had them is refused', () => {
    const leak: Entry = {
      id: 'n',
      type: 'http request',
      z: 't',
      x: 1,
      y: 1,
      wires: [],
      credentials: { password: 'hunter22' },
    };
    const flow = [{ id: 't', type: 'tab', label: 'T' }, leak];
    expect(JSON.stringify(normal(flow))).to.not.include('hunter22');
    expect(JSON.stringify(nodeRedFormat.split(flow, 'f').objects)).to.not.include('hunter22');
    expect(nodeRedFormat.split(flow, 'f').problems).to.have.lengthOf(1);
    const [problem] = nodeRedFormat.inspect(flow).problems;
    expect(problem?.severity).to.equal('error');
    expect(problem?.message).to.include('credentials').and.not.include('hunter22');
  });

  it('keeps a note behind any text, and gives the text back', () => {
    const marker = { owner: 'default/a', key: 'Workflow/x-->', applied: 'f', how: 'created' } as const;
    fc.assert(
      fc.property(fc.string(), fc.string(), (text, version) => {
        const read = readInfo(writeInfo(text, { marker, fields: { version } }));
        expect(read.text).to.equal(text.replace(/\s+$/, ''));
        expect(read.note).to.deep.equal({ marker, fields: { version } });
      }),
    );
  });
});

describe('A Node-RED export', () => {
  const tab = (id: string, label: string): Entry => ({ id, type: 'tab', label });
  const node = (id: string, z: string, more: JsonObject): Entry => ({
    id,
    type: 'debug',
    z,
    x: 1,
    y: 1,
    wires: [],
    ...more,
  });

  it('becomes one workflow per tab and per subflow and one integration per config node, referring by name', () => {
    const { objects, problems } = nodeRedFormat.split(
      [
        tab('t1', 'Orders'),
        tab('t2', 'Stock/2'),
        {
          id: 's',
          type: 'subflow',
          name: 'Retry',
          in: [{ wires: [{ id: 's1' }] }],
          out: [{ wires: [{ id: 's', port: 0 }] }],
        },
        node('s1', 's', {}),
        { id: 'c', type: 'mqtt-broker', broker: 'localhost', port: '1883', tls: 'c2' },
        { id: 'c2', type: 'tls-config', name: 'TLS' },
        node('a', 't1', { type: 'subflow:s' }),
        node('b', 't1', { type: 'mqtt in', broker: 'c' }),
        node('l', 't1', { type: 'link out', links: ['m'] }),
        node('m', 't2', { type: 'link in', name: 'in', links: ['l'] }),
      ],
      'file',
    );
    expect(problems).to.deep.equal([]);
    expect(objects.map(({ kind, part, title, needs }) => ({ kind, part, title, needs }))).to.deep.equal([
      {
        kind: 'Workflow',
        part: 'orders',
        title: 'Orders',
        needs: [
          { kind: 'Workflow', part: 'retry' },
          { kind: 'Integration', part: 'localhost-1883' },
        ],
      },
      { kind: 'Workflow', part: 'stock-2', title: 'Stock/2', needs: [] },
      { kind: 'Workflow', part: 'retry', title: 'Retry', needs: [] },
      {
        kind: 'Integration',
        part: 'localhost-1883',
        title: 'localhost:1883',
        needs: [{ kind: 'Integration', part: 'tls' }],
      },
      { kind: 'Integration', part: 'tls', title: 'TLS', needs: [] },
    ]);
    const text = JSON.stringify(objects);
    for (const name of [
      'subflow:@workflow/Retry',
      '@integration/mqtt-broker/localhost:1883',
      '@link/Stock%2F2/in',
      '@integration/tls-config/TLS',
    ]) {
      expect(text).to.include(name);
    }
  });

  it('without its tab becomes one workflow named after the file', () => {
    const { objects } = nodeRedFormat.split([node('a', 'gone', { wires: [['b']] }), node('b', 'gone', {})], 'part');
    expect(objects.map(({ kind, part, title }) => ({ kind, part, title }))).to.deep.equal([
      { kind: 'Workflow', part: '', title: 'part' },
    ]);
  });

  it('is told from other JSON', () => {
    expect(nodeRedFormat.recognizes([tab('t', 'x')])).to.equal(true);
    for (const other of [
      {},
      [],
      [{ id: 1, type: 'tab' }],
      [{ kind: 'Workflow' }],
      { nodes: [], connections: {} },
      'x',
      null,
    ]) {
      expect(nodeRedFormat.recognizes(other), JSON.stringify(other)).to.equal(false);
    }
  });

  it('with a wire to nowhere, two equal ids, two tabs or a subflow by number is refused', () => {
    const first = (definition: JsonValue): string | undefined =>
      nodeRedFormat.inspect(definition).problems.find(({ severity }) => severity === 'error')?.message;
    expect(first([tab('t', 'x'), node('a', 't', { wires: [['gone']] })])).to.include('gone');
    expect(first([tab('t', 'x'), node('a', 't', {}), node('a', 't', {})])).to.include('"a"');
    expect(first([tab('t', 'x'), tab('u', 'y')])).to.include('2 tabs');
    expect(first([tab('t', 'x'), node('a', 't', { type: 'subflow:abc' })])).to.include('abc');
    expect(first([tab('t', 'x'), node('a', 't', {})])).to.equal(undefined);
  });
});
