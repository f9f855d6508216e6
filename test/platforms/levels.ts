import { expect } from 'chai';
import { stringify } from 'yaml';
import { remoteOperations } from '../../src/daemon/remote-operations.ts';
import type { Daemon } from '../../src/daemon/service.ts';
import { ask, Place, until } from '../daemon/fixture.ts';
import { RawDirectus } from '../drivers/directus/raw-directus.ts';
import { ADMIN_TOKEN } from '../drivers/directus/server.ts';
import { flow, node, webhook } from '../drivers/n8n/harness.ts';
import { startN8n } from '../drivers/n8n/server.ts';
import type { N8nServer } from '../drivers/n8n/server.ts';
import { VERSIONS } from './versions.ts';

const apiVersion = 'plumbline.dev/v1alpha1';
const PATIENCE = 120_000;

/** Fails when it is asked to. */
const ORDERS = flow([
  webhook('orders', { responseMode: 'onReceived' }),
  node('Asked', 'if', { conditions: { string: [{ value1: '={{ $json.query.bad }}', value2: '1' }] } }),
  node('Fail', 'stopAndError', { errorMessage: 'as it was asked to' }),
]);
const CHECKOUT = {
  trigger: 'webhook',
  options: { method: 'GET', cacheEnabled: false, async: false, return: '$last' },
  operation: 'asked',
  operations: [
    {
      key: 'asked',
      type: 'condition',
      options: { filter: { $trigger: { query: { bad: { _eq: '1' } } } } },
      resolve: 'fail',
    },
    { key: 'fail', type: 'throw-error', options: { code: 'BAD', status: '500', message: 'as it was asked to' } },
  ],
};

