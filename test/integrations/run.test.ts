import { expect } from 'chai';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ReconcilerError } from '../../src/errors.ts';
import { ask, until } from '../daemon/fixture.ts';
import { application } from '../daemon/memory-place.ts';
import { CANARY, CRM_SYNC, IntegrationPlace } from './place.ts';

const now = (): number => Date.now();

describe('Code of an Integration that runs', () => {
  let place: IntegrationPlace;

  afterEach(() => place[Symbol.asyncDispose]());

  it('brings records from one HTTP service to another, in pages, and goes on where it was', async () => {
    place = await IntegrationPlace.open();
    place.services.add(250);
    await place.write();
    await place.start();
    const first = await place.run();
    expect(first).to.deep.include({ result: 'success', waiting: 0, integration: 'crm-sync', platform: 'prod' });
    expect(first.collected).to.deep.equal({ valid: 250, invalid: 0, unchecked: 0 });
    expect(first.delivered).to.deep.equal({ applied: 250, failed: 0, dead: 0 });
    expect(place.services.people.get('c7')).to.deep.equal({ id: 'c7', email: 'c7@example.com' });
    expect([...place.services.tokens]).to.deep.equal([`Bearer ${CANARY}`]);
    place.services.add(1);
    expect((await place.run()).collected.valid).to.equal(1);
    expect(place.services.puts).to.have.length(251);
  });

  it('checks each record, gives bad ones up with their reason, and measures what was promised end to end', async () => {
    place = await IntegrationPlace.open();
    place.services.add(9, new Date(now() - 30_000).toISOString());
    place.services.customers.push({ id: 'bad', email: 'no address', changedAt: new Date().toISOString() });
    await place.write();
    await place.level({ dataQuality: '> 99.9%', syncLatency: '< 60s', successRate: '> 99%', freshness: '< 1h' });
    await place.start();
    expect(place.home.daemon.workshop.engine.parts.ledger.serviceLevels.list()).to.have.length(1);
    const report = await place.run();
    expect(report.collected).to.deep.equal({ valid: 9, invalid: 1, unchecked: 0 });
    const letters = await place.letters();
    expect(letters).to.have.length(1);
    expect(letters[0]).to.deep.include({ key: 'bad', integration: 'crm-sync', platform: 'prod' });
    expect(letters[0]?.reason).to.equal('it breaks the schema: /email must match format "email"');
    const levels = await place.home.operations.serviceLevels({});
    const told = levels.map(({ objective, good, bad, state }) => `${objective} ${good} ${bad} ${state}`);
    expect(told).to.have.members([
      'dataQuality 9 1 missed',
      'syncLatency 9 0 met',
      'successRate 1 0 met',
      'freshness 1 0 met',
    ]);
    const metrics = await place.metrics();
    const here = 'platform="prod",integration="crm-sync"';
    expect(metrics).to.include(`plumbline_integration_records_total{${here},result="valid"} 9`);
    expect(metrics).to.include(`plumbline_integration_records_total{${here},result="invalid"} 1`);
    expect(metrics).to.include(`plumbline_integration_sync_latency_seconds_bucket{le="60",${here}} 9`);
    expect(metrics).to.include(`plumbline_integration_sync_latency_seconds_bucket{le="10",${here}} 0`);
    expect(metrics).to.match(
      /integration_last_success_timestamp_seconds\{[^}]+\} 1\.\d+e\+9|timestamp_seconds\{[^}]+\} \d+/,
    );
    expect(metrics).to.include('objective="dataQuality",object="crm-sync",within="",window="30d",result="bad"} 1');
    const rules = JSON.stringify(await place.home.operations.rules({}));
    expect(rules, 'what Prometheus is to record and alert on').to.include('plumbline-service-levels');
    // Counts go on with the next process.
    await place.home.stop();
    await place.start();
    expect(await place.metrics()).to.include(`plumbline_integration_records_total{${here},result="valid"} 9`);
  });

  it('runs on its schedule, on an event of its platform, and is told why', async () => {
    const index = `export function execute(context) {
      if (context.about === 'deliver') return context;
      const { by, event } = context.trigger;
      return { ...context, records: [{ key: by, data: { by, type: event?.type ?? '' } }] };
    }`;
    place = await IntegrationPlace.open(index);
    await place.write({
      records: undefined as never,
      schedule: '* * * * * *',
      events: ['reconcile.*', 'order.created'],
    });
    await place.start();
    await until(async () => /unchecked"\} [1-9]/.test(await place.metrics()), 'a run by schedule', 90_000);
    const { intake } = await busOf(place);
    await intake({
      id: 'e1',
      source: 'test',
      type: 'order.created',
      time: now(),
      platform: 'prod',
      data: { order: 1 },
    });
    const { ledger } = place.home.daemon.workshop.engine.parts;
    await until(
      async () =>
        ledger.bus.list({}).some(({ handler, state }) => handler === 'integration/prod/crm-sync' && state === 'done'),
      'the event handed over',
      90_000,
    );
    await until(
      async () => ledger.syncs.nextWish({ platform: 'prod', name: 'crm-sync' }) === undefined,
      'its run',
      90_000,
    );
    expect(place.home.place.log).to.include('integration ran');
  });

  it('tries a record again that could not be delivered, and gives it up with its reason; no other is held up (law 8)', async () => {
    place = await IntegrationPlace.open();
    place.services.add(3);
    place.services.refuses.set('c0', 422).set('c1', 503);
    await place.write();
    await place.start();
    const report = await place.run();
    expect(report).to.have.property('result', 'failed');
    expect(report.delivered).to.deep.equal({ applied: 1, failed: 1, dead: 1 });
    expect(report.error?.message).to.include('the CRM answered 503');
    expect((await place.letters()).map(({ key, reason }) => `${key}: ${reason}`)).to.deep.equal([
      'c0: the CRM answered 422',
    ]);
    const [status] = await place.home.operations.integrations({});
    expect(status).to.deep.include({ state: 'failing', waiting: 1 });
    place.services.refuses.clear();
    // Not before its pause is over: a command does not hurry what a target could not take.
    expect((await place.run()).delivered.applied).to.equal(0);
    const { ledger } = place.home.daemon.workshop.engine.parts;
    expect(ledger.syncs.waiting({ platform: 'prod', name: 'crm-sync' }).due).to.be.greaterThan(now());
  });

  it('runs once at a time, whoever asks', async () => {
    const index = `export async function execute(context) {
      if (context.about === 'deliver') return context;
      await fetch(context.settings.crm + '/people/' + context.run, { method: 'PUT', body: '{}' });
      return { ...context, records: [] };
    }`;
    place = await IntegrationPlace.open(index);
    let [under, most] = [0, 0];
    place.services.onPut = async () => {
      most = Math.max(most, (under += 1));
      await new Promise((resolve) => setTimeout(resolve, 200));
      under -= 1;
    };
    await place.write({ schedule: '* * * * * *' });
    await place.start();
    await Promise.all(Array.from({ length: 6 }, () => place.run()));
    expect(most).to.equal(1);
    expect(place.services.puts.length).to.be.at.least(6);
  });

  it('runs nothing of a Sync that is suspended, or that allows it no more', async () => {
    place = await IntegrationPlace.open();
    await place.write();
    await place.start();
    const refusal = async (): Promise<string> => {
      const error: unknown = await place.run().catch((thrown: unknown) => thrown);
      return error instanceof ReconcilerError ? error.message : 'it ran';
    };
    await place.home.operations.suspend({ sync: 'orders', reason: 'a break' });
    expect(await refusal()).to.include('its Sync orders is suspended: a break');
    await place.home.operations.resume({ sync: 'orders' });
    expect(await refusal()).to.equal('it ran');
    await place.configure({ repositories: [{ url: 'https://git.example.com/*' }] });
    await until(async () => (await refusal()).includes('does not allow the repository'), 'the new terms', 90_000);
    const [status] = await place.home.operations.integrations({});
    expect(status).to.deep.include({ state: 'blocked' });
  });

  it('moves its lock by a visible step only', async () => {
    place = await IntegrationPlace.open();
    await place.write();
    await place.start();
    const before = (await place.run()).commit;
    const head = place.code.commit({ 'index.js': `${CRM_SYNC}// more\n` });
    await place.home.operations.apply({ sync: 'orders' });
    expect((await place.run()).commit).to.equal(before);
    expect(await place.home.operations.repin({ integration: 'crm-sync' })).to.deep.include({ from: before, to: head });
    await until(async () => (await place.run()).commit === head, 'the new commit', 90_000);
    const history = JSON.stringify(await place.home.operations.history({ key: 'Integration/crm-sync' }));
    expect(history).to.include('/code/commit');
  });

  it('lets a secret reach the code and nothing else (law 9)', async () => {
    const index = `export function execute(context) {
      console.log('token ' + context.secrets.token);
      if (context.about === 'deliver') throw new Error('no ' + context.secrets.token);
      const good = { id: 'b', email: 'b@example.com' };
      return { ...context, records: [{ key: 'a', data: { id: context.secrets.token, email: 'a@example.com' } },
        { key: context.secrets.token, data: good }, context.secrets.token, { key: 'b', data: good }] };
    }`;
    place = await IntegrationPlace.open(index);
    await place.write();
    await place.start();
    const report = await place.run();
    expect(report.collected).to.deep.equal({ valid: 1, invalid: 3, unchecked: 0 });
    const leaky = 'export const execute = (c) => ({ ...c, records: [], cursor: c.secrets.token, more: true });';
    place.code.commit({ 'index.js': leaky });
    await place.home.operations.repin({ integration: 'crm-sync' });
    await until(async () => (await place.run()).error?.code === 'code-malformed', 'the leaky cursor', 90_000);
    const told = [
      JSON.stringify(report),
      JSON.stringify(await place.letters()),
      JSON.stringify(await place.home.operations.integrations({})),
      JSON.stringify(await place.home.operations.status({})),
      JSON.stringify(await place.home.operations.plan({ sync: 'orders' })),
      JSON.stringify(await place.home.operations.events({})),
      place.home.place.log,
      await place.metrics(),
    ];
    await place.home.stop();
    for (const name of await readdir(place.home.place.state))
      if (name.startsWith('ledger')) told.push((await readFile(join(place.home.place.state, name))).toString('latin1'));
    expect(place.home.place.log).to.include('integration printed');
    for (const text of told) expect(text).to.not.include(CANARY).and.not.include('crm+token-4711');
  });

  for (const [what, index, code, message] of [
    [
      'throws',
      "export const execute = () => { throw new Error('out of luck'); };",
      'plugin-failed',
      'failed: out of luck',
    ],
    ['hangs', 'export const execute = () => { for (;;); };', 'plugin-timeout', 'did not answer within'],
    [
      'writes a file',
      "import { writeFileSync } from 'node:fs'; export const execute = () => writeFileSync('/tmp/plumbline-evil', '');",
      'plugin-failed',
      'failed: it may not write files',
    ],
    [
      'reads what is not its own',
      "import { readFileSync } from 'node:fs'; export const execute = () => readFileSync('/etc/hostname');",
      'plugin-failed',
      'failed: it may not read files outside of its folder',
    ],
    ['is no code', 'export const execute = (', 'plugin-load', 'cannot be loaded'],
    ['ends its process', 'export const execute = () => process.exit(0);', 'plugin-crashed', 'ended its process'],
    [
      'prints rubbish',
      // Not for ever: what nobody has read yet takes memory.
      "export const execute = async () => { for (let i = 0; i < 100; i++) console.log('x'.repeat(10000)); await new Promise(() => undefined); };",
      'plugin-output',
      'printed more than',
    ],
    ['answers rubbish', "export const execute = () => ({ records: 'many' });", 'code-malformed', 'records: '],
    ['answers nothing', 'export const execute = () => undefined;', 'code-malformed', 'The code answered'],
    [
      'yields a million records',
      'export const execute = (c) => ({ ...c, records: Array.from({ length: 1e6 }, (_, i) => ({ data: i })) });',
      'plugin-output',
      'answered more than',
    ],
    [
      'yields too many small records',
      'export const execute = (c) => ({ ...c, records: Array.from({ length: 10001 }, () => 1) });',
      'code-malformed',
      'yielded 10001 records at once',
    ],
    [
      'goes nowhere',
      'export const execute = (c) => ({ ...c, more: true });',
      'code-malformed',
      'moves neither its cursor',
    ],
  ] as const)
    it(`fails, and says why, when it ${what}`, async () => {
      place = await IntegrationPlace.open(index);
      const timeout = code === 'plugin-timeout' ? '2s' : '30s';
      await place.configure({ limits: { timeout, memory: 512, output: 256 } });
      await place.write();
      await place.start();
      const report = await place.run();
      expect(report.result).to.equal('failed');
      expect(report.error).to.have.property('code', code);
      expect(report.error?.message).to.include(message);
      expect(report.error?.remedy).to.be.a('string').and.not.equal('');
      const metrics = await place.metrics();
      expect(metrics).to.match(/integration_runs_total\{[^}]+result="failed"\} 1/);
      expect((await ask(`${place.home.daemon.url}/healthz`)).status).to.equal(200);
    });
});

async function busOf(place: IntegrationPlace) {
  const { ledger } = place.home.daemon.workshop.engine.parts;
  return {
    intake: async (event: Parameters<typeof ledger.bus.append>[0][number]) => {
      ledger.bus.append([event]);
      // Whatever comes next wakes the dispatcher.
      await place.home.write({ 'git/app.yaml': application('next') });
      await place.home.operations.apply({ sync: 'orders' });
    },
  };
}
