import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { exportPlatform } from '../../../src/daemon/export.ts';
import type { RequestObserver } from '../../../src/drivers/driver.ts';
import { n8nFormat } from '../../../src/drivers/n8n/format.ts';
import type { N8nDriver } from '../../../src/drivers/n8n/n8n.ts';
import { Ledger } from '../../../src/ledger/ledger.ts';
import { ManifestLoader } from '../../../src/manifest/load.ts';
import type { Terms } from '../../../src/plan/terms.ts';
import type { Change } from '../../../src/plan/types.ts';
import { reconcile } from '../../../src/reconcile.ts';
import { PassMemory } from '../../../src/reconcile/memory.ts';
import type { PassReport, Trigger } from '../../../src/report/pass-report.ts';
import { SecretStore } from '../../../src/secrets/store.ts';
import { FolderSource } from '../../../src/source/folder.ts';
import { termsWith } from '../../plan/scene.ts';
import { connectN8n } from './harness.ts';

/** A repository, a ledger and an n8n: all that whole passes take. */
export class N8nDesk implements AsyncDisposable {
  readonly driver: N8nDriver;
  readonly env: Record<string, string> = {};
  terms: Partial<Terms> = { gracePeriod: 0 };
  variables: Record<string, string> = {};
  overlays: readonly string[] = [];
  readonly #scratch = mkdtempSync(join(tmpdir(), 'plumbline-n8n-desk-'));
  readonly #folder: string;
  readonly #secrets: SecretStore;
  readonly #memory = new PassMemory();
  readonly #ledger: Ledger;
  #loader: ManifestLoader | undefined;

  /** `folder`: an existing repository; without it, one of its own. */
  constructor(
    server: { readonly url: string; readonly apiKey: string },
    options: { folder?: string; onRequest?: RequestObserver; beta?: readonly string[] } = {},
  ) {
    const { onRequest = () => undefined, beta = [] } = options;
    this.driver = connectN8n(server.url, server.apiKey, { onRequest, beta });
    this.#folder = options.folder ?? join(this.#scratch, 'git');
    mkdirSync(this.#folder, { recursive: true });
    this.#ledger = Ledger.open(join(this.#scratch, 'state'));
    this.#secrets = new SecretStore({ env: this.env, hashKey: new Uint8Array(32).fill(7) });
  }

  write(file: string, content: string | object): void {
    const path = join(this.#folder, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content, undefined, 2));
  }

  read(file: string): string {
    return readFileSync(join(this.#folder, file), 'utf8');
  }

  delete(file: string): void {
    rmSync(join(this.#folder, file));
  }

  /** Walks one pass; `plan` only looks. */
  pass(mode: 'apply' | 'plan' = 'apply', trigger: Trigger = 'interval'): Promise<PassReport> {
    const { variables, overlays } = this;
    this.#loader ??= new ManifestLoader({ formats: [n8nFormat], defaultFormat: 'n8n', variables, overlays });
    return reconcile(
      {
        sync: 'orders',
        platform: 'n8n',
        source: new FolderSource(this.#folder),
        loader: this.#loader,
        driver: this.driver,
        ledger: this.#ledger,
        secrets: this.#secrets,
        secretScope: { kind: 'source', env: ['ORDERS_*'] },
        terms: termsWith(this.terms),
        rules: { windows: [] },
        trigger,
        mode,
        only: [],
        memory: this.#memory,
        clock: () => Date.now(),
      },
      new AbortController().signal,
    );
  }

  /** Writes what is on the platform into the repository; returns the files. */
  async export(): Promise<readonly string[]> {
    const { files } = await exportPlatform('n8n', this.driver, new AbortController().signal);
    for (const { path, text } of files) this.write(path, text);
    return files.map(({ path }) => path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ledger.close();
    await this.driver[Symbol.asyncDispose]();
    rmSync(this.#scratch, { recursive: true, force: true });
  }
}

/** Changes of a plan as `verb Kind/name`. */
export function changesIn(report: PassReport): readonly string[] {
  return (report.plan?.stages.flat() ?? []).map((change: Change) => `${change.verb} ${change.key}`);
}

/** What a pass says is yet to be supplied, as `key: what`. */
export function suppliesIn({ plan }: PassReport): readonly string[] {
  const found = (plan?.notices ?? []).filter(({ code }) => code === 'to-supply');
  return found.map(({ key, origin, message }) => `${origin?.file ?? ''} ${key ?? ''}: ${message}`).toSorted();
}

/** What went wrong in a pass, in words; nothing when all went well. */
export function troubles(report: PassReport): readonly string[] {
  return [
    ...(report.error === undefined ? [] : [report.error.message]),
    ...report.problems
      .filter(({ severity }) => severity === 'error')
      .map(({ origin, message }) => `${origin.file}: ${message}`),
    ...(report.plan?.withheld ?? []).map(({ change, because }) => `withheld ${change.verb} ${change.key}: ${because}`),
    ...report.outcomes.flatMap((outcome) => {
      const { status, change } = outcome;
      if (status === 'applied') return [];
      return [`${status} ${change.key}: ${status === 'failed' ? outcome.error.message : outcome.because}`];
    }),
  ];
}
