import { expect } from 'chai';
import type { PluginHost } from '../../src/plugins/plugin-host.ts';
import type { ChangeChecks } from '../../src/plugins/changes.ts';
import type { Plan } from '../../src/plan/types.ts';
import { CANARY, Workbench } from '../plugins/workbench.ts';
import { Desk, document, workflow } from './desk.ts';

/** Refuses steps that are forbidden, by key, and says what it was asked on its standard output. */
const JUDGE = `export default { execute(context) {
  console.log('asked ' + context.changes.map(({ verb, key }) => verb + ' ' + key).join(', '));
  const bad = context.changes.filter(({ spec }) => spec.definition?.step === 'forbidden');
  return { ...context, refusals: bad.map(({ key }) => ({ key, message: 'this step is forbidden', remedy: 'Use another step.' })) };
} };`;
const ROLE = { permissions: [{ on: 'workflow', verbs: ['read', 'run'] }] };
const grant = (user: string) => ({ role: 'operator', subjects: [{ user }], scope: { platform: true } });

describe('A pass whose changes plugins look at', function () {
  this.timeout(60_000);
  let desk: Desk;
  let bench: Workbench;
  beforeEach(() => {
    desk = new Desk();
    bench = new Workbench();
  });
  afterEach(async () => {
    desk.close();
    await bench[Symbol.asyncDispose]();
  });
  const judge = (spec: object = {}, text = JUDGE): Promise<PluginHost> => {
    bench.lay('judge', text);
    return bench.host({ judge: { changes: {}, ...spec } });
  };
  const withheld = (plan: Plan | undefined) => plan?.withheld.map(({ change, code }) => `${change.key}: ${code}`);

  it('withholds what one refuses, with file, line and remedy, and what depends on it; the rest is applied', async () => {
    const checkChanges = await judge();
    desk.write('crm.yaml', document('Integration', 'crm', { type: 'http', settings: {} }));
    desk.write('a.yaml', `# first line\\n${workflow('a', 'forbidden')}`.replace('\\n', '\n'));
    desk.write('b.yaml', workflow('b', 'fine', { uses: ['crm'] }));
    const report = await desk.pass({ checkChanges });
    expect(desk.writes()).to.deep.equal(['create Integration/crm', 'create Workflow/b']);
    expect(report.result).to.equal('withheld');
    expect(report.plan?.withheld).to.have.length(1);
    expect(report.plan?.withheld[0]).to.deep.include({
      code: 'policy',
      because: 'a.yaml:2:1: the plugin judge refuses it: this step is forbidden.',
      remedy: 'Use another step.',
    });
  });

  it('withholds what needs a refused object', async () => {
    const text = `export const execute = (context) => ({ refusals: context.changes.filter(({ kind }) => kind === 'Integration').map(({ key }) => ({ key, message: 'no' })) });`;
    const checkChanges = await judge({}, text);
    desk.write('crm.yaml', document('Integration', 'crm', { type: 'http', settings: {} }));
    desk.write('b.yaml', workflow('b', 'fine', { uses: ['crm'] }));
    const report = await desk.pass({ checkChanges });
    expect(withheld(report.plan)).to.have.members(['Integration/crm: policy', 'Workflow/b: dependency']);
    expect(desk.writes()).to.deep.equal([]);
  });

  it('refuses updates as well, and says so in a plan that nobody carries out', async () => {
    const checkChanges = await judge();
    desk.write('a.yaml', workflow('a', 'one'));
    await desk.pass({ checkChanges });
    desk.write('a.yaml', workflow('a', 'forbidden'));
    const planned = await desk.pass({ checkChanges, mode: 'plan' });
    expect(withheld(planned.plan)).to.deep.equal(['Workflow/a: policy']);
    desk.writes();
    await desk.commit({ checkChanges });
    expect(desk.writes()).to.deep.equal([]);
    desk.write('a.yaml', workflow('a', 'two'));
    await desk.commit({ checkChanges });
    expect(desk.writes()).to.deep.equal(['update Workflow/a']);
  });

  it('asks nobody when it is quiet, and only about the kinds and platforms that a plugin is for', async () => {
    const checkChanges = await judge({ changes: { kinds: ['Integration'] }, platforms: ['memory'] });
    desk.write('a.yaml', workflow('a', 'forbidden'));
    await desk.pass({ checkChanges });
    expect(desk.writes()).to.deep.equal(['create Workflow/a']);
    await desk.pass({ checkChanges });
    expect(checkChanges.pids).to.deep.equal([]);
    desk.write('crm.yaml', document('Integration', 'crm', { type: 'http', settings: {} }));
    await desk.pass({ checkChanges });
    await checkChanges[Symbol.asyncDispose]();
    expect(bench.printed).to.deep.equal(['judge: asked create Integration/crm']);
  });

  it('asks about nothing that a window withholds anyway', async () => {
    const checkChanges = await judge();
    desk.write('a.yaml', workflow('a', 'one'));
    const report = await desk.pass({ checkChanges, rules: { windows: [], suspended: 'holiday' } });
    expect(withheld(report.plan)).to.deep.equal(['Workflow/a: suspended']);
    expect(checkChanges.pids).to.deep.equal([]);
  });

  it('withholds what a plugin that fails should have seen, says so, and goes on with the rest (fail closed)', async () => {
    bench.lay('broken', 'export const execute = () => { throw new Error("no database"); };');
    const checkChanges = await bench.host({ broken: { changes: { kinds: ['Workflow'] } } });
    desk.write('crm.yaml', document('Integration', 'crm', { type: 'http', settings: {} }));
    desk.write('a.yaml', workflow('a', 'one'));
    const report = await desk.pass({ checkChanges });
    expect(desk.writes()).to.deep.equal(['create Integration/crm']);
    expect(withheld(report.plan)).to.deep.equal(['Workflow/a: policy']);
    expect(report.plan?.withheld[0]?.because).to.equal(
      'a.yaml:1:1: it has to be checked by a plugin that cannot tell: The plugin broken failed: no database.',
    );
    expect(report.plan?.withheld[0]?.remedy).to.include('Mend the code of the plugin');
  });

  it('never holds up that access is taken away, whatever a plugin says or does (law 16)', async () => {
    desk.write('r.yaml', document('AccessRole', 'operator', ROLE));
    desk.write('alice.yaml', document('AccessGrant', 'alice', grant('alice')));
    desk.write('bob.yaml', document('AccessGrant', 'bob', grant('bob')));
    desk.write('a.yaml', workflow('a', 'one'));
    await desk.pass();
    desk.writes();
    desk.delete('alice.yaml');
    desk.write('eve.yaml', document('AccessGrant', 'eve', grant('eve')));
    desk.write('a.yaml', workflow('a', 'two'));
    const checkChanges = await judge({ limits: { timeout: '200ms' } }, 'export const execute = () => { for (;;); };');
    const report = await desk.pass({ checkChanges });
    expect(desk.writes()).to.deep.equal(['delete AccessGrant/alice']);
    expect(withheld(report.plan)).to.have.members(['AccessGrant/eve: policy', 'Workflow/a: policy']);
  });

  it('does not hold up deletes that nobody is asked about', async () => {
    desk.write('a.yaml', workflow('a', 'one'));
    desk.write('b.yaml', workflow('b', 'one'));
    await desk.pass();
    desk.delete('a.yaml');
    desk.writes();
    const checkChanges = await judge({}, 'export const execute = () => { throw new Error("no"); };');
    await desk.pass({ checkChanges });
    expect(desk.writes()).to.deep.equal(['delete Workflow/a']);
  });

  it('shows plugins the content that git wants, with where it was written, and no secret', async () => {
    desk.env['ORDERS_KEY'] = CANARY;
    const text = `export const execute = (context) => { console.log(JSON.stringify(context)); return context; };`;
    const checkChanges = await judge({ settings: { strict: true } }, text);
    const secrets = { value: { valueFrom: { env: 'ORDERS_KEY' } } };
    const spec = { title: 'CRM', type: 'http', settings: { url: 'https://crm' }, secrets };
    desk.write('crm.yaml', document('Integration', 'crm', spec, { labels: { team: 'orders' } }));
    await desk.pass({ checkChanges });
    await checkChanges[Symbol.asyncDispose]();
    const [line = ''] = bench.printed;
    expect(line).to.not.include('•••');
    const context = JSON.parse(line.slice('judge: '.length)) as { changes: readonly Record<string, unknown>[] };
    expect(context).to.deep.include({ about: 'changes', plugin: 'judge', platform: 'memory', sync: 'orders' });
    expect(context).to.have.deep.property('settings', { strict: true });
    const [change] = context.changes;
    expect(change).to.deep.include({
      verb: 'create',
      key: 'Integration/crm',
      kind: 'Integration',
      name: 'crm',
      title: 'CRM',
    });
    expect(change?.['labels']).to.deep.equal({ team: 'orders' });
    expect(change?.['origin']).to.include({ file: 'crm.yaml', line: 1, column: 1 });
    expect(change?.['spec']).to.deep.include({ type: 'http', settings: { url: 'https://crm' } });
    expect(desk.writes()).to.deep.equal(['create Integration/crm']);
  });

  it('asks about many changes in batches of bounded size, each once, and a refusal of all concerns all', async () => {
    const text = `let first = true; export const execute = (context) => {
      console.log(context.changes.length); const refuse = first && context.settings.refuse; first = false;
      return { refusals: refuse ? [{ message: 'closed today' }] : [] }; };`;
    const big = 'x'.repeat(300_000);
    for (const name of ['a', 'b', 'c', 'd', 'e']) desk.write(`${name}.yaml`, workflow(name, big));
    const strict = await judge({ settings: { refuse: true } }, text);
    const report = await desk.pass({ checkChanges: strict });
    expect(report.plan?.withheld.map(({ because }) => because)).to.have.length(5);
    await strict[Symbol.asyncDispose]();
    expect(bench.printed.splice(0)).to.deep.equal(['judge: 3', 'judge: 2']);
    await desk.pass({ checkChanges: await judge({}, text) });
    expect(desk.writes()).to.have.length(5);
  });

  it('withholds what was not judged in time, however long a plugin may take for one call', async () => {
    const text = `let calls = 0; export const execute = (context) => (calls++ === 0 ? context : new Promise(() => setInterval(() => 1, 1000)));`;
    bench.lay('judge', text);
    const host = await bench.host({ judge: { changes: {}, limits: { timeout: '60s' } } });
    const checkChanges: ChangeChecks = {
      concerns: (kind, platform) => host.concerns(kind, platform),
      checkChanges: (asked, signal) => host.checkChanges({ ...asked, patience: 1500 }, signal),
    };
    const big = 'x'.repeat(600_000);
    for (const name of ['a', 'b', 'c']) desk.write(`${name}.yaml`, workflow(name, big));
    const report = await desk.pass({ checkChanges });
    expect(withheld(report.plan)).to.have.length(2);
    expect(report.plan?.withheld[0]?.because).to.match(/did not answer for all changes within 1s500ms/);
    expect(desk.writes()).to.have.length(1);
  });

  it('stops when it is stopped, and leaves nothing running', async () => {
    const checkChanges = await judge({}, 'export const execute = () => new Promise(() => setInterval(() => 1, 1000));');
    desk.write('a.yaml', workflow('a', 'one'));
    const stop = new AbortController();
    const pass = desk.pass({ checkChanges }, stop.signal);
    while (checkChanges.pids.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    stop.abort(new Error('enough'));
    const report = await pass;
    expect(report.error).to.include({ code: 'stopped' });
    expect(desk.writes()).to.deep.equal([]);
  });
});
