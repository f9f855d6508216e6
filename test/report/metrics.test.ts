import { expect } from 'chai';
import { Metrics } from '../../src/report/metrics.ts';
import { ORIGIN, applied, failed, passOf, planOf, updateOf, withheld } from './reports.ts';

/** The samples of an exposition, by name and labels as they are written. */
async function samples(metrics: Metrics): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>();
  for (const line of (await metrics.text()).split('\n')) {
    const match = /^(\S+?(?:\{.*\})?) (\S+)$/.exec(line);
    if (match?.[1] !== undefined && !line.startsWith('#')) found.set(match[1], Number(match[2]));
  }
  return found;
}
const HERE = 'sync="orders",platform="prod"';
const run = { id: '1', workflow: 'tab1', status: 'success', startedAt: 1000, endedAt: 31_000 } as const;

describe('metrics', () => {
  it('exist with zero before anything has happened, so that the first failure is an increase', async () => {
    const metrics = new Metrics({ version: '1.2.3' });
    metrics.expectSync('orders', 'prod');
    const found = await samples(metrics);
    expect(found.get(`plumbline_passes_total{${HERE},trigger="retry",result="failed"}`)).to.equal(0);
    expect(found.get(`plumbline_problems{${HERE},severity="error"}`)).to.equal(0);
    expect(found.get(`plumbline_build_info{version="1.2.3",node="${process.version}"}`)).to.equal(1);
  });

  it('exist for changes of the kinds that a Sync has, with zero before any of them: for no others, and twice for none', async () => {
    const metrics = new Metrics({ version: '1' });
    metrics.expectSync('orders', 'prod');
    metrics.expectKinds('orders', 'prod', ['AccessGrant']);
    metrics.pass(passOf({ outcomes: [applied(updateOf('Workflow/a'))] }));
    metrics.expectKinds('orders', 'prod', ['AccessGrant']);
    const found = [...(await samples(metrics))].filter(([name]) => name.startsWith('plumbline_changes_total'));
    const kinds = new Set(found.map(([name]) => /kind="(\w+)"/.exec(name)?.[1]));
    expect([...kinds]).to.have.members(['AccessGrant', 'Workflow']);
    const failures = found.filter(([name]) => name.includes('verb="delete",result="failed"'));
    expect(failures.map(([, value]) => value)).to.deep.equal([0, 0]);
    expect(
      found.reduce((sum, [, value]) => sum + value, 0),
      'what was counted stays',
    ).to.equal(1);
  });

  it('count passes and changes, and show how things stand', async () => {
    const metrics = new Metrics({ version: '1' });
    const plan = planOf({
      withheld: [withheld(updateOf('Workflow/c'), 'delete-cap')],
      counts: { desired: 3, owned: 5, inSync: 2, drifted: 2 },
    });
    const problem = { origin: ORIGIN, message: 'Wrong.', remedy: 'Correct it.', severity: 'error' as const };
    metrics.pass(
      passOf({
        result: 'partly-failed',
        plan,
        problems: [problem],
        outcomes: [applied(updateOf('Workflow/a')), failed(updateOf('Workflow/b'))],
      }),
    );
    const found = await samples(metrics);
    expect(found.get(`plumbline_passes_total{${HERE},trigger="interval",result="partly-failed"}`)).to.equal(1);
    expect(found.get(`plumbline_pass_duration_seconds_sum{${HERE}}`)).to.equal(1.5);
    expect(found.get(`plumbline_changes_total{${HERE},kind="Workflow",verb="update",result="applied"}`)).to.equal(1);
    expect(found.get(`plumbline_changes_total{${HERE},kind="Workflow",verb="update",result="failed"}`)).to.equal(1);
    expect(found.get(`plumbline_withheld_changes{${HERE},code="delete-cap"}`)).to.equal(1);
    expect(found.get(`plumbline_drifted_objects{${HERE}}`)).to.equal(2);
    expect(found.get(`plumbline_owned_objects{${HERE}}`)).to.equal(5);
    expect(found.get(`plumbline_problems{${HERE},severity="error"}`)).to.equal(1);
    expect(found.get(`plumbline_last_pass_timestamp_seconds{${HERE}}`)).to.equal(1_700_000_001.5);
    expect(found.has(`plumbline_last_success_timestamp_seconds{${HERE}}`)).to.equal(false);
  });

  it('drop a series when what it tells is over: a withheld code, a former revision', async () => {
    const metrics = new Metrics({ version: '1' });
    metrics.pass(passOf({ plan: planOf({ withheld: [withheld(updateOf('Workflow/c'), 'delete-cap')] }) }));
    metrics.pass(passOf({ revision: 'r2' }));
    const names = [...(await samples(metrics)).keys()];
    expect(names.filter((name) => name.startsWith('plumbline_withheld_changes'))).to.deep.equal([]);
    expect(names.filter((name) => name.startsWith('plumbline_source_revision_info'))).to.deep.equal([
      `plumbline_source_revision_info{${HERE},revision="r2"}`,
    ]);
  });

  it('count no plan as a pass', async () => {
    const metrics = new Metrics({ version: '1' });
    metrics.pass(passOf({ result: 'planned' }));
    expect([...(await samples(metrics)).keys()].filter((name) => name.includes('orders'))).to.deep.equal([]);
  });

  it('lose every series of a Sync, a Platform or a workflow that goes, and no other', async () => {
    const metrics = new Metrics({ version: '1' });
    for (const platform of ['prod', 'test']) {
      metrics.expectSync('orders', platform);
      metrics.expectPlatform(platform);
      metrics.platformUp(platform, true);
      metrics.observer(platform)({ method: 'GET', route: '/flows', code: 200, seconds: 0.1 });
      metrics.execution(platform, 'a', run);
      metrics.execution(platform, 'b', run);
      metrics.pass(passOf({ platform }));
    }
    metrics.sourceRead('orders', 'fresh', 1);
    const naming = async (text: string): Promise<number> =>
      [...(await samples(metrics)).keys()].filter((name) => name.includes(text)).length;
    const others = await naming('workflow="b"');
    metrics.forgetWorkflow('prod', 'a');
    expect(await naming('platform="prod",workflow="a"')).to.equal(0);
    expect(await naming('workflow="b"')).to.equal(others);
    metrics.forgetPlatform('prod');
    expect(await naming('platform="prod"')).to.equal(0);
    expect(await naming('platform="test"')).to.be.above(100);
    metrics.forgetSync('orders');
    expect(await naming('sync="orders"')).to.equal(0);
    expect(await naming('workflow="a"')).to.be.above(0);
  });

  it('measure requests and runs in buckets that end at 0.5, 30 and 60 seconds', async () => {
    const metrics = new Metrics({ version: '1' });
    metrics.observer('prod')({ method: 'GET', route: '/flow/:id', code: 'error', seconds: 0.5 });
    metrics.execution('prod', 'orders', run);
    const found = await samples(metrics);
    const request = 'platform="prod",method="GET",route="/flow/:id"';
    for (const le of ['0.5', '30', '60'])
      expect(found.get(`plumbline_platform_request_duration_seconds_bucket{le="${le}",${request}}`)).to.equal(1);
    expect(found.get(`plumbline_platform_request_duration_seconds_bucket{le="0.25",${request}}`)).to.equal(0);
    expect(found.get(`plumbline_platform_requests_total{${request},code="error"}`)).to.equal(1);
    const execution = 'platform="prod",workflow="orders",result="success"';
    expect(found.get(`plumbline_workflow_execution_duration_seconds_bucket{le="30",${execution}}`)).to.equal(1);
    expect(found.get(`plumbline_workflow_execution_duration_seconds_bucket{le="10",${execution}}`)).to.equal(0);
    expect(found.get(`plumbline_workflow_executions_total{${execution}}`)).to.equal(1);
    expect(found.get('plumbline_workflow_executions_total{platform="prod",workflow="orders",result="error"}')).to.equal(
      0,
    );
  });

  it('stay bounded however many workflows and routes there are, and say how much was folded', async () => {
    const metrics = new Metrics({ version: '1', maxWorkflows: 3, maxRoutes: 2 });
    for (let index = 0; index < 50; index++) {
      metrics.execution('prod', `w${index}`, run);
      metrics.execution('prod', undefined, run);
      metrics.observer('prod')({ method: 'GET', route: `/r${index}`, code: 200, seconds: 1 });
    }
    const found = await samples(metrics);
    const counts = [...found].filter(
      ([name]) => name.startsWith('plumbline_workflow_executions_total') && name.includes('success'),
    );
    expect(counts.map(([name, value]) => [/workflow="(.*?)"/.exec(name)?.[1], value])).to.have.deep.members([
      ['w0', 1],
      ['w1', 1],
      ['w2', 1],
      ['_other', 47],
      ['_unmanaged', 50],
    ]);
    expect(found.get('plumbline_label_values_folded_total{label="workflow"}')).to.equal(47);
    expect(found.get('plumbline_label_values_folded_total{label="route"}')).to.equal(48);
  });

  it('show the queue as it is when they are asked', async () => {
    const metrics = new Metrics({ version: '1' });
    metrics.watchQueue(() => ({ waiting: 3, running: 1, delayed: 2, oldest: 4500 }));
    const found = await samples(metrics);
    expect(found.get('plumbline_queue_passes{state="waiting"}')).to.equal(3);
    expect(found.get('plumbline_queue_oldest_seconds')).to.equal(4.5);
  });

  it('describe themselves as they are exposed: name, type, labels and help, all of ours with our prefix', async () => {
    const metrics = new Metrics({ version: '1' });
    const described = metrics.describe();
    const types = [...(await metrics.text()).matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]);
    expect(described.map(({ name, type }) => [name, type])).to.have.deep.members(types);
    expect(described.every(({ name, help }) => name.startsWith('plumbline_') && help.length > 10)).to.equal(true);
    expect(described.find(({ name }) => name === 'plumbline_passes_total')).to.deep.include({
      type: 'counter',
      labels: ['sync', 'platform', 'trigger', 'result'],
    });
    expect(described.some(({ name }) => name === 'plumbline_process_resident_memory_bytes')).to.equal(true);
  });
});
