import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { DirectusDriver } from '../../../src/drivers/directus/directus.ts';
import { directusFormat } from '../../../src/drivers/directus/format.ts';
import type { RequestObserver } from '../../../src/drivers/driver.ts';
import type { JsonObject, Kind } from '../../../src/manifest/manifest.ts';
import type { Terms } from '../../../src/plan/terms.ts';
import type { RemoteObject } from '../../../src/plan/types.ts';
import type { PassReport } from '../../../src/report/pass-report.ts';
import { FolderSource } from '../../../src/source/folder.ts';
import { secretValue } from '../contract-steps.ts';
import { PassMemory } from '../../../src/reconcile/memory.ts';
import { type PassSetting, loaderFor, runPass } from '../crash/pass.ts';
import { ADMIN_TOKEN } from './server.ts';

const LIMITS = { concurrency: 4, requestsPerSecond: 1_000, timeout: 60_000 };

/** Configuration for the binary, which has its token in DIRECTUS_TOKEN: a Directus as the Platform `content`, and a Sync of a repository there. */
export function contentFrom(url: string, repository: string, terms: string): string {
  return `
apiVersion: plumbline.dev/v1alpha1
kind: Platform
metadata: {name: content}
spec: {driver: directus, url: "${url}", auth: {token: {valueFrom: {env: DIRECTUS_TOKEN}}}}
---
apiVersion: plumbline.dev/v1alpha1
kind: Sync
metadata: {name: content}
spec: {source: {git: {url: "file://${repository}"}}, platform: content, ${terms}}
`;
}

/** A folder of manifests and whole passes of it onto one Directus. */
export class DirectusDesk implements Disposable {
  readonly #url: string;
  readonly #dir = mkdtempSync(join(tmpdir(), 'plumbline-desk-'));
  readonly #loader = loaderFor(directusFormat);
  readonly #onRequest: RequestObserver;

  constructor(url: string, onRequest: RequestObserver = () => undefined) {
    this.#url = url;
    this.#onRequest = onRequest;
    mkdirSync(join(this.#dir, 'git'));
  }

  driver(): DirectusDriver {
    const token = secretValue(ADMIN_TOKEN);
    const auth = { token: () => Promise.resolve(token) };
    const onRequest = this.#onRequest;
    return new DirectusDriver({ platform: 'main', url: this.#url, auth, limits: LIMITS, onRequest });
  }

  put(file: string, text: string): void {
    const path = join(this.#dir, 'git', file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }

  manifest(kind: Kind, name: string, spec: JsonObject): void {
    const metadata = { name };
    this.put(`${kind}/${name}.yaml`, stringify({ apiVersion: 'plumbline.dev/v1alpha1', kind, metadata, spec }));
  }

  /** Writes what an export of an object gives. */
  export(object: RemoteObject, driver: DirectusDriver): void {
    const { name, spec, definition } = driver.toManifest(object);
    // The title of a grant is its name; its manifest has no other.
    const { title: _title, ...rest } = spec;
    this.manifest(object.kind, name, object.kind === 'AccessGrant' ? rest : spec);
    if (definition !== undefined) this.put(`${object.kind}/${definition.file}`, definition.text);
  }

  /** A pass of a daemon that has just been started. */
  async pass(terms: Partial<Terms> = {}): Promise<PassReport> {
    await using driver = this.driver();
    return await runPass(this.#setting({ terms }), driver, this.#loader);
  }

  /** Passes of one daemon: over one connection, each with what those before it learned. */
  daemon(): { pass(): Promise<PassReport> } & AsyncDisposable {
    const driver = this.driver();
    const kept = { memory: new PassMemory(), source: new FolderSource(join(this.#dir, 'git')) };
    return {
      pass: () => runPass(this.#setting(kept), driver, this.#loader),
      [Symbol.asyncDispose]: () => driver[Symbol.asyncDispose](),
    };
  }

  #setting(more: Pick<PassSetting, 'terms' | 'memory' | 'source'>): PassSetting {
    return { folder: join(this.#dir, 'git'), stateDir: join(this.#dir, 'state'), environment: {}, ...more };
  }

  [Symbol.dispose](): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
