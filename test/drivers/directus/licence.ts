import { expect } from 'chai';
import type { JsonObject } from '../../../src/manifest/manifest.ts';
import type { Sample } from '../contract-harness.ts';
import { apply, createAll, never, stepFor } from '../contract-steps.ts';
import { DirectusDesk } from './desk.ts';
import { logs, samplesFor, workflow } from './contract-samples.ts';
import { RawDirectus } from './raw-directus.ts';
import type { DirectusVersion } from './server.ts';

/** On a Directus whose licence refuses much: what the preflight refuses is what the server would refuse, no more, no less. */
export function describeLicence(version: DirectusVersion): void {
  describe(`The licence of a real Directus ${version}`, function () {
    this.timeout(300_000);
    let raw: RawDirectus;
    let desk: DirectusDesk;
    before(async () => {
      raw = await RawDirectus.start(version);
      desk = new DirectusDesk(raw.url);
    });
    beforeEach(() => raw.clear());
    after(async () => {
      desk?.[Symbol.dispose]();
      await raw?.[Symbol.asyncDispose]();
    });

    it('is told by probe, with what it lacks', async () => {
      await using driver = desk.driver();
      const { licence, notes } = await driver.probe(never);
      expect(licence).to.equal('Core');
      expect(notes.join('\n')).to.match(/custom permission rules/);
    });

    it('refuses in the plan the permissions that the server refuses, and no others', async () => {
      await using driver = desk.driver();
      const roles = RULES.map((rule, index) => roleWith(`Rule ${index}`, rule));
      const steps = roles.map((sample) => stepFor('create', sample, driver));
      const refused = new Set((await driver.preflight(steps, never)).map(({ key }) => key));
      for (const step of steps) {
        const [outcome] = await apply(driver, [step]);
        const { key } = step.change;
        expect(outcome?.status === 'failed', `${key} ${JSON.stringify(RULES)}`).to.equal(refused.has(key));
        if (outcome?.status === 'failed') expect(outcome.error.code).to.equal('licence');
      }
      expect(refused.size).to.equal(4);
    });

    it('refuses in the plan the active flows beyond the quota, and the server takes exactly the others', async () => {
      await using driver = desk.driver();
      await createAll(driver, [flow(0), flow(1)]);
      const steps = [2, 3, 4, 5, 6].map((number) => stepFor('create', flow(number), driver));
      steps.push(stepFor('create', workflow('Workflow/idle', 'Idle', 'x', false), driver));
      const refused = (await driver.preflight(steps, never)).map(({ key }) => key);
      expect(refused).to.deep.equal(['Workflow/flow-5', 'Workflow/flow-6']);
      const outcomes = await apply(driver, steps);
      const failed = outcomes.filter(({ status }) => status === 'failed');
      expect(failed.length).to.equal(refused.length);
      expect((await raw.rows('flows')).length).to.equal(steps.length + 2 - refused.length);
    });

    it('lets everything pass that it includes', async () => {
      await using driver = desk.driver();
      const steps = samplesFor('core').map((sample) => stepFor('create', sample, driver));
      expect(await driver.preflight(steps, never)).to.deep.equal([]);
    });
  });
}

const FILES = { collection: 'directus_files' };
const RULES: readonly JsonObject[] = [
  { ...FILES, action: 'read' },
  { ...FILES, action: 'read', permissions: { id: { _nnull: true } } },
  { ...FILES, action: 'read', fields: ['id'] },
  { ...FILES, action: 'create', validation: { title: { _nnull: true } } },
  { ...FILES, action: 'create', presets: { title: 'x' } },
  { ...FILES, action: 'share' },
];

function roleWith(title: string, rule: JsonObject): Sample {
  const key = `AccessRole/${title.toLowerCase().replace(' ', '-')}` as const;
  const spec = { title, permissions: [], native: { permissions: [rule] } };
  return { key, kind: 'AccessRole', title, spec, changed: spec, dependsOn: [], secrets: {}, open: [] };
}

function flow(number: number): Sample {
  const sample = workflow(`Workflow/flow-${number}`, `Flow ${number}`, 'x');
  const definition = {
    trigger: 'webhook',
    operation: 'a',
    operations: [logs('a', '1', { resolve: 'b' }), logs('b', '2')],
  };
  return { ...sample, spec: { ...sample.spec, definition } };
}
