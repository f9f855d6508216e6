import { setTimeout as pause } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import type { KubeObject } from '../../src/kube/object.ts';
import { packed } from '../../src/kube/packed.ts';

const object = (metadata: object, spec: unknown, more: object = {}): KubeObject => ({
  apiVersion: 'plumbline.dev/v1alpha1',
  kind: 'Workflow',
  metadata: { name: 'orders', uid: 'u1', generation: 1, ...metadata },
  ...(spec === undefined ? {} : { spec }),
  ...more,
});

/** What has the garbage collected, wholly. */
function collector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}

const SPEC = { title: 'Orders', definition: [{ id: 'ü', wires: [[]], text: 'x'.repeat(5_000) }] };

describe('an object that is kept among many', () => {
  it('says what it said, but for what only the API server and kubectl use', () => {
    const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': '{"spec":{}}', own: 'stays' };
    const kept = packed(object({ annotations, managedFields: [{ manager: 'kubectl' }] }, SPEC, { status: { a: 1 } }));
    expect(kept['spec']).to.deep.equal(SPEC);
    expect(kept['status']).to.deep.equal({ a: 1 });
    expect({ ...kept }['spec'], 'a copy has it, too').to.deep.equal(SPEC);
    expect(kept.metadata).to.deep.equal({ name: 'orders', uid: 'u1', generation: 1, annotations: { own: 'stays' } });
  });

  it('takes its spec over from its former state only where it is the same object in the same generation', () => {
    const before = packed(object({}, { title: 'before' }));
    const same = packed(object({ labels: { a: 'b' } }, { title: 'not looked at' }), before);
    expect(same['spec']).to.deep.equal({ title: 'before' });
    for (const other of [{ generation: 2 }, { uid: 'u2' }, { generation: undefined }, { uid: undefined }]) {
      expect(packed(object(other, { title: 'after' }), before)['spec'], JSON.stringify(other)).to.deep.equal({
        title: 'after',
      });
    }
  });

  it('keeps no more memory than it needs, whatever else is allocated meanwhile', async () => {
    const collect = collector();
    // Buffers are freed some time after they were collected, and more of them by the next turn.
    const memory = async (bound: number, turns: number): Promise<number> => {
      for (let turn = 0; ; turn++) {
        collect();
        const { arrayBuffers } = process.memoryUsage();
        if (arrayBuffers < bound || turn === turns) return arrayBuffers;
        await pause(100);
      }
    };
    const before = await memory(0, 10);
    const kept = Array.from({ length: 1_000 }, (_, index) => {
      // Others take their pieces of the pool that Node cuts small buffers from.
      Buffer.from('x'.repeat(20_000));
      return packed(object({ uid: `u${index}` }, { title: `Number ${index}` }));
    });
    expect((await memory(before + 8_000_000, 100)) - before, 'a piece of a pool keeps 64 kB').to.be.below(8_000_000);
    expect(kept.at(-1)?.['spec']).to.deep.equal({ title: 'Number 999' });
  });

  it('has no spec where it had none', () => {
    expect(packed(object({}, undefined))).to.not.have.property('spec');
  });
});
