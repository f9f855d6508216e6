import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { Ledger } from '../../../src/ledger/ledger.ts';
import type { ManifestLoader } from '../../../src/manifest/load.ts';
import { KINDS } from '../../../src/manifest/manifest.ts';
import type { JsonObject, Key, Kind } from '../../../src/manifest/manifest.ts';
import type { Terms } from '../../../src/plan/terms.ts';
import type { PassReport } from '../../../src/report/pass-report.ts';
import { loaderFor, runPass } from '../crash/pass.ts';
import type { Rule } from '../fault-rules.ts';
import { secretValue } from '../contract-steps.ts';
import { MintDriver } from './driver.ts';
import { mintFormat } from './format.ts';
import { CIRCUIT, LIMITS } from './harness.ts';
import { collectionOf, markerIn } from './normal-form.ts';
import { MintServer, TOKEN } from './server.ts';
import { COLLECTIONS, Refused } from './store.ts';
import type { MintObject } from './store.ts';

const ENVIRONMENT = { CRASH_SECRET: 'a secret that stays' };

/** A git folder, a Mint and a ledger, in which everybody may do something. */
export class World implements AsyncDisposable {
  readonly mint: MintServer;
  /** What git says: the variant of the content by key. */
  readonly git = new Map<Key, number>();
  /** Ids of what people made without copying. */
  readonly handMade = new Set<string>();
  readonly copies = new Set<string>();
  ledgerLost = false;
  readonly #alwaysAdopts: boolean;
  readonly #dir: string;
  readonly #loader: ManifestLoader = loaderFor(mintFormat);

  private constructor(mint: MintServer, alwaysAdopts: boolean) {
    this.#alwaysAdopts = alwaysAdopts;
    this.mint = mint;
    this.#dir = mkdtempSync(join(tmpdir(), 'plumbline-world-'));
  }

