import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { SYSTEM_TIMERS } from '../../src/daemon/timers.ts';
import type { RegisteredIntegration } from '../../src/drivers/integration-register.ts';
import { CodeStore } from '../../src/integrations/code-store.ts';
import { DeadLetters } from '../../src/integrations/dead-letters.ts';
import { IntegrationRunner } from '../../src/integrations/integration-runner.ts';
import { RecordCheck } from '../../src/integrations/record-check.ts';
import type { Parts } from '../../src/kube/inventory-store.ts';
import { Inventory } from '../../src/ledger/inventory.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { Monitor } from '../../src/monitor/monitor.ts';
import { createLog } from '../../src/report/log.ts';
import { Metrics } from '../../src/report/metrics.ts';
import { until } from '../daemon/fixture.ts';
import { CodeRepository } from './code-repository.ts';
import { CRM_SYNC } from './place.ts';
import { Services } from './services.ts';

const SYNC = { platform: 'prod', name: 'crm-sync' };

/** One replica: a ledger and a runner of its own, and a word that says whether it holds the platform. */
class Replica implements AsyncDisposable {
  held = false;
  readonly ledger: Ledger;
  readonly runner: IntegrationRunner;
  readonly inventory: Inventory;
  readonly #locked: RegisteredIntegration['runs']['code'];
  readonly #dir = mkdtempSync(join(tmpdir(), 'plumbline-replica-'));

