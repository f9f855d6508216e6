import { expect } from 'chai';
import * as fc from 'fast-check';
import { DEFAULT_LIMITS } from '../../src/manifest/limits.ts';
import { parseTrees, parseYaml } from '../../src/manifest/yaml-tree.ts';
import { readWrittenJson } from '../../src/manifest/written-json.ts';

const OPAQUE = '/spec/definition';
const isShort = (text: string): boolean => readWrittenJson(text, OPAQUE, DEFAULT_LIMITS) !== undefined;

/** Names and texts with what YAML would take for something else. */
const word = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.constantFrom(
    'spec',
    'definition',
    'a/b',
    '~',
    '<<',
    '- x',
    '# no',
    'a: b',
    "'",
    '"',
    '\\',
    '\n',
    '\t',
    '---',
    'ü',
    '💡',
    '',
  ),
);
const json = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 4, withCrossShrink: true }, tie('leaf'), tie('list'), tie('object')),
  leaf: fc.oneof(
    word,
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.boolean(),
    fc.constant(null),
  ),
  list: fc.array(tie('value'), { maxLength: 4 }),
  object: fc.dictionary(word, tie('value'), { maxKeys: 4 }),
}));

describe('JSON as custom resources are handed on', () => {
  it('comes to what the YAML parser makes of it, with the same places', () => {
    const manifest = fc.record({ kind: word, metadata: json.object, spec: fc.oneof(json.object, json.value) });
    let short = 0;
    fc.assert(
      fc.property(fc.oneof(manifest, json.object), (value) => {
        const text = JSON.stringify(value, undefined, 2);
        if (isShort(text)) short += 1;
        const [quick, slow] = [parseTrees(text, DEFAULT_LIMITS), parseYaml(text, DEFAULT_LIMITS)];
        expect(quick.map((tree) => ({ ...tree, places: [...tree.places] }))).to.deep.equal(
          slow.map((tree) => ({ ...tree, places: [...tree.places] })),
        );
      }),
      { numRuns: 1_000 },
    );
    expect(short, 'many take the short way').to.be.above(200);
  });

  it('is left to the YAML parser where there is something to tell, or where it was written in another way', () => {
    const told = [
      '{\n  "a": 1,\n  "a": 2\n}',
      '{\n  "a": 9007199254740993\n}',
      '{\n  "a": 9007199254740994\n}',
      '{\n  "__proto__": {}\n}',
      '{\n  "a": 1e400\n}',
    ];
    for (const text of told) {
      expect(isShort(text), text).to.equal(false);
      expect(
        parseTrees(text, DEFAULT_LIMITS).flatMap(({ faults }) => faults),
        text,
      ).to.not.have.length(0);
    }
    for (const text of [
      '{"a": 1}',
      '{\n "a": 1\n}',
      'a: 1',
      '{\n  "a": 1\n}\n',
      '{\n  "a": 1\n}\n---\n{}',
      '[\n  1\n]',
    ])
      expect(isShort(text), text).to.equal(false);
    expect(isShort('{\n  "a": 1\n}')).to.equal(true);
  });

  it('keeps the limits', () => {
    const deep = JSON.stringify({ a: { b: { c: 1 } } }, undefined, 2);
    const wide = JSON.stringify({ a: [1, 2, 3] }, undefined, 2);
    for (const [text, limits] of [
      [deep, { ...DEFAULT_LIMITS, maxDepth: 2 }],
      [wide, { ...DEFAULT_LIMITS, maxNodes: 4 }],
    ] as const) {
      const [tree] = parseTrees(text, limits);
      expect(tree?.faults, text).to.have.length(1);
      expect(tree?.value).to.equal(undefined);
      expect(parseTrees(text, DEFAULT_LIMITS)[0]?.faults).to.have.length(0);
    }
  });
});
