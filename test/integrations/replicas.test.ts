import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { SYSTEM_TIMERS } from '../../src/daemon/timers.ts';
import { CodeStore } from '../../src/integrations/code-store.ts';
import { DeadLetters } from '../../src/integrations/dead-letters.ts';
import { IntegrationRunner } from '../../src/integrations/integration-runner.ts';
import { RecordCheck } from '../../src/integrations/record-check.ts';
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
  readonly #dir = mkdtempSync(join(tmpdir(), 'plumbline-replica-'));

  constructor(code: CodeRepository, services: Services) {
    this.ledger = Ledger.open(this.#dir);
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
    ledger.integrations.create({ ...SYNC, title: 'CRM', runs: { code: locked } }, 'code-1', 'default/orders');
    this.runner.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.runner[Symbol.asyncDispose]();
    this.ledger.close();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

describe('Replicas that share a platform', () => {
  it('run an Integration only where the platform is held; whoever loses it stops at once, and whoever takes over loses nothing', async () => {
    using code = new CodeRepository({ 'index.js': CRM_SYNC });
    await using services = await Services.open();
    services.add(30);
    await using first = new Replica(code, services);
    await using second = new Replica(code, services);
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
});