  static async begin(alwaysAdopts: boolean): Promise<World> {
    const world = new World(await MintServer.start({ pageSize: 3 }), alwaysAdopts);
    await mkdir(join(world.#dir, 'git'));
    await world.#commit();
    return world;
  }

  async put(key: Key, variant: number): Promise<void> {
    this.git.set(key, variant);
    await this.#commit();
  }

  async remove(key: Key): Promise<void> {
    this.git.delete(key);
    await this.#commit();
  }

  /** Whether objects without a marker are taken over by their title: without a ledger nothing else is left. */
  get adopts(): boolean {
    return this.#alwaysAdopts || this.ledgerLost;
  }

  loseLedger(): void {
    this.ledgerLost = true;
    rmSync(this.#stateDir, { recursive: true, force: true });
  }

  get objects(): readonly MintObject[] {
    return COLLECTIONS.flatMap((collection) => this.mint.store.list(collection));
  }

  /** What a person does to one of the objects there; what the platform refuses them, they leave. */
  byHand(which: number, deed: (object: MintObject) => void): void {
    const object = this.objects[which % Math.max(1, this.objects.length)];
    try {
      if (object !== undefined) deed(object);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
    }
  }

  makeByHand(kind: Kind, title: string): void {
    const body: JsonObject = kind === 'Integration' ? { type: 'mail' } : {};
    this.handMade.add(this.mint.store.create(collectionOf(kind), { title, body }, 'maker').id);
  }

  /** Remote ids that the ledger says are owned. */
  owned(): ReadonlySet<string> {
    const ledger = Ledger.read(this.#stateDir);
    try {
      const { owned } = ledger.view({ sync: 'crash', platform: 'main' });
      return new Set([...owned.values()].map(({ remote }) => remote));
    } finally {
      ledger[Symbol.dispose]();
    }
  }

  /** One pass of a freshly started program, under faults. */
  async pass(rules: readonly Rule[], terms: Partial<Terms> = {}): Promise<PassReport> {
    this.mint.rules.add(...rules);
    const token = secretValue(TOKEN);
    const auth = { token: () => Promise.resolve(token) };
    // Short only where an answer may never come: a busy machine is no fault of the platform's.
    const limits = rules.some(({ action }) => action?.do === 'stall') ? { ...LIMITS, timeout: 150 } : LIMITS;
    await using driver = new MintDriver(
      { platform: 'main', url: this.mint.url, auth, limits, onRequest: () => undefined },
      CIRCUIT,
    );
    const setting = { folder: join(this.#dir, 'git'), stateDir: this.#stateDir, environment: ENVIRONMENT, terms };
    try {
      return await runPass(setting, driver, this.#loader);
    } finally {
      this.mint.rules.clear();
    }
  }

  /**
   * Objects that claim a key, or have its title where its kind cannot be marked. Copies by hand count only where there is
   * nothing else: when the original is gone, the oldest of them is taken for it.
   */
  claims(key: Key): readonly MintObject[] {
    const kind = kindOf(key);
    const all = this.mint.store
      .list(collectionOf(kind))
      .filter(({ tag, title }) => (isMarked(kind) ? markerIn(tag)?.key === key : title === titleOf(key, 0)));
    const originals = all.filter(({ id }) => !this.copies.has(id));
    return originals.length === 0 && this.git.has(key) ? all.slice(0, 1) : originals;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.mint[Symbol.asyncDispose]();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  get #stateDir(): string {
    return join(this.#dir, 'state');
  }

  async #commit(): Promise<void> {
    const documents = [...this.git].map(([key, variant]) => {
      const kind = kindOf(key);
      const metadata = { name: key.slice(kind.length + 1) };
      return stringify({ apiVersion: 'plumbline.dev/v1alpha1', kind, metadata, spec: this.#spec(key, variant) });
    });
    const text = documents.length === 0 ? '# nothing yet\n' : documents.join('---\n');
    await writeFile(join(this.#dir, 'git', 'all.yaml'), text);
  }

  /** Refers only to what git has, so that git is always in order. */
  #spec(key: Key, variant: number): JsonObject {
    const kind = kindOf(key);
    const title = titleOf(key, variant);
    if (kind === 'Application') return { title, owner: `team-${variant}` };
    if (kind === 'AccessRole')
      return { title, permissions: [{ on: 'workflow', verbs: variant % 2 === 0 ? ['read'] : ['run'] }] };
    if (kind === 'Integration') {
      return { title, type: 'http', settings: { variant }, secrets: { value: { valueFrom: { env: 'CRASH_SECRET' } } } };
    }
    if (kind === 'Workflow') {
      const application = this.#some('Application', variant);
      const integration = this.#some('Integration', variant);
      const steps = [
        { name: 'only', type: 'x', text: `${variant}`, ...(integration && { connection: titleOf(integration, 0) }) },
      ];
      const of = application === undefined ? {} : { application: application.slice('Application/'.length) };
      return { title, ...of, ...(variant % 2 === 0 ? { active: true } : {}), format: 'mint', definition: { steps } };
    }
    const role = this.#some('AccessRole', variant);
    return {
      role: role?.slice('AccessRole/'.length) ?? '',
      subjects: [{ user: `user-${variant}` }],
      scope: { platform: true },
    };
  }

  #some(kind: Kind, variant: number): Key | undefined {
    const keys = [...this.git.keys()].filter((key) => kindOf(key) === kind).sort();
    return keys[variant % Math.max(1, keys.length)];
  }
}

export function kindOf(key: Key): Kind {
  const kind = KINDS.find((one) => key.startsWith(`${one}/`));
  if (kind === undefined) throw new Error(`${key} is of no kind`);
  return kind;
}

/** What people call it: markers find an object under another title, so some variants have one. */
function titleOf(key: Key, variant: number): string {
  const kind = kindOf(key);
  const name = key.slice(kind.length + 1);
  return kind !== 'AccessGrant' && isMarked(kind) && variant % 3 === 2 ? `${name} (new)` : name;
}

function isMarked(kind: Kind): boolean {
  return kind === 'Application' || kind === 'AccessRole' || kind === 'Workflow';
}
