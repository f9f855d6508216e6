import { expect } from 'chai';
import * as fc from 'fast-check';
import type { Outcome, Step } from '../../src/drivers/driver.ts';
import { ReconcilerError } from '../../src/errors.ts';
import { stages } from '../../src/plan/stages.ts';
import type { Change } from '../../src/plan/types.ts';
import { dueOf, ours, owned, planOf, there, want } from '../plan/scene.ts';
import { scenes } from '../plan/scenes.ts';
import { Bench } from './bench.ts';

const V1 = { steps: 'one' };
const V2 = { steps: 'two' };

const applied = ({ change }: Step): Outcome => ({
  status: 'applied',
  change,
  remote: { id: `id of ${change.key}`, version: '1' },
});
const failed = ({ change }: Step): Outcome => ({ status: 'failed', change, error: new ReconcilerError('no', 'never') });

describe('Carrying out a plan', () => {
  const chain = planOf({
    git: [
      want('Integration/crm'),
      want('Workflow/a', V1, { dependsOn: ['Integration/crm'] }),
      want('Workflow/b', V1, { dependsOn: ['Workflow/a'] }),
      want('Workflow/c', V1),
    ],
  });

  it('intents are written before the first write of their stage, and settled after it (law 6)', async () => {
    const bench = new Bench((steps) => steps.map(applied));
    await bench.run(chain);
    expect(bench.said).to.deep.equal([
      'intend Integration/crm Workflow/c',
      'apply Integration/crm Workflow/c',
      'intend Workflow/a',
      'apply Workflow/a',
      'intend Workflow/b',
      'apply Workflow/b',
    ]);
    expect([...bench.intents]).to.deep.equal([]);
    expect(bench.settled).to.have.nested.property('[0].result.owned.remote', 'id of Integration/crm');
  });

  it('what depends on a failed change is skipped, the rest goes on (law 8)', async () => {
    const bench = new Bench((steps) =>
      steps.map((step) => (step.change.key === 'Integration/crm' ? failed(step) : applied(step))),
    );
    expect(await bench.run(chain)).to.deep.equal([
      'failed Integration/crm',
      'applied Workflow/c',
      'skipped Workflow/a',
      'skipped Workflow/b',
    ]);
  });

  it('what an object still refers to is not deleted when that object was not deleted, or not changed', async () => {
    const scene = {
      platform: [ours('Workflow/a', V1), there('Integration', 'crm')],
      ledger: [owned('Workflow/a', V1, { dependsOn: ['Integration/crm'] }), owned('Integration/crm')],
    };
    for (const git of [[], [want('Workflow/a', V2)]]) {
      const bench = new Bench((steps) =>
        steps.map((step) => (step.change.kind === 'Workflow' ? failed(step) : applied(step))),
      );
      expect(await bench.run(planOf({ ...scene, git }))).to.deep.equal([
        'failed Workflow/a',
        'skipped Integration/crm',
      ]);
    }
  });

  it('an unknown outcome leaves its intent; a known failure does not (law 6)', async () => {
    const unknown = new ReconcilerError('no answer', 'backoff', { code: 'outcome-unknown' });
    const bench = new Bench((steps) =>
      steps.map(({ change }) => ({ status: 'failed', change, error: unknown }) as const),
    );
    await bench.run(chain);
    expect(bench.intents.size).to.equal(2);
    const known = new Bench((steps) => steps.map(failed));
    await known.run(chain);
    expect(known.intents.size).to.equal(0);
    expect(known.settled.map(({ result }) => result)).to.deep.equal(['unchanged', 'unchanged']);
  });

  it('ownership is forgotten only after a confirmed delete (law 4)', async () => {
    const plan = planOf({ platform: [ours('Workflow/a', V1)], ledger: [owned('Workflow/a', V1)] });
    const no = new Bench((steps) => steps.map(failed));
    await no.run(plan);
    expect(no.settled.map(({ result }) => result)).to.deep.equal(['unchanged']);
    const yes = new Bench((steps) => steps.map(applied));
    await yes.run(plan);
    expect(yes.settled.map(({ result }) => result)).to.deep.equal([{ forget: 'Workflow/a' }]);
  });

  it('a former name is forgotten only when the rename went through', async () => {
    const plan = planOf({
      git: [want('Workflow/new', V1, { renamedFrom: ['Workflow/old'] })],
      platform: [ours('Workflow/old', V1)],
      ledger: [owned('Workflow/old', V1)],
    });
    const no = new Bench((steps) => steps.map(failed));
    await no.run(plan);
    expect(no.records).to.deep.equal([]);
    const yes = new Bench((steps) => steps.map(applied));
    await yes.run(plan);
    expect(yes.records).to.deep.equal([{ record: 'forget', key: 'Workflow/old' }]);
  });

  it('what is overwritten or deleted is archived before anything of its stage is written (law 14)', async () => {
    const plan = planOf({
      git: [want('Workflow/a', V2), want('Workflow/n', V1)],
      platform: [ours('Workflow/a', { steps: 'by hand' }), ours('Workflow/b', V1)],
      ledger: [owned('Workflow/a', V1), owned('Workflow/b', V1)],
    });
    const bench = new Bench((steps) => steps.map(applied));
    await bench.run(plan);
    expect(bench.said).to.deep.equal([
      'archive Workflow/a',
      'intend Workflow/a Workflow/n',
      'apply Workflow/a Workflow/n',
      'archive Workflow/b',
      'intend Workflow/b',
      'apply Workflow/b',
    ]);
    expect(bench.archived.map(({ reason }) => reason)).to.deep.equal(['drift', 'delete']);
  });

  it('what is gone before it could be archived is not overwritten; its delete goes through', async () => {
    const plan = planOf({
      git: [want('Workflow/a', V2)],
      platform: [ours('Workflow/a', { steps: 'by hand' }), ours('Workflow/b', V1)],
      ledger: [owned('Workflow/a', V1), owned('Workflow/b', V1)],
    });
    const bench = new Bench((steps) => steps.map(applied));
    bench.gone = ['Workflow/a', 'Workflow/b'];
    expect(await bench.run(plan)).to.deep.equal(['failed Workflow/a', 'applied Workflow/b']);
  });

  it('a stopped pass writes nothing more, and says so of every change', async () => {
    const controller = new AbortController();
    const bench = new Bench((steps) => {
      controller.abort();
      return steps.map(applied);
    });
    const words = await bench.run(chain, controller.signal);
    expect(words).to.deep.equal([
      'applied Integration/crm',
      'applied Workflow/c',
      'skipped Workflow/a',
      'skipped Workflow/b',
    ]);
    expect(bench.said).to.have.length(2);
  });

  it('gives exactly one outcome per change, whatever the driver does', async () => {
    const behaviour = fc.array(fc.constantFrom('apply', 'fail', 'twice', 'forget', 'throw', 'other', 'abort'), {
      minLength: 12,
      maxLength: 12,
    });
    await fc.assert(
      fc.asyncProperty(scenes, behaviour, async (scene, behaviours) => {
        const plan = planOf(scene);
        const controller = new AbortController();
        let turn = 0;
        const bench = new Bench(function* (steps) {
          for (const step of steps) {
            const how = behaviours[turn++ % behaviours.length];
            if (how === 'throw') throw new Error('connection reset');
            if (how === 'abort') controller.abort();
            if (how === 'other') yield applied({ ...step, change: { ...step.change, key: 'Workflow/nobody' } });
            if (how === 'fail') yield failed(step);
            else if (how !== 'forget') yield applied(step);
            if (how === 'twice') yield failed(step);
          }
        });
        const words = await bench.run(plan, controller.signal);
        const keys = words.map((word) => word.slice(word.indexOf(' ') + 1));
        expect(keys.toSorted()).to.deep.equal(
          dueOf(plan)
            .map((change) => change.key as string)
            .toSorted(),
        );
        // An intent stays open exactly where the outcome is not known.
        const settled = words.filter((word) => word.startsWith('applied')).length;
        expect(bench.settled.length).to.be.at.least(settled);
      }),
      { numRuns: 300 },
    );
  });

  it('10,000 deletes behind a failed one take no time to speak of', async function () {
    this.timeout(5000);
    const changes = Array.from({ length: 10_000 }, (_, index): Change => {
      const remote = { id: `${index}`, version: '1' };
      return {
        key: `Workflow/w${index}`,
        kind: 'Workflow',
        title: 'w',
        verb: 'delete',
        cause: 'removed',
        dependsOn: [],
        remote,
      };
    });
    const last: Change = { ...changes[0], key: 'AccessGrant/g', dependsOn: ['AccessRole/r'] } as Change;
    const plan = { ...planOf({}), stages: [[last], ...stages(changes)] };
    const bench = new Bench((steps) => steps.map((step) => (step.change === last ? failed(step) : applied(step))));
    expect(await bench.run(plan)).to.have.length(10_001);
  });
});
