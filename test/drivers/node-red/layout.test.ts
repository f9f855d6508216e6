import { expect } from 'chai';
import * as fc from 'fast-check';
import { nodeRedFormat } from '../../../src/drivers/node-red/format.ts';
import { placed } from '../../../src/drivers/node-red/layout.ts';
import { normalizeSpec } from '../../../src/drivers/node-red/normalize.ts';
import type { JsonObject } from '../../../src/manifest/manifest.ts';

type Node = JsonObject & { readonly id: string };

/** Nodes without a place, wired at random, circles among them. */
const flows: fc.Arbitrary<Node[]> = fc
  .array(fc.array(fc.nat(9), { maxLength: 3 }), { minLength: 1, maxLength: 10 })
  .map((wires) =>
    wires.map((to, at) => ({
      id: `n${at}`,
      type: 'function',
      name: `step ${at}`,
      wires: [[...new Set(to.filter((target) => target < wires.length).map((target) => `n${target}`))]],
    })),
  );
const placesOf = (nodes: readonly JsonObject[]): readonly string[] =>
  nodes.map(({ id, x, y }) => JSON.stringify([id, x, y])).toSorted((a, b) => (a < b ? -1 : 1));

describe('Nodes without a place on the canvas', () => {
  it('get one each, whatever leads where, and the same one in whatever order they are written', () => {
    fc.assert(
      fc.property(flows, fc.infiniteStream(fc.nat(1_000)), (nodes, ranks) => {
        const places = placesOf(placed(nodes) as readonly JsonObject[]);
        expect(new Set(places.map((place) => place.slice(place.indexOf(',')))).size).to.equal(nodes.length);
        expect(places.join()).to.not.include('null');
        const shuffled = nodes.map((node) => ({ node, rank: ranks.next().value ?? 0 }));
        const others = shuffled.toSorted((a, b) => a.rank - b.rank).map(({ node }) => node);
        expect(placesOf(placed(others) as readonly JsonObject[])).to.deep.equal(places);
      }),
    );
  });

  it('stand in columns along the wires, below what has a place', () => {
    const nodes = [
      { id: 'old', type: 'comment', x: 300, y: 200, wires: [] },
      { id: 'c', type: 'debug' },
      { id: 'a', type: 'inject', name: 'a', wires: [['b1', 'b2']] },
      { id: 'b2', type: 'change', name: 'second', wires: [['c']] },
      { id: 'b1', type: 'change', name: 'first', wires: [['c']] },
    ];
    expect(placed(nodes)).to.deep.equal([
      nodes[0],
      { ...nodes[1], x: 600, y: 260, wires: [] },
      { ...nodes[2], x: 160, y: 260 },
      { ...nodes[3], x: 380, y: 320 },
      { ...nodes[4], x: 380, y: 260 },
    ]);
  });

  it('do not include configuration, roots, groups and what has a place', () => {
    const nodes = [
      { id: 't', type: 'tab', label: 'T' },
      { id: 'g', type: 'group', z: 't', nodes: [] },
      { id: 'k', type: 'mqtt-broker', broker: 'localhost' },
      { id: 'n', type: 'mqtt in', z: 't', broker: 'k', x: 1, y: 2, wires: [[]] },
    ];
    expect(placed(nodes)).to.equal(nodes);
    expect(placed('no flow')).to.equal('no flow');
  });

  it('are part of the flow: in a manifest as in a raw file, none of them is taken for an Integration', () => {
    const nodes = [
      { id: 'a', type: 'inject', wires: [['b']] },
      { id: 'b', type: 'debug' },
    ];
    expect(nodeRedFormat.inspect(nodes)).to.deep.equal({ problems: [], references: [] });
    const { objects } = nodeRedFormat.split(nodes, 'tick');
    expect(objects.map(({ kind, title }) => `${kind}/${title}`)).to.deep.equal(['Workflow/tick']);
    const types = objects.flatMap(({ spec }) => (spec['definition'] as readonly JsonObject[]).map(({ type }) => type));
    expect(types).to.deep.equal(['tab', 'inject', 'debug']);
  });

  it('have the same normal form as when their places are written down', () => {
    fc.assert(
      fc.property(flows, (nodes) => {
        const once = normalizeSpec('Workflow', { title: 'T', definition: placed(nodes) });
        expect(placed(once['definition'] ?? [])).to.equal(once['definition']);
        expect(normalizeSpec('Workflow', once)).to.deep.equal(once);
      }),
    );
  });
});
