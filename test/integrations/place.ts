import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import type { Connection, DriverDefinition } from '../../src/drivers/driver.ts';
import type { JsonObject } from '../../src/manifest/manifest.ts';
import { ask, until } from '../daemon/fixture.ts';
import { MemoryPlace, platform } from '../daemon/memory-place.ts';
import { secretValue } from '../drivers/contract-steps.ts';
import { MintDriver } from '../drivers/mint/driver.ts';
import { CIRCUIT } from '../drivers/mint/harness.ts';
import { MintServer, TOKEN } from '../drivers/mint/server.ts';
import { CodeRepository } from './code-repository.ts';
import { Services } from './services.ts';

const ASSETS = fileURLToPath(new URL('../../src/cli/demo-assets/', import.meta.url));

/** The code of the demo's example. */
export const CRM_SYNC = readFileSync(join(ASSETS, 'crm-sync', 'index.js'), 'utf8');

/** A line of the dead letters. */
interface Letter {
  readonly key?: string;
  readonly reason: string;
}

/** A secret that must be found nowhere. */
export const CANARY = 'CANARY/crm+token-4711';

const SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  required: ['id', 'email'],
  properties: { id: { type: 'string' }, email: { type: 'string', format: 'email' } },
  additionalProperties: false,
};

export function mintDriver(connection: Connection, url: string): MintDriver {
  return new MintDriver({ ...connection, url, auth: { token: () => Promise.resolve(secretValue(TOKEN)) } }, CIRCUIT);
}

/** A daemon whose one Sync lets one repository run, a shop and a CRM, and code that syncs between them. */
export class IntegrationPlace implements AsyncDisposable {
  readonly home: MemoryPlace;
  readonly code: CodeRepository;
  readonly services: Services;
  /** A platform that has no service levels of its own. */
  readonly mint: MintServer;

  private constructor(home: MemoryPlace, mint: MintServer, code: CodeRepository, services: Services) {
    this.home = home;
    this.mint = mint;
    this.code = code;
    this.services = services;
  }

  static async open(index = CRM_SYNC): Promise<IntegrationPlace> {
    const code = new CodeRepository({ 'index.js': index });
    const place = new IntegrationPlace(
      await MemoryPlace.create(),
      await MintServer.start(),
      code,
      await Services.open(),
    );
    await place.configure();
    return place;
  }

  /** The Sync; `code` in place of what lets the repository run. */
  async configure(code: JsonObject = {}): Promise<void> {
    const limits = { timeout: '10s', memory: 64, output: 256 };
    const sync = {
      apiVersion: 'plumbline.dev/v1alpha1',
      kind: 'Sync',
      metadata: { name: 'orders' },
      spec: {
        source: { folder: { path: 'git' } },
        platform: 'prod',
        secrets: { env: ['CRM_*'] },
        prune: { maxDeletions: '100%' },
        code: { repositories: [{ url: this.code.url }], limits, ...code },
      },
    };
    await this.home.configure(platform('prod'), stringify(sync));
  }

  /** The manifest of the one Integration. */
  async write(spec: JsonObject = {}, code: JsonObject = {}): Promise<void> {
    const { url } = this.services;
    const manifest = {
      apiVersion: 'plumbline.dev/v1alpha1',
      kind: 'Integration',
      metadata: { name: 'crm-sync' },
      spec: {
        code: {
          repository: this.code.url,
          settings: { shop: url, crm: url },
          secrets: { token: { valueFrom: { env: 'CRM_TOKEN' } } },
          ...code,
        },
        records: { schema: SCHEMA, attempts: 3 },
        ...spec,
      },
    };
    await this.home.write({ 'git/crm.yaml': stringify(manifest) });
  }

  async level(objectives: JsonObject): Promise<void> {
    const spec = { selector: { kind: 'Integration', names: ['crm-sync'] }, objectives, minimumTraffic: 1 };
    const level = { apiVersion: 'plumbline.dev/v1alpha1', kind: 'ServiceLevel', metadata: { name: 'crm' }, spec };
    await this.home.write({ 'git/level.yaml': stringify(level) });
  }

  /** Starts the daemon and waits until the code is in force. */
  async start(): Promise<void> {
    const driverNamed = (name: string): DriverDefinition => ({
      name,
      auth: [],
      connect: (connection) => mintDriver(connection, this.mint.url),
    });
    await this.home.start({ driverNamed, environment: { ...process.env, CRM_TOKEN: CANARY } });
    await this.home.tried();
  }

  run(input?: JsonObject) {
    return this.home.operations.run({
      integration: 'crm-sync',
      ...(input === undefined ? {} : { input: input as never }),
    });
  }

  async metrics(): Promise<string> {
    return (await ask(`${this.home.daemon.url}/metrics`)).text;
  }

  async letters(): Promise<readonly Letter[]> {
    const file = join(this.home.place.state, 'integrations', 'dead-letters', 'prod', 'crm-sync.jsonl');
    const text = await readFile(file, 'utf8').catch(() => '');
    return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Letter]));
  }

  /** Waits until the CRM holds so many. */
  async holds(count: number): Promise<void> {
    await until(async () => this.services.people.size >= count, `${count} people in the CRM`, 90_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.home.remove();
    this.code[Symbol.dispose]();
    await this.services[Symbol.asyncDispose]();
    await this.mint[Symbol.asyncDispose]();
  }
}
