import { expect } from 'chai';
import * as fc from 'fast-check';
import { formatProblem } from '../../src/errors.ts';
import type { Desired } from '../../src/manifest/manifest.ts';
import { load, loaderWith, signal, yaml } from './loading.ts';
import { snapshotOf } from './snapshots.ts';

const fragments = fc.constantFrom(
  'apiVersion: plumbline.dev/v1alpha1\n',
  'kind: Workflow\n',
  'kind: AccessGrant\n',
  'metadata: {name: a}\n',
  'metadata:\n  name: b\n',
  'spec:\n',
  '  definition: {steps: []}\n',
  '  application: x\n',
  'spec: {role: r, subjects: [{user: u}]}\n',
  '---\n',
  '...\n',
  '&a ',
  '*a ',
  '<<: *a\n',
  '__proto__: 1\n',
  '"',
  "'",
  '{',
  '[',
  ']',
  '\t',
  '\r\n',
  '\0',
  '\ufeff',
  '99999999999999999999\n',
  '!!binary x\n',
  'applications:\n  - {name: q}\n',
  'workflows: [{name: w}]\n',
  '${x}',
  'toy: {flows: [{name: f}]}\n',
);
const text = fc.oneof(
  fc.array(fragments, { maxLength: 14 }).map((parts) => Buffer.from(parts.join(''))),
  fc.string({ unit: 'binary', maxLength: 60 }).map((one) => Buffer.from(one)),
  fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
  fc.json().map((json) => Buffer.from(json)),
  fc.json().map((json) => Buffer.from(`{"toy": ${json}}`)),
);
const path = fc.constantFrom('a.yaml', 'b.yml', 'c.json', 'd/e.json', 'o/p.yaml', 'o/q.json');
const tree = fc.dictionary(path, text, { maxKeys: 4 });

const names = fc.constantFrom('a', 'b', 'c', 'd');
const manifest = fc.oneof(
  names.map((name) => yaml('Application', name)),
  fc
    .tuple(names, names)
    .map(([name, application]) =>
      yaml('Workflow', name, `spec: {application: ${application}, definition: {steps: [{name: s}]}}`),
    ),
  fc.tuple(names, names).map(([name, file]) => yaml('Workflow', name, `spec: {definitionFrom: {file: ${file}.json}}`)),
  names.map((name) => yaml('Workflow', name, 'nodes: {s: {x: 1}}')),
  fc
    .tuple(names, names)
    .map(([name, role]) => yaml('AccessGrant', name, `spec: {role: ${role}, subjects: [{user: u}]}`)),
  names.map((name) => yaml('AccessRole', name)),
  names.map((name) => yaml('Integration', name, 'spec: {title: CRM, type: http}')),
  names.map((name) => yaml('Application', name, 'spec: {x: 1}')),
  fc.constant('kind: Workflow\nspec: ['),
);
const definition = names.map((name) =>
  JSON.stringify({ toy: { flows: [{ name }], links: [{ type: 'http', name: 'CRM', url: name }] } }),
);
const plausible = fc.record(
  {
    'a.yaml': manifest,
    'b.yaml': fc.oneof(
      manifest,
      fc.tuple(manifest, manifest).map((both) => both.join('---\n')),
    ),
    'a.json': definition,
    'b.json': fc.oneof(definition, fc.constant('{')),
    'o/p.yaml': manifest,
  },
  { requiredKeys: [] },
);

/** Everything that can be told of a load, comparable. */
async function tell(desired: Desired): Promise<unknown> {
  const manifests = [];
  for (const one of desired.manifests.values()) {
    manifests.push([one.key, one.title, one.dependsOn, one.fingerprint, one.origin, await one.spec(signal())]);
  }
  return {
    manifests,
    problems: desired.problems.map(formatProblem),
    keys: [...desired.unknown.keys].sort(),
    kinds: [...desired.unknown.kinds].sort(),
  };
}

describe('loading, whatever the input', () => {
  it('never throws, and every problem has its place inside its file', async () => {
    await fc.assert(
      fc.asyncProperty(tree, async (files) => {
        const desired = await load(files, { overlays: ['o'] });
        for (const { origin } of desired.problems) {
          const bytes = files[origin.file];
          if (bytes === undefined) continue;
          const lines = bytes.toString('utf8').split(/\n/);
          expect(origin.line, formatProblem(desired.problems[0] as never)).to.be.within(1, lines.length);
          expect(origin.column).to.be.within(1, (lines[origin.line - 1] ?? '').length + 1);
        }
        for (const one of desired.manifests.values()) await one.spec(signal());
      }),
      { numRuns: 400 },
    );
  });

  it('gives the same for the same files, in whatever order they come', async () => {
    await fc.assert(
      fc.asyncProperty(plausible, async (files) => {
        const snapshot = snapshotOf(files);
        const forward = await tell(await loaderWith({ overlays: ['o'] }).load(snapshot, signal()));
        const backward = await tell(
          await loaderWith({ overlays: ['o'] }).load({ ...snapshot, files: snapshot.files.toReversed() }, signal()),
        );
        expect(backward).to.deep.equal(forward);
      }),
      { numRuns: 150 },
    );
  });

  it('gives after any series of edits what a fresh load gives', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(plausible, { minLength: 2, maxLength: 5 }), async (series) => {
        const loader = loaderWith({ overlays: ['o'] });
        for (const files of series) {
          const snapshot = snapshotOf(files);
          const cached = await tell(await loader.load(snapshot, signal()));
          expect(cached).to.deep.equal(await tell(await loaderWith({ overlays: ['o'] }).load(snapshot, signal())));
        }
      }),
      { numRuns: 150 },
    );
  });

  it('never takes an object away without telling: what a broken text named is unknown', async () => {
    await fc.assert(
      fc.asyncProperty(plausible, fc.nat(), async (files, seed) => {
        const before = await load(files, { overlays: ['o'] });
        const paths = Object.keys(files);
        const victim = paths[seed % Math.max(1, paths.length)];
        if (victim === undefined) return;
        const original = (files as Record<string, string>)[victim] ?? '';
        const after = await load(
          { ...(files as Record<string, string>), [victim]: `${original}\n"` },
          { overlays: ['o'] },
        );
        for (const { key, kind } of before.manifests.values()) {
          const told = after.manifests.has(key) || after.unknown.keys.has(key) || after.unknown.kinds.has(kind);
          expect(told, `${key} vanished when ${victim} broke`).to.equal(true);
        }
      }),
      { numRuns: 200 },
    );
  });
});
