import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ReconcilerError } from '../../src/errors.ts';
import { remoteOperations } from '../../src/daemon/remote-operations.ts';
import type { Operations } from '../../src/daemon/operations.ts';
import type { Daemon, DaemonOptions } from '../../src/daemon/service.ts';
import type {
  Connection,
  Driver,
  DriverDefinition,
  ExecutionPage,
  Facts,
  Outcome,
  Step,
} from '../../src/drivers/driver.ts';
import type { RemoteObject } from '../../src/plan/types.ts';
import { MemoryDriver, OUTPUTS } from '../reconcile/memory-driver.ts';
import { Place, until } from './fixture.ts';

/** A platform in memory that outlives the daemons that connect to it, can be down, and can leave a write without an answer. */
export class MemoryPlatform extends MemoryDriver implements Driver {
  down = false;
  /** Writes begin and get no answer until the caller stops waiting. */
  silent = false;
  pages: ExecutionPage[] = [];
  readonly cursors: (string | undefined)[] = [];
  connection: Connection | undefined;

  override probe(): Promise<Facts> {
    if (this.down)
      return Promise.reject(new ReconcilerError('Nobody is there.', 'backoff', { code: 'platform-unreachable' }));
    return super.probe();
  }

  override async *apply(stage: readonly Step[], signal: AbortSignal): AsyncGenerator<Outcome> {
    // What was sent arrives; while it is silent, nobody learns of it.
    for await (const outcome of super.apply(stage, signal)) if (!this.silent) yield outcome;
    if (!this.silent) return;
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
  }

  executions(cursor: string | undefined): Promise<ExecutionPage> {
    this.cursors.push(cursor);
    const page = this.pages.shift();
    if (page !== undefined) return Promise.resolve(page);
    return Promise.reject(new ReconcilerError('Nothing to tell.', 'backoff'));
  }

  toManifest({ title, value }: RemoteObject) {
    return { name: title, spec: value };
  }

  /** `kind title` of what is there. */
  get all(): readonly string[] {
    return [...this.objects.values()].map(({ kind, title }) => `${kind} ${title}`).toSorted();
  }
}

/** A place whose platforms are in memory: `configure` it with Platforms of the driver node-red and their names as hosts. */
export class MemoryPlace {
  readonly place: Place;
  readonly platforms = new Map<string, MemoryPlatform>();
  #daemon: Daemon | undefined;

  private constructor(place: Place) {
    this.place = place;
  }

  static async create(): Promise<MemoryPlace> {
    return new MemoryPlace(await Place.create());
  }

  get daemon(): Daemon {
    if (this.#daemon === undefined) throw new Error('there is no daemon');
    return this.#daemon;
  }

  get operations(): Operations {
    return remoteOperations(this.place.state);
  }

  platform(name: string): MemoryPlatform {
    const found = this.platforms.get(name) ?? new MemoryPlatform();
    this.platforms.set(name, found);
    return found;
  }

  /** Writes manifests of a folder below the place; undefined removes one. */
  async write(files: Readonly<Record<string, string | undefined>>): Promise<void> {
    for (const [name, text] of Object.entries(files)) {
      const file = join(this.place.dir, name);
      await mkdir(dirname(file), { recursive: true });
      if (text === undefined) await rm(file);
      else await writeFile(file, text);
    }
  }

  async configure(...documents: readonly string[]): Promise<void> {
    await this.place.configure(documents.join('---\n'));
  }

  async start(options: Partial<DaemonOptions> = {}): Promise<Daemon> {
    const driverNamed = (name: string): DriverDefinition => ({
      name,
      auth: [],
      outputs: OUTPUTS,
      connect: (connection) => {
        const platform = this.platform(connection.platform);
        platform.connection = connection;
        return platform;
      },
    });
    this.#daemon = await this.place.start({ driverNamed, stopDeadline: 500, ...options });
    return this.#daemon;
  }

  async stop(): Promise<void> {
    await this.#daemon?.stop('test');
    this.#daemon = undefined;
  }

  async restart(options: Partial<DaemonOptions> = {}): Promise<void> {
    await this.stop();
    await this.start(options);
  }

  /** Waits until a pass of every Sync that is configured or leaving has been tried. */
  async tried(): Promise<void> {
    await until(async () => this.daemon.workshop.engine.pending === 0, 'every Sync tried');
  }

  async remove(): Promise<void> {
    await this.stop();
    await this.place.remove();
  }
}

export const platform = (name: string, labels = ''): string => `
apiVersion: plumbline.dev/v1alpha1
kind: Platform
metadata: {name: ${name}, labels: {${labels}}}
spec: {driver: node-red, url: "http://${name}.test"}
`;

export const sync = (name: string, spec: string): string => `
apiVersion: plumbline.dev/v1alpha1
kind: Sync
metadata: {name: ${name}}
spec: {source: {folder: {path: ${name}}}, ${spec}}
`;

/** Carries a marker on a platform in memory. */
export const application = (name: string, title = name): string => `
apiVersion: plumbline.dev/v1alpha1
kind: Application
metadata: {name: ${name}}
spec: {title: "${title}"}
`;

/** Carries none. */
export const integration = (name: string, title = name, host = 'a'): string => `
apiVersion: plumbline.dev/v1alpha1
kind: Integration
metadata: {name: ${name}}
spec: {title: "${title}", type: broker, settings: {host: ${host}}}
`;
