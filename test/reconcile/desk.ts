import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ledger } from '../../src/ledger/ledger.ts';
import { ManifestLoader } from '../../src/manifest/load.ts';
import type { DefinitionFormat, JsonObject, JsonValue } from '../../src/manifest/manifest.ts';
import type { Terms } from '../../src/plan/terms.ts';
import { reconcile, type Pass } from '../../src/reconcile.ts';
import { PassMemory } from '../../src/reconcile/memory.ts';
import type { PassReport } from '../../src/report/pass-report.ts';
import { SecretStore } from '../../src/secrets/store.ts';
import { FolderSource } from '../../src/source/folder.ts';
import { NOW, termsWith } from '../plan/scene.ts';
import { MemoryDriver } from './memory-driver.ts';

/** Definitions whose `uses` lists titles of Integrations. */
const format: DefinitionFormat = {
  name: 'memory',
  recognizes: () => false,
  split: () => ({ objects: [], problems: [] }),
  nodes: () => [],
  inspect: (definition) => ({
    problems: [],
    references: usesOf(definition).map((title) => ({ kind: 'Integration' as const, title, node: 'uses' })),
  }),
};

function usesOf(definition: JsonValue): string[] {
  const uses = (definition as JsonObject)['uses'];
  return Array.isArray(uses) ? uses.map(String) : [];
}

/** A folder of manifests, a platform in memory, a real ledger: all that passes of one Sync need. */
export class Desk {
  readonly driver = new MemoryDriver();
  readonly env: Record<string, string> = {};
  memory = new PassMemory();
  now = NOW;
  terms: Partial<Terms> = { gracePeriod: 0 };
  ledger: Ledger;
  readonly secrets: SecretStore;
  readonly #root = mkdtempSync(join(tmpdir(), 'plumbline-pass-'));
  readonly #source: FolderSource;
  #loader: ManifestLoader;
  #states = 0;

  constructor() {
    mkdirSync(join(this.#root, 'git'));
    this.#source = new FolderSource(join(this.#root, 'git'));
    this.secrets = new SecretStore({ env: this.env, hashKey: new Uint8Array(32).fill(7) });
    this.#loader = newLoader();
    this.ledger = this.#openLedger();
  }

  write(file: string, text: string): void {
    writeFileSync(join(this.#root, 'git', file), text);
  }

  delete(file: string): void {
    rmSync(join(this.#root, 'git', file));
  }

  /** The process dies and starts anew: memory is lost, the ledger is not. */
  restart(): void {
    this.memory = new PassMemory();
    this.#loader = newLoader();
  }

  /** The state directory is lost. */
  loseLedger(): void {
    this.ledger.close();
    this.ledger = this.#openLedger();
    this.restart();
  }

  async pass(more: Partial<Pass> = {}, signal = new AbortController().signal): Promise<PassReport> {
    return reconcile(
      {
        sync: 'orders',
        platform: 'memory',
        source: this.#source,
        loader: this.#loader,
        driver: this.driver,
        ledger: this.ledger,
        secrets: this.secrets,
        secretScope: { kind: 'source', env: ['ORDERS_*'] },
        terms: termsWith(this.terms),
        rules: { windows: [] },
        trigger: 'interval',
        mode: 'apply',
        only: [],
        memory: this.memory,
        clock: () => this.now,
        ...more,
      },
      signal,
    );
  }

  commit(more: Partial<Pass> = {}): Promise<PassReport> {
    return this.pass({ trigger: 'commit', ...more });
  }

  /** Writes of the passes since the last call. */
  writes(): string[] {
    return this.driver.writes.splice(0);
  }

  close(): void {
    this.ledger.close();
    rmSync(this.#root, { recursive: true, force: true });
  }

  #openLedger(): Ledger {
    this.#states += 1;
    return Ledger.open(join(this.#root, `state-${this.#states}`));
  }
}

function newLoader(): ManifestLoader {
  return new ManifestLoader({ formats: [format], defaultFormat: 'memory', platform: 'memory' });
}

export function document(kind: string, name: string, spec: object, metadata: object = {}): string {
  return `${JSON.stringify({ apiVersion: 'plumbline.dev/v1alpha1', kind, metadata: { name, ...metadata }, spec })}\n`;
}

export function workflow(
  name: string,
  step: string,
  more: { metadata?: object; uses?: string[]; spec?: object } = {},
): string {
  const definition = { step, ...(more.uses === undefined ? {} : { uses: more.uses }) };
  return document('Workflow', name, { definition, ...more.spec }, more.metadata);
}
