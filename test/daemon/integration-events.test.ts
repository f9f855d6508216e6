import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Engine } from '../../src/daemon/engine.ts';
import { integrationHandlers } from '../../src/daemon/integration-events.ts';
import { ShardDuties } from '../../src/daemon/shard-duties.ts';
import type { IntegrationRunner } from '../../src/integrations/integration-runner.ts';
import type { BusEvent } from '../../src/ledger/bus-event.ts';
import { Ledger } from '../../src/ledger/ledger.ts';

const CODE = { repository: 'r', ref: {}, commit: 'c', path: '', entry: 'index.js', settings: {}, secrets: {} };
const event = (more: Partial<BusEvent> = {}): BusEvent => ({
  id: '1',
  source: 'shop',
  type: 'order.created',
  time: 0,
  platform: 'prod',
  data: {},
  ...more,
});

describe('Events that Integrations run on', () => {
  let dir: string;
  let ledger: Ledger;
  let held: boolean;
  const wishes: string[] = [];
  const asked: string[] = [];

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'plumbline-events-'));
    ledger = Ledger.open(dir);
    ledger.integrations.create(
      { platform: 'prod', name: 'crm', title: 'CRM', runs: { code: CODE, events: ['order.*'] } },
      'one',
      'default/orders',
    );
    held = true;
    wishes.length = 0;
    asked.length = 0;
  });
  afterEach(() => {
    ledger.close();
    rmSync(dir, { recursive: true, force: true });
  });

  const runner = {
    wish: ({ platform, name }: { platform: string; name: string }, word: string, trigger: object) =>
      wishes.push(`${platform}/${name} ${word} ${JSON.stringify(trigger)}`),
  } as unknown as IntegrationRunner;
  const shards = {
    holds: () => held,
    ask: async (platform: string, what: string) => asked.push(`${platform} ${what}`),
  };
  const engine = () => ({ parts: { ledger, shards }, holds: () => held }) as unknown as Engine;

  it('are those of its platform that its patterns name, each asking for one run however often it comes', async () => {
    const [handler] = integrationHandlers(engine(), runner);
    expect(handler?.wants(event())).to.equal(true);
    expect(handler?.wants(event({ type: 'customer.updated' }))).to.equal(false);
    expect(handler?.wants(event({ platform: 'other' }))).to.equal(false);
    await handler?.handle(event(), new AbortController().signal);
    await handler?.handle(event(), new AbortController().signal);
    await handler?.handle(event({ id: '2' }), new AbortController().signal);
    const words = wishes.map((wish) => wish.split(' ')[1]);
    expect(words[0]).to.equal(words[1]).and.not.equal(words[2]);
    expect(wishes[0]).to.include('"by":"event"').and.to.include('order.created');
    expect(asked).to.deep.equal([]);
  });

  it('wake the replica that holds the platform when they come to another one', async () => {
    held = false;
    const [handler] = integrationHandlers(engine(), runner);
    await handler?.handle(event(), new AbortController().signal);
    expect(wishes).to.deep.equal([]);
    expect(asked).to.deep.equal(['prod integration/prod/crm']);
    new ShardDuties(engine(), runner).look('integration/prod/crm');
    new ShardDuties(engine(), runner).look('integration/prod/crm');
    expect(wishes.map((wish) => wish.split(' ')[0])).to.deep.equal(['prod/crm', 'prod/crm']);
    expect(wishes[0]?.split(' ')[1]).to.not.equal(wishes[1]?.split(' ')[1]);
  });
});
