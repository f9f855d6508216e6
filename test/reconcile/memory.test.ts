import { expect } from 'chai';
import type { Manifest } from '../../src/manifest/manifest.ts';
import { stampOf } from '../../src/reconcile/memory.ts';

describe('The stamp of a manifest', () => {
  const manifest: Manifest = {
    key: 'Workflow/a',
    kind: 'Workflow',
    name: 'a',
    title: 'A',
    renamedFrom: [],
    labels: {},
    annotations: { x: '1', y: '2' },
    dependsOn: [],
    outputReferences: [],
    ignoreFields: [],
    secrets: {},
    origin: { file: 'a.yaml', line: 1, column: 1 },
    fingerprint: 'f',
    spec: () => Promise.resolve({}),
  };

  it('is another one for everything that steers a pass', () => {
    const others: readonly Partial<Manifest>[] = [
      { fingerprint: 'g' },
      { title: 'B' },
      { annotations: { x: '1' } },
      { ignoreFields: ['/zone'] },
      { renamedFrom: ['Workflow/b'] },
      { dependsOn: ['Workflow/b'] },
      { origin: { file: 'b.yaml', line: 1, column: 1 } },
    ];
    for (const other of others) expect(stampOf({ ...manifest, ...other })).to.not.equal(stampOf(manifest));
  });

  it('is the same for what does not: where in its file it stands, who wrote it, the order of annotations', () => {
    const origin = { file: 'a.yaml', line: 9, column: 3, commit: 'c', author: 'a' };
    expect(stampOf({ ...manifest, origin, annotations: { y: '2', x: '1' } })).to.equal(stampOf(manifest));
  });
});