  constructor(code: CodeRepository, services: Services, store = new SharedStore()) {
    this.ledger = Ledger.open(this.#dir);
    this.inventory = new Inventory(store as never, this.ledger, () => {
      if (!this.held) throw new Error('not the holder');
    });
    const metrics = new Metrics({ version: '0' });
    const { ledger } = this;
    const parts = { ledger, metrics, now: Date.now, platforms: () => [], revisionOf: () => undefined };
    const redact = (text: string): string => text;
    const log = createLog({
      level: 'error',
      format: 'json',
      redact,
      stream: new Writable({ write: (_, __, done) => done() }),
    });
    const limits = { timeout: 60_000, memory: 64, output: 1024 };
    this.runner = new IntegrationRunner({
      ledger,
      metrics,
      log,
      redact,
      timers: SYSTEM_TIMERS,
      monitor: new Monitor(parts),
      store: new CodeStore({ dir: join(this.#dir, 'integrations'), environment: process.env }),
      check: new RecordCheck(),
      letters: new DeadLetters(join(this.#dir, 'letters'), { redact, now: Date.now }),
      permit: () => ({ sync: 'orders', terms: { repositories: [{ url: code.url }], limits }, reveal: async () => '' }),
      holds: () => this.held,
      share: (platform) => this.inventory.savePlatform(platform),
    });
    const locked = {
      repository: code.url,
      ref: { branch: 'main' },
      commit: code.git('rev-parse', 'HEAD'),
      path: '',
      entry: 'index.js',
      settings: { shop: services.url, crm: services.url },
      secrets: {},
    };
    this.#locked = locked;
    this.runner.start();
  }

  /** What a shard that is taken brings: what others have left, and the Integration, which is put in force where nobody has. */
  async take(): Promise<void> {
    this.held = true;
    await this.inventory.load(['prod'], () => true);
    if (this.ledger.integrations.list().length === 0) this.put();
    await this.inventory.savePlatform('prod');
  }

  put(): void {
    const draft = { ...SYNC, title: 'CRM', runs: { code: this.#locked } };
    this.ledger.integrations.create(draft, 'code-1', 'default/orders');
  }

  run() {
    const [one] = this.ledger.integrations.list();
    if (one === undefined) throw new Error('nothing is in force');
    return this.runner.run(one, { by: 'command' }, AbortSignal.timeout(60_000));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.runner[Symbol.asyncDispose]();
    this.ledger.close();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

/** What a cluster keeps for all of them: inventories, by name and part. */
class SharedStore {
  readonly kept = new Map<string, { readonly of: number; readonly parts: Map<number, string> }>();
  writes = 0;

  async read() {
    return [...this.kept].map(([id, { of, parts }]) => {
      const [sync = '', platform = ''] = JSON.parse(id) as readonly string[];
      return { sync, platform, of, parts };
    });
  }

  async write(
    { sync, platform }: { sync: string; platform: string },
    { of, parts }: Parts,
  ): Promise<readonly string[]> {
    this.writes += 1;
    const id = JSON.stringify([sync, platform]);
    const before = this.kept.get(id);
    this.kept.set(id, { of, parts: new Map([...(before?.of === of ? before.parts : []), ...parts]) });
    return [];
  }

  async remove(): Promise<void> {}
}

describe('Replicas that share a platform', () => {
  it('run an Integration only where the platform is held; whoever loses it stops at once, and whoever takes over loses nothing', async () => {
    using code = new CodeRepository({ 'index.js': CRM_SYNC });
    await using services = await Services.open();
    services.add(30);
    await using first = new Replica(code, services);
    await using second = new Replica(code, services);
    first.put();
    second.put();
    let blocked = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    services.onPut = async () => {
      if (services.puts.length < 10) return;
      reached.resolve();
      await blocked.promise;
    };
    first.runner.wish(SYNC, 'one', { by: 'event' });
    second.runner.wish(SYNC, 'one', { by: 'event' });
    await pause(300);
    expect(services.puts).to.deep.equal([]);
    first.held = true;
    first.runner.look();
    await reached.promise;
    expect(first.runner.isRunning({ ...SYNC } as never)).to.equal(true);
    // The Lease is lost in the middle of a delivery.
    first.held = false;
    first.runner.abort(() => true, new Error('the Lease is held no more'));
    await first.runner.idle(() => true);
    const sent = services.puts.length;
    blocked.resolve();
    await pause(500);
    expect(services.puts.length, 'nothing is sent by who lost it').to.be.at.most(sent + 1);
    expect(first.ledger.syncs.state(SYNC).open).to.equal(true);
    first.runner.look();
    blocked = Promise.withResolvers();
    blocked.resolve();
    second.held = true;
    second.runner.look();
    await until(
      async () => services.people.size === 30 && second.ledger.syncs.nextWish(SYNC) === undefined,
      'all there',
      90_000,
    );
    expect(first.ledger.syncs.waiting(SYNC).records).to.be.greaterThan(0);
    expect(first.runner.isRunning({ ...SYNC } as never)).to.equal(false);
  });

  it('go on where another one was, behind nothing that is not settled, and write that down no oftener than it changes', async () => {
    using code = new CodeRepository({ 'index.js': CRM_SYNC.replace('PAGE = 100', 'PAGE = 10') });
    await using services = await Services.open();
    services.add(30);
    const store = new SharedStore();
    await using first = new Replica(code, services, store);
    await first.take();
    // One record of the second page cannot be delivered: whoever goes on has to read from that page.
    services.refuses.set('c15', 503);
    expect(await first.run()).to.deep.include({ result: 'failed', waiting: 1 });
    const { writes } = store;
    await first.run();
    expect(store.writes, 'nothing has moved').to.equal(writes);
    services.refuses.clear();
    services.puts.length = 0;
    first.held = false;
    await using second = new Replica(code, services, store);
    await second.take();
    expect(await second.run()).to.deep.include({ result: 'success', waiting: 0 });
    expect(services.puts).to.deep.equal(Array.from({ length: 20 }, (_, index) => `c${index + 10}`));
    expect(services.people.size).to.equal(30);
    second.held = false;
    // The first one has an old cursor, and a record that the second one has delivered since.
    services.customers.push({ id: 'c15', email: 'new@example.com', changedAt: new Date().toISOString() });
    await using third = new Replica(code, services, store);
    await third.take();
    await third.run();
    third.held = false;
    services.puts.length = 0;
    await first.take();
    expect(first.ledger.syncs.waiting(SYNC).records).to.equal(0);
    expect(await first.run()).to.deep.include({ result: 'success', waiting: 0 });
    expect(services.puts).to.deep.equal([]);
    expect(services.people.get('c15')).to.deep.include({ email: 'new@example.com' });
  });

  it('keep what is their own where nobody went on, and forget what is another one by now', async () => {
    using code = new CodeRepository({ 'index.js': CRM_SYNC });
    await using services = await Services.open();
    services.add(3);
    const store = new SharedStore();
    await using replica = new Replica(code, services, store);
    await replica.take();
    await replica.run();
    services.add(1);
    services.refuses.set('c3', 503);
    await replica.run();
    // The same one takes the shard again, as after a restart: what waits is still known here.
    await replica.take();
    expect(replica.ledger.syncs.waiting(SYNC).records).to.equal(1);
    // Meanwhile the Integration was deleted, and another one has its name.
    await using other = new Replica(code, services, new SharedStore());
    other.held = true;
    await pause(5);
    other.put();
    await other.inventory.load(['prod'], () => true);
    const rows = JSON.stringify(other.ledger.shared.rows({ sync: '', platform: 'prod' }));
    store.kept.set(JSON.stringify(['', 'prod']), { of: 1, parts: new Map([[0, rows]]) });
    await replica.take();
    expect(replica.ledger.syncs.waiting(SYNC).records).to.equal(0);
    expect(replica.ledger.syncs.state(SYNC)).to.not.have.property('cursor');
  });
});
