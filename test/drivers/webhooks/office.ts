import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { inspect } from 'node:util';
import { expect } from 'chai';
import { stringify } from 'yaml';
import { passJson } from '../../../src/daemon/pass-json.ts';
import type { Driver } from '../../../src/drivers/driver.ts';
import type { RegisteredWebhook } from '../../../src/drivers/webhook-register.ts';
import { withWebhooks } from '../../../src/drivers/webhooks.ts';
import { Ledger } from '../../../src/ledger/ledger.ts';
import type { Webhooks } from '../../../src/ledger/webhooks.ts';
import { ManifestLoader } from '../../../src/manifest/load.ts';
import type { JsonObject } from '../../../src/manifest/manifest.ts';
import type { Terms } from '../../../src/plan/terms.ts';
import { reconcile } from '../../../src/reconcile.ts';
import type { Pass } from '../../../src/reconcile.ts';
import { PassMemory } from '../../../src/reconcile/memory.ts';
import { createLog } from '../../../src/report/log.ts';
import { Metrics } from '../../../src/report/metrics.ts';
import type { PassReport } from '../../../src/report/pass-report.ts';
import { Reporter } from '../../../src/report/reporter.ts';
import { Seal } from '../../../src/secrets/seal.ts';
import { SecretStore } from '../../../src/secrets/store.ts';
import { FolderSource } from '../../../src/source/folder.ts';
import { termsWith } from '../../plan/scene.ts';
import { tell } from '../crash/pass.ts';
import { MintDriver } from '../mint/driver.ts';
import { mintFormat } from '../mint/format.ts';
import { CIRCUIT, LIMITS } from '../mint/harness.ts';
import { MintServer, TOKEN } from '../mint/server.ts';
import { secretValue } from '../contract-steps.ts';

/** A key that nobody has twice, so that it can be looked for. */
const HASH_KEY = Buffer.from('the key that all the rest hang on');

/** A folder of manifests, a Mint, a ledger, and everything that is told of the passes over them. */
export class Office implements AsyncDisposable {
  readonly env: Record<string, string> = {};
  readonly mint: MintServer;
  ledger: Ledger;
  terms: Partial<Terms> = { gracePeriod: 0 };
  memory = new PassMemory();
  /** Put between the driver and the register of webhooks. */
  wrap: (driver: Driver) => Driver = (driver) => driver;
  readonly #root = mkdtempSync(join(tmpdir(), 'plumbline-office-'));
  readonly #secrets = new SecretStore({ env: this.env, hashKey: HASH_KEY });
  readonly #said: string[] = [];
  readonly #metrics = new Metrics({ version: '0' });
  readonly #reporters = new Map<Ledger, Reporter>();

  private constructor(mint: MintServer) {
    this.mint = mint;
    mkdirSync(join(this.#root, 'git'));
    this.ledger = this.#open();
  }

  static async open(): Promise<Office> {
    return new Office(await MintServer.start());
  }

  get webhooks(): Webhooks {
    return this.ledger.webhooks;
  }

  get driver() {
    const auth = { token: () => Promise.resolve(secretValue(TOKEN)) };
    const connection = { platform: 'mint', url: this.mint.url, auth, limits: LIMITS, onRequest: () => undefined };
    return withWebhooks(this.wrap(new MintDriver(connection, CIRCUIT)), this.webhooks, 'mint');
  }

  /** Git holds exactly these. */
  commit(...documents: readonly JsonObject[]): void {
    const text = documents.map((one) => stringify({ apiVersion: 'plumbline.dev/v1alpha1', ...one })).join('---\n');
    writeFileSync(join(this.#root, 'git', 'all.yaml'), documents.length === 0 ? '# nothing\n' : text);
  }

  write(file: string, text: string): void {
    writeFileSync(join(this.#root, 'git', file), text);
  }

  termsWith(more: Partial<Terms>): Terms {
    return termsWith({ ...this.terms, ...more });
  }

  async pass(more: Partial<Pass> = {}): Promise<PassReport> {
    const { signal } = new AbortController();
    await using driver = this.driver;
    const report = await reconcile(
      {
        sync: 'orders',
        platform: 'mint',
        source: new FolderSource(join(this.#root, 'git')),
        loader: new ManifestLoader({ formats: [mintFormat], defaultFormat: 'mint' }),
        driver,
        ledger: this.ledger,
        secrets: this.#secrets,
        secretScope: { kind: 'source', env: ['HOOK_*'] },
        terms: termsWith(this.terms),
        rules: { windows: [] },
        trigger: 'interval',
        mode: 'apply',
        only: [],
        memory: this.memory,
        clock: Date.now,
        ...more,
      },
      signal,
    );
    const reporter = this.#reporter();
    reporter.report(report);
    const scope = { sync: report.sync, platform: report.platform };
    this.#said.push(inspect(report, { depth: Infinity, showHidden: true, maxStringLength: Infinity }));
    this.#said.push(
      JSON.stringify([passJson(report), reporter.status(scope), this.ledger.events(), this.ledger.history()]),
    );
    return report;
  }

  /** The process dies and starts anew. */
  restart(): void {
    this.ledger.close();
    this.ledger = this.#open();
    this.memory = new PassMemory();
  }

  loseLedger(): void {
    this.ledger.close();
    rmSync(this.#stateDir, { recursive: true });
    this.ledger = this.#open();
    this.memory = new PassMemory();
  }

  /** The one webhook that is registered. */
  only(): RegisteredWebhook {
    const [one, ...more] = this.webhooks.list();
    if (one === undefined || more.length > 0) throw new Error(`${more.length} others are registered than the one`);
    return one;
  }

  /** Passes find nothing to do and write nothing, also after a restart (laws 1, 10). */
  async quiet(): Promise<void> {
    for (const again of [false, true]) {
      if (again) this.restart();
      const before = this.webhooks.list();
      const report = await this.pass();
      expect(report.result, tell(report)).to.equal('in-sync');
      expect(this.webhooks.list()).to.deep.equal(before);
    }
  }

  /** Everything that was told: reports, plans, statuses, events, history, log, metrics. */
  async told(): Promise<string> {
    return [...this.#said, await this.#metrics.text()].join('\n');
  }

  /** All bytes of the state directory. */
  get state(): Buffer {
    return Buffer.concat(readdirSync(this.#stateDir).map((file) => readFileSync(join(this.#stateDir, file))));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.ledger.close();
    rmSync(this.#root, { recursive: true, force: true });
    await this.mint[Symbol.asyncDispose]();
  }

  get #stateDir(): string {
    return join(this.#root, 'state');
  }

  #open(): Ledger {
    const hold = (value: string) => this.#secrets.hold(value);
    const redact = (text: string) => this.#secrets.redact(text);
    return Ledger.open(this.#stateDir, { redact, seal: new Seal({ key: HASH_KEY, hold }) });
  }

  #reporter(): Reporter {
    const redact = (text: string) => this.#secrets.redact(text);
    const stream = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        this.#said.push(chunk.toString());
        done();
      },
    });
    const log = createLog({ level: 'debug', format: 'json', redact, stream });
    const known = this.#reporters.get(this.ledger);
    const reporter =
      known ?? new Reporter({ log, metrics: this.#metrics, ledger: this.ledger, redact, clock: Date.now });
    this.#reporters.set(this.ledger, reporter);
    return reporter;
  }
}
