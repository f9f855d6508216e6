import { expect } from 'chai';
import { load, specOf, told, yaml } from './loading.ts';

const level = (spec: string, name = 'level'): string => yaml('ServiceLevel', name, `spec: {${spec}}`);
const workflow = (name: string, labels = '{}'): string =>
  `apiVersion: plumbline.dev/v1alpha1\nkind: Workflow\nmetadata: {name: ${name}, labels: ${labels}}\nspec: {definition: {}}\n`;
const files = (...documents: readonly string[]) => ({ 'a.yaml': documents.join('---\n') });

describe('a ServiceLevel', () => {
  it('is read with its defaults, targets in one way of being written, and what it selects', async () => {
    const desired = await load(
      files(
        level('selector: {names: [b, a]}, objectives: {successRate: "target >= 99.5 %", averageDuration: "<30s"}'),
        workflow('a'),
        workflow('b'),
        workflow('c'),
      ),
    );
    expect(told(desired)).to.deep.equal([]);
    expect(await specOf(desired, 'ServiceLevel/level')).to.deep.equal({
      title: 'level',
      selector: { kind: 'Workflow', names: ['b', 'a'] },
      window: '30d',
      objectives: { successRate: '>= 99.5%', averageDuration: '< 30s' },
      alerts: { page: true, ticket: true, contacts: [] },
      minimumTraffic: 10,
      objects: ['a', 'b'],
    });
    expect(desired.manifests.get('ServiceLevel/level')?.dependsOn).to.deep.equal(['Workflow/a', 'Workflow/b']);
  });

  it('selects by labels, or everything of a kind, as the source has it; another label is another content', async () => {
    const selecting = (selector: string, b: string) =>
      load(
        files(
          level(`${selector}objectives: {successRate: "> 99%"}`),
          workflow('a', '{team: orders, tier: "1"}'),
          workflow('b', b),
        ),
      );
    const objects = async (desired: Awaited<ReturnType<typeof load>>) =>
      (await specOf(desired, 'ServiceLevel/level'))['objects'];
    const labelled = await selecting('selector: {matchLabels: {team: orders, tier: "1"}}, ', '{team: orders}');
    expect(await objects(labelled)).to.deep.equal(['a']);
    expect(await objects(await selecting('', '{}'))).to.deep.equal(['a', 'b']);
    const more = await selecting('selector: {matchLabels: {team: orders, tier: "1"}}, ', '{team: orders, tier: "1"}');
    expect(await objects(more)).to.deep.equal(['a', 'b']);
    const print = (desired: typeof more) => desired.manifests.get('ServiceLevel/level')?.fingerprint;
    expect(print(more)).to.not.equal(print(labelled));
    expect(print(await selecting('selector: {matchLabels: {team: orders, tier: "1"}}, ', '{team: orders}'))).to.equal(
      print(labelled),
    );
  });

  it('is left as it is while something that it may select cannot be read (law 3)', async () => {
    const broken = 'apiVersion: plumbline.dev/v1alpha1\nkind: Workflow\nmetadata: {name: b}\nspec: {activ: true}\n';
    const open = await load(files(level('objectives: {successRate: "> 99%"}'), workflow('a'), broken));
    expect(open.manifests.has('ServiceLevel/level')).to.equal(false);
    expect([...open.unknown.keys]).to.include('ServiceLevel/level');
    const named = await load(
      files(level('selector: {names: [a]}, objectives: {successRate: "> 99%"}'), workflow('a'), broken),
    );
    expect(named.manifests.has('ServiceLevel/level')).to.equal(true);
  });

  it('names only what is in the source', async () => {
    const desired = await load(
      files(
        level('selector: {names: [a, ordrs]}, objectives: {successRate: "> 99%"}'),
        workflow('a'),
        workflow('orders'),
      ),
    );
    expect(told(desired)).to.deep.equal([
      'a.yaml:4:30: error: spec.selector.names[1] refers to Workflow/ordrs, which is not in the source. Did you mean "orders"?',
    ]);
  });

  it('refuses what is no target, and says where, why, and what to do (law 12)', async () => {
    const wrong: readonly (readonly [string, RegExp])[] = [
      [
        'successRate: "99%"',
        /spec\.objectives\.successRate is not a target\. Write a comparison with a unit, such as "> 99%"/,
      ],
      ['successRate: "< 99%"', /is on the wrong side: successRate is good when it is >/],
      ['averageDuration: "> 30s"', /is on the wrong side: averageDuration is good when it is </],
      ['averageDuration: "< 30%"', /has a unit that averageDuration is not measured in\. Write "< 30s"/],
      ['successRate: "> 100%"', /leaves no room: a target of 100 %/],
      ['successRate: "> 0%"', /is no promise/],
      ['durationP95: "< 0s"', /is a time in which nothing can happen/],
      ['latencyP99: "< 500ms"', /is not measured of a Workflow, but of Platform\. Of a Workflow there are successRate/],
      ['sucessRate: "> 99%"', /unknown field spec\.objectives\.sucessRate.*Did you mean "successRate"/],
    ];
    for (const [objective, expected] of wrong) {
      const [problem, ...more] = told(await load(files(level(`objectives: {${objective}}`), workflow('a'))));
      expect(problem, objective)
        .to.match(expected)
        .and.match(/^a\.yaml:4:/);
      expect(more, objective).to.deep.equal([]);
    }
    const rest: readonly (readonly [string, RegExp])[] = [
      ['objectives: {}', /spec\.objectives is empty\. Give at least one of successRate/],
      ['objectives: {successRate: "> 9%"}, window: 6d', /spec\.window is not a window\. Write 7d to 90d/],
      ['objectives: {successRate: "> 9%"}, window: 91d', /spec\.window is not a window/],
      [
        'objectives: {successRate: "> 9%"}, selector: {names: [a], matchLabels: {}}',
        /only one of names \| matchLabels/,
      ],
      [
        'objectives: {successRate: "> 9%"}, alerts: {runbook: "javascript:x"}',
        /alerts\.runbook is not an http or https/,
      ],
    ];
    for (const [spec, expected] of rest)
      expect(told(await load(files(level(spec), workflow('a')))).join('\n'), spec).to.match(expected);
  });

  it('comes of monitoring_config, each value at the place where it was written', async () => {
    const compact = `monitoring_config:
  workflow_executions:
    success_rate: "target > 99%"
    avg_duration: "target < 30s"
    error_alerts: true
  api_responses:
    latency_p99: "target < 500ms"
    error_rate: "target < 0.1%"
  custom_integrations:
    sync_latency: "target < 60s"
    data_quality: "target > 99.9%"
`;
    const desired = await load({ 'a.yaml': compact, 'b.yaml': workflow('orders') });
    expect(told(desired)).to.deep.equal([]);
    const runs = await specOf(desired, 'ServiceLevel/workflow-executions');
    expect(runs).to.deep.include({
      selector: { kind: 'Workflow' },
      objectives: { successRate: '> 99%', averageDuration: '< 30s' },
      alerts: { page: true, ticket: true, contacts: [] },
      objects: ['orders'],
    });
    expect(await specOf(desired, 'ServiceLevel/api-responses')).to.deep.include({
      selector: { kind: 'Platform' },
      objectives: { errorRate: '< 0.1%', latencyP99: '< 500ms' },
    });
    expect(await specOf(desired, 'ServiceLevel/custom-integrations')).to.deep.include({
      objectives: { syncLatency: '< 60s', dataQuality: '> 99.9%' },
    });
    const wrong = compact
      .replace('"target > 99%"', 'lots')
      .replace('latency_p99', 'latency_p9')
      .replace('true', 'false');
    const read = await load({ 'a.yaml': wrong });
    expect(told(read).join('\n')).to.match(/a\.yaml:3:5: error: spec\.objectives\.successRate is not a target/);
    expect(told(read).join('\n')).to.match(
      /a\.yaml:7:5: error: unknown field "latency_p9"\. Did you mean "latency_p99"/,
    );
    const silent = await load({ 'a.yaml': compact.replace('true', 'false'), 'b.yaml': workflow('orders') });
    expect(await specOf(silent, 'ServiceLevel/workflow-executions')).to.have.deep.property('alerts', {
      page: false,
      ticket: false,
      contacts: [],
    });
    expect(told(await load({ 'a.yaml': 'monitoring_config: {worflow_executions: {}}' })).join()).to.match(
      /a\.yaml:1:21: error: unknown field "worflow_executions"\. Did you mean "workflow_executions"/,
    );
  });
});
