import { expect } from 'chai';
import * as fc from 'fast-check';
import { Claims } from '../../src/daemon/cluster/claims.ts';
import type { KubeObject } from '../../src/kube/object.ts';
import type { Sync } from '../../src/manifest/sync.ts';

const word = fc.constantFrom('a', 'b');
const labels = fc.dictionary(word, word, { maxKeys: 2 });
const kind = fc.constantFrom('Workflow', 'Application');
const syncs = fc.uniqueArray(
  fc.record({ namespace: word, name: fc.constantFrom('p', 'q', 'r', 's'), labels, kinds: fc.option(fc.array(kind)) }),
  { selector: ({ namespace, name }) => `${namespace}.${name}`, maxLength: 6 },
);

describe('the Sync that tells of an object', () => {
  it('is the first by name of those that apply it', () => {
    fc.assert(
      fc.property(syncs, word, kind, (all, namespace, of) => {
        fc.assert(
          fc.property(labels, (own) => {
            const object: KubeObject = {
              apiVersion: 'plumbline.dev/v1alpha1',
              kind: of,
              metadata: { name: 'one', namespace, labels: own },
            };
            const applying = all
              .filter((one) => one.namespace === namespace && (one.kinds === null || one.kinds.includes(of)))
              .filter((one) => Object.entries(one.labels).every(([name, value]) => own[name] === value))
              .map((one) => `${one.namespace}.${one.name}`);
            expect(new Claims(all.map(syncOf)).first(object)).to.equal(applying.toSorted()[0]);
          }),
          { numRuns: 5 },
        );
      }),
    );
  });
});

function syncOf(one: {
  namespace: string;
  name: string;
  labels: Record<string, string>;
  kinds: readonly string[] | null;
}): Sync {
  return {
    metadata: { name: `${one.namespace}.${one.name}` },
    spec: { source: { cluster: { matchLabels: one.labels } }, select: one.kinds === null ? {} : { kinds: one.kinds } },
  } as unknown as Sync;
}
