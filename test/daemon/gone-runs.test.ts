import { expect } from 'chai';
import { forgetGoneRuns } from '../../src/daemon/gone-runs.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { Metrics } from '../../src/report/metrics.ts';
import { owned, stateDirectories } from '../ledger/samples.ts';

describe('counts of runs of workflows that have gone', () => {
  const directory = stateDirectories();
  let ledger: Ledger;
  let metrics: Metrics;

  beforeEach(() => {
    ledger = Ledger.open(directory());
    metrics = new Metrics({ version: '1', maxWorkflows: 2 });
  });
  afterEach(() => ledger.close());

  const own = (platform: string, name: string): void =>
    ledger
      .journal({ sync: 'orders', platform })
      .record([{ record: 'own', owned: owned(`Workflow/${name}`, { remote: name }) }]);
  const count = (platform: string, workflow: string, result = 'success'): void => {
    const run = { platform, workflow, result, count: 3 };
    ledger.tallies.add({ at: 1, counts: new Map(), runs: [run] });
    metrics.restoreExecutions([run]);
  };
  const forget = (platforms: readonly string[] = ['prod'], holds = true): void =>
    forgetGoneRuns({ ledger, metrics, platforms: () => platforms, holds: () => holds });
  const rows = () => ledger.tallies.runs().map(({ platform, workflow, result }) => [platform, workflow, result].join());
  const series = async () =>
    [...(await metrics.text()).matchAll(/^plumbline_workflow_executions_total\{.*workflow="(\w+)".*\} 3$/gm)].map(
      ([, name]) => name,
    );

  it('go, rows and series, and make room for others; those of workflows that stay go on', async () => {
    own('prod', 'stays');
    for (const name of ['stays', 'gone']) count('prod', name);
    count('prod', 'gone', 'error');
    count('prod', '_unmanaged');
    forget();
    expect(rows()).to.have.members(['prod,stays,success', 'prod,_unmanaged,success']);
    expect(await series()).to.have.members(['stays', '_unmanaged']);
    expect(await metrics.text()).to.not.include('workflow="gone"');
    expect(metrics.workflowLabel('prod', 'new'), 'there is room for it').to.equal('new');
  });

  it('stay where somebody else holds the platform, because what is owned there is not known', () => {
    count('prod', 'anything');
    forget(['prod'], false);
    expect(rows()).to.deep.equal(['prod,anything,success']);
  });

  it('are told apart by platform, and go with their platform', () => {
    own('staging', 'orders');
    count('prod', 'orders');
    count('staging', 'orders');
    forget(['prod', 'staging']);
    expect(rows()).to.deep.equal(['staging,orders,success']);
    forget(['prod'], false);
    expect(rows()).to.deep.equal([]);
  });

  it('cost no write while there are none', () => {
    own('prod', 'orders');
    count('prod', 'orders');
    ledger.tallies.forgetRuns = () => {
      throw new Error('something was written');
    };
    forget();
  });
});