describe('Service levels of a real n8n and a real Directus', function () {
  this.timeout(600_000);
  let n8n: N8nServer;
  let directus: RawDirectus;
  let place: Place;
  let daemon: Daemon;
  /** What was really run since counting began, counted apart. */
  const apart = { automation: { good: 0, bad: 0 }, backend: { good: 0, bad: 0 } };

  const document = (kind: string, name: string, spec: object, labels: object = {}): string =>
    stringify({ apiVersion, kind, metadata: { name, labels }, spec });
  const promised = (objectives: object): string =>
    document('ServiceLevel', 'runs', {
      selector: { matchLabels: { measured: 'yes' } },
      objectives,
    });
  const configuration = (): string => {
    const token = (env: string) => ({ token: { valueFrom: { env } } });
    const from = (path: string, platform: string) => ({
      source: { git: { url: `file://${place.repo}`, path } },
      platform,
      interval: '1h',
    });
    return [
      document('Platform', 'automation', { driver: 'n8n', url: n8n.url, auth: token('N8N_KEY') }),
      document('Platform', 'backend', { driver: 'directus', url: directus.url, auth: token('DIRECTUS_TOKEN') }),
      document('Sync', 'automation', from('n8n', 'automation')),
      document('Sync', 'backend', from('directus', 'backend')),
    ].join('---\n');
  };
  const start = () =>
    place.start({ environment: { ...process.env, N8N_KEY: n8n.apiKey, DIRECTUS_TOKEN: ADMIN_TOKEN } });

  before(async () => {
    [n8n, directus] = await Promise.all([startN8n(), RawDirectus.start(VERSIONS.directusOpen)]);
    place = await Place.create();
    const active = { active: true };
    const measured = { measured: 'yes' };
    await place.commit({
      'n8n/orders.yaml': document('Workflow', 'orders', { title: 'Orders', ...active, definition: ORDERS }, measured),
      'n8n/runs.yaml': promised({ successRate: '> 99%', durationP95: '< 30s', averageDuration: '< 30s' }),
      'directus/checkout.yaml': document(
        'Workflow',
        'checkout',
        { title: 'Checkout', ...active, definition: CHECKOUT },
        measured,
      ),
      'directus/runs.yaml': promised({ successRate: '> 99%' }),
    });
    await place.configure(configuration());
    daemon = await start();
    await until(
      async () => {
        const { syncs } = await remoteOperations(place.state).status({});
        const ready = syncs.every(({ conditions }) => conditions[0]?.status === 'True');
        return ready && (await standings()).length === 4 && (await counting()).length === 2;
      },
      'in order, and counting, on both',
      PATIENCE,
    );
  });
  after(async () => {
    await daemon?.stop('test');
    await place?.remove();
    await directus?.[Symbol.asyncDispose]();
    await n8n?.stop();
  });

  const standings = () => remoteOperations(place.state).serviceLevels({ name: 'runs' });
  const metrics = async (pattern: RegExp): Promise<readonly string[]> =>
    (await ask(`${daemon.url}/metrics`)).text.split('\n').filter((line) => pattern.test(line));
  const counting = () => metrics(/^plumbline_workflow_executions_counted_since_timestamp_seconds\{/);
  const standing = async (platform: string, objective = 'successRate') => {
    const all = await standings();
    const found = all.find((one) => one.platform === platform && one.objective === objective);
    if (found === undefined) throw new Error(`nothing is told of ${objective} on ${platform}`);
    return found;
  };

  /** Runs both workflows, and counts what was really begun. */
  const run = async (bad: boolean): Promise<void> => {
    const word = bad ? 'bad' : 'good';
    const [row] = (await directus.rows('flows')).filter(({ name }) => name === 'Checkout');
    const query = `?bad=${bad ? 1 : 0}`;
    // n8n registers a webhook some time after it said that the workflow is active; what is refused begins nothing.
    await until(
      async () => {
        const order = await fetch(`${n8n.url}/webhook/orders${query}`, { method: 'POST' });
        await order.text();
        return order.status === 200;
      },
      'the workflow called',
      PATIENCE,
    );
    apart.automation[word] += 1;
    await ask(`${directus.url}/flows/trigger/${row?.id ?? ''}${query}`);
    apart.backend[word] += 1;
  };
  /** What each platform's own records say, past any driver. */
  const recorded = async () => {
    const answer = await ask(`${n8n.url}/api/v1/executions?limit=250`, { 'x-n8n-api-key': n8n.apiKey });
    const runs = (JSON.parse(answer.text) as { data: readonly { status: string }[] }).data;
    const of = (status: string): number => runs.filter((one) => one.status === status).length;
    return { good: of('success'), bad: of('error') };
  };
  const told = async (platform: keyof typeof apart): Promise<void> => {
    await until(
      async () => {
        const { good, bad } = await standing(platform);
        return good + bad >= apart[platform].good + apart[platform].bad;
      },
      `every run of ${platform} counted`,
      PATIENCE,
    );
    const { good, bad } = await standing(platform);
    expect({ good, bad }, platform).to.deep.equal(apart[platform]);
  };

  it('count runs as many as were begun and as failed, and each once although the daemon was started anew in between', async () => {
    for (let index = 0; index < 12; index++) await run(index % 4 === 1);
    await told('automation');
    await told('backend');
    expect(await recorded(), 'as n8n itself has it').to.deep.equal(apart.automation);
    await daemon.stop('restart');
    for (let index = 0; index < 4; index++) await run(index === 0);
    daemon = await start();
    await told('automation');
    await told('backend');
    expect(await recorded()).to.deep.equal(apart.automation);
    const { bad, good } = apart.automation;
    expect(await standing('automation')).to.deep.include({ now: good / (good + bad), state: 'missed' });
    for (const [platform, object, counts] of [
      ['automation', 'orders', apart.automation],
      ['backend', 'checkout', apart.backend],
    ] as const) {
      const labels = `platform="${platform}",service_level="runs",objective="successRate",object="${object}"`;
      const lines = await metrics(/^plumbline_service_level_events_total\{/);
      for (const [result, count] of Object.entries(counts))
        expect(lines).to.include(
          `plumbline_service_level_events_total{${labels},within="",window="30d",result="${result}"} ${count}`,
        );
      expect(await metrics(/^plumbline_workflow_executions_total\{/)).to.include.members([
        `plumbline_workflow_executions_total{platform="${platform}",workflow="${object}",result="success"} ${counts.good}`,
        `plumbline_workflow_executions_total{platform="${platform}",workflow="${object}",result="error"} ${counts.bad}`,
      ]);
    }
  });

  it('time the runs of n8n, which says when they began and ended', async () => {
    const timed = await standing('automation', 'durationP95');
    expect(timed.good + timed.bad).to.equal(apart.automation.good + apart.automation.bad);
    const { now } = await standing('automation', 'averageDuration');
    expect(now).to.be.greaterThan(0).and.lessThan(30);
  });

  it('of durations are refused on Directus, which does not say how long its runs take', async () => {
    await place.commit({ 'directus/runs.yaml': promised({ successRate: '> 99%', durationP95: '< 30s' }) });
    const plans = await remoteOperations(place.state).plan({ sync: 'backend' });
    const because = plans.flatMap(({ plan }) => plan?.withheld ?? []).map((one) => one.because);
    expect(because.join()).to.match(/how long/);
  });

  it('go with their workflow: the series and the counts of one that was deleted are gone', async () => {
    await place.commit({ 'n8n/orders.yaml': undefined, 'directus/runs.yaml': promised({ successRate: '> 99%' }) });
    await remoteOperations(place.state).reconcile({ sync: 'automation' });
    await until(
      async () => {
        const lines = await metrics(/^plumbline_(service_level_events_total|workflow_executions_total)\{/);
        return !lines.some((line) => line.includes('platform="automation"') && line.includes('orders'));
      },
      'the series gone',
      PATIENCE,
    );
    const { ledger } = daemon.workshop.engine.parts;
    expect(ledger.tallies.runs().filter(({ workflow }) => workflow === 'orders')).to.deep.equal([]);
    expect(ledger.tallies.runs().filter(({ workflow }) => workflow === 'checkout')).to.not.deep.equal([]);
  });
});
