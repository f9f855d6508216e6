import { expect } from 'chai';
import * as fc from 'fast-check';
import { Groups, groupsAround, groupsOf } from '../../src/kube/groups.ts';
import type { KubeObject } from '../../src/kube/object.ts';

const word = fc.constantFrom('a', 'b', 'c');
const labels = fc.dictionary(word, word, { maxKeys: 3 });
const objects = fc.array(fc.record({ namespace: word, labels }), { maxLength: 12 });

const objectOf = (metadata: { namespace: string; labels: Record<string, string> }, index: number): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: `o${index}`, ...metadata },
});

describe('groups of objects', () => {
  it('each hold every object of the selections that they are around', () => {
    fc.assert(
      fc.property(objects, word, labels, (all, namespace, wanted) => {
        const groups = new Groups<KubeObject>();
        const made = all.map(objectOf);
        for (const object of made) groups.add(groupsOf(object), object);
        const selected = made.filter(
          ({ metadata }) =>
            metadata.namespace === namespace &&
            Object.entries(wanted).every(([name, value]) => metadata.labels?.[name] === value),
        );
        for (const group of groupsAround({ namespace, labels: wanted })) {
          expect([...groups.in(group)]).to.include.members(selected);
        }
        for (const object of made) groups.remove(groupsOf(object), object);
        expect(made.flatMap(groupsOf).flatMap((group) => [...groups.in(group)])).to.deep.equal([]);
      }),
    );
  });
});
