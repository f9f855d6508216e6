import { namespaceOf } from '../manifest/cluster-name.ts';
import type { DefinitionFormat } from '../manifest/manifest.ts';
import type { Problem } from '../errors.ts';
import type { DriverDefinition } from '../drivers/driver.ts';
import type { HostedNodeRed } from '../drivers/node-red/hosted-supervisor.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Log } from '../report/log.ts';
import { Monitor } from '../monitor/monitor.ts';
import type { PluginHost } from '../plugins/plugin-host.ts';
import type { Metrics } from '../report/metrics.ts';
import type { PassReport, Trigger } from '../report/pass-report.ts';
import { Reporter } from '../report/reporter.ts';
import type { SecretStore } from '../secrets/store.ts';
import type { Configuration } from './configuration.ts';
import { problemsOf, refuseEmptied, refuseInvalid } from './configuration-refusal.ts';
import { Exchange } from './exchange.ts';
import { PassWorker } from './pass-worker.ts';
import { Platforms } from './platforms.ts';
import { WorkQueue } from './queue.ts';
import { Roster } from './roster.ts';
import { SourceWatches } from './source-watches.ts';
import type { PassRequest, RunnerParts } from './runner.ts';
import { isSettled } from './settled.ts';
import type { SharedState } from './shared-state.ts';
import type { Shards } from './shards.ts';
import type { Target } from './target.ts';
import { ownScopeOf } from './targets.ts';
import type { Timers } from './timers.ts';
import type { CustomResources } from './sources.ts';

export interface EngineParts {
  readonly ledger: Ledger;
  readonly secrets: SecretStore;
  readonly log: Log;
  readonly plugins: PluginHost;
  readonly metrics: Metrics;
  readonly timers: Timers;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly stateDir: string;
  readonly installation: string;
  /** Reads the configuration anew. @throws ReconcilerError when it cannot be read at all. */
  readonly load: () => Promise<Configuration>;
  readonly driverNamed: (name: string) => DriverDefinition;
  readonly formats: readonly DefinitionFormat[];
  /** Custom resources as a source; absent outside of a cluster. */
  readonly customResources?: CustomResources;
  readonly host: (name: string, port: number, signal: AbortSignal) => Promise<HostedNodeRed>;
  /** Which platforms are this replica's, where several share them; all are, when absent. */
  readonly shards?: Shards;
  /** Whether a Sync that is a custom resource stands as it is meant, as far as whoever holds its platforms has told in its status. */
  readonly isReadyElsewhere?: (target: Target) => boolean;
  /** What they tell each other. */
  readonly state?: SharedState;
  readonly pins?: NonNullable<RunnerParts['pins']>;
}

/**
 * Composes configuration → platforms, sources and loaders → passes. Everything that asks for a pass puts the same key
 * into the same queue; commands that run without a daemon use the same engine without starting its triggers.
 */
export class Engine implements AsyncDisposable {
  readonly parts: EngineParts;
  readonly platforms: Platforms;
  readonly reporter: Reporter;
  readonly queue: WorkQueue;
  readonly roster: Roster;
  readonly monitor: Monitor;
  #configuration: Configuration | undefined;
  #problems: readonly Problem[] = [];
  #loadedAt = 0;
  readonly #worker: PassWorker;
  #turn: Promise<unknown> = Promise.resolve();
  /** Folder of the configuration: relative paths count from there. */
  readonly baseDir: string;
  /** Told after every pass that was reported, and whenever a configuration came into force. */
  onPassEnded: () => void = () => undefined;
  onConfigured: () => void = () => undefined;
  /** The same for who writes statuses elsewhere. */
  onReported: (target: Target, report: PassReport) => void = () => undefined;
  /** Told when platforms became this replica's, or are not any more. */
  onHeldChanged: () => void = () => undefined;
  readonly #sources: SourceWatches;

  /** Use `Engine.open`. */
  private constructor(parts: EngineParts, baseDir: string) {
    this.parts = parts;
    this.baseDir = baseDir;
    const { ledger, log, metrics, secrets, timers, shards } = parts;
    const [redact, clock] = [(text: string): string => secrets.redact(text), (): number => timers.now()];
    this.reporter = new Reporter({ log, metrics, ledger, redact, clock });
    this.platforms = new Platforms({
      ...parts,
      webhooks: ledger.webhooks,
      serviceLevels: ledger.serviceLevels,
      integrations: ledger.integrations,
      ...(shards === undefined ? {} : { fence: (platform: string) => shards.fence(platform) }),
      scopeOf: (platform) => ownScopeOf(platform, baseDir),
      onEvent: (platform) => this.lookAtPlatform(platform),
      onRequest: (platform, { code, seconds }) => this.#measure(platform, code, seconds),
    });
    this.roster = new Roster({ ...parts, baseDir });
    const holds = (platform: string): boolean => this.holds(platform);
    this.monitor = new Monitor({
      ledger,
      metrics,
      now: clock,
      platforms: () => this.platforms.known(),
      revisionOf: (sync, platform) => this.reporter.live({ sync, platform }),
      holds,
      settled: (platform) => isSettled(this, platform),
    });
    this.reporter.onLive = ({ sync, platform }) => this.monitor.judgeOf(sync, platform);
    this.#sources = new SourceWatches({ timers, log, wake: (sync, trigger) => this.#wakeSync(sync, trigger) });
    const { neighbours } = parts.state ?? {};
    const exchange = new Exchange({
      owners: () => ledger.owners,
      targets: () => this.roster.targets(),
      outputs: (platform) => parts.driverNamed(this.platforms.get(platform)?.spec.driver ?? '').outputs ?? {},
      holds,
      ...(neighbours === undefined ? {} : { neighbours }),
    });
    const common = { ...parts, platforms: this.platforms, reporter: this.reporter, roster: this.roster };
    this.#worker = new PassWorker({
      ...common,
      isReadyElsewhere: (target) =>
        namespaceOf(target.sync) === undefined
          ? neighbours?.succeeded(target) === this.roster.settingsOf(target.sync)
          : parts.isReadyElsewhere?.(target) === true,
      checkChanges: parts.plugins,
      queue: () => this.queue,
      exchange,
      holds,
      onReported: (target, report) => {
        this.onPassEnded();
        this.onReported(target, report);
      },
    });
    this.queue = new WorkQueue(this.#worker, timers);
    if (neighbours !== undefined) neighbours.onNews = (syncs) => this.#worker.heard(syncs);
    metrics.watchQueue(() => this.queue.numbers());
  }

  /** @throws ReconcilerError 'never' (`configuration-invalid`) that lists every problem, when there is no good configuration to begin with. */
  static async open(parts: EngineParts): Promise<Engine> {
    const configuration = await parts.load();
    refuseInvalid(configuration);
    const engine = new Engine(parts, configuration.baseDir);
    await engine.#adopt(configuration);
    return engine;
  }

  /** Wakes every target, and from now on whenever there may be something new. */
  start(): void {
    this.#worker.following = true;
    this.#watchSources();
    for (const target of this.roster.targets()) this.wake(target, 'start');
  }

  get configuration(): { readonly valid: boolean; readonly problems: readonly Problem[]; readonly loadedAt: number } {
    const valid = !this.#problems.some(({ severity }) => severity === 'error');
    return { valid, problems: this.#problems, loadedAt: this.#loadedAt };
  }

  /** How much of what is configured no pass has been tried for; what another replica holds is that one's. */
  get pending(): number {
    return this.roster.targets().filter(({ progress, platform }) => !progress.attempted && this.holds(platform)).length;
  }

  /** Whether this replica may write to the platform; a single one always does. */
  holds(platform: string): boolean {
    return this.parts.shards?.holds(platform) ?? true;
  }

  /** The ledger knows other things than it did: what it says of Syncs that are gone counts anew. */
  async shardsChanged(): Promise<void> {
    const turn = this.#turn.then(async () => {
      if (this.#configuration !== undefined) await this.#adopt(this.#configuration);
    });
    this.#turn = turn.catch(() => undefined);
    await turn;
  }

  /** Follows the sources of what this replica holds, and no others. */
  watchSources(): void {
    if (this.#worker.following) this.#watchSources();
  }

  wake(target: Target, trigger: Trigger): void {
    this.#worker.wake(target, trigger);
  }

  /** Runs one pass: a plan at once, anything else when it is its turn. @throws ReconcilerError `not-holder` where another replica holds the platform */
  async pass(target: Target, request: PassRequest, signal: AbortSignal): Promise<PassReport> {
    this.parts.shards?.refuse(target.platform);
    if (request.mode === 'plan') return this.#worker.pass(target, request, signal);
    return this.queue.exclusive(target.place, (own) => {
      this.parts.shards?.refuse(target.platform);
      return this.#worker.pass(target, request, AbortSignal.any([own, signal]));
    });
  }

  /**
   * Puts the configuration as it stands on disk in force. One that is not in order changes nothing: the last good one
   * stays, and status, metrics and log say so.
   * @returns whether it is in force now.
   */
  reload(): Promise<boolean> {
    const turn = this.#turn.then(() => this.#reload());
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#worker.following = false;
    await this.#sources[Symbol.asyncDispose]();
    await this.queue.stop();
    await this.platforms[Symbol.asyncDispose]();
  }

  async #reload(): Promise<boolean> {
    const { log, metrics } = this.parts;
    try {
      const configuration = await this.parts.load();
      refuseInvalid(configuration);
      refuseEmptied(configuration, this.#configuration);
      await this.#adopt(configuration);
      log.info('configuration in force', { syncs: configuration.syncs.size, platforms: configuration.platforms.size });
      return configuration.refused === undefined;
    } catch (error) {
      this.#problems = problemsOf(error);
      metrics.configurationValid(false);
      log.error('configuration refused', { error, inForce: 'the last good one' });
      return false;
    }
  }

  async #adopt(configuration: Configuration): Promise<void> {
    const { metrics, timers } = this.parts;
    const { gone, fresh } = this.roster.plan(configuration);
    await Promise.all(gone.map((target) => this.queue.remove(target.place.key)));
    await this.platforms.configure(configuration.platforms);
    await this.parts.plugins.configure(configuration.plugins, configuration.baseDir);
    this.roster.adopt(configuration);
    for (const target of gone) {
      if (this.roster.get(target) === undefined) this.reporter.forget(target, !this.roster.has(target.sync));
    }
    for (const { sync, platform, place } of this.roster.targets())
      if (fresh.has(place.key)) metrics.expectSync(sync, platform);
    this.#configuration = configuration;
    this.#problems = [...(configuration.refused ?? []), ...configuration.problems, ...this.roster.problems];
    this.#loadedAt = timers.now();
    metrics.configurationValid(configuration.refused === undefined);
    this.showSuspensions();
    this.onConfigured();
    if (!this.#worker.following) return;
    this.#watchSources();
    for (const target of this.roster.targets()) {
      if (fresh.has(target.place.key) || target.terms.retire !== undefined) this.wake(target, 'start');
    }
  }

  /** Metrics of suspension follow the ledger and the configuration. */
  showSuspensions(): void {
    const suspended = new Set(this.parts.ledger.suspensions().map(({ sync }) => sync));
    for (const { sync, suspend } of this.roster.targets())
      this.parts.metrics.suspended(sync, suspend || suspended.has(sync));
  }

  #watchSources(): void {
    // A source of which nothing can be done here is read by nobody here.
    const ours = this.roster
      .sources()
      .filter(({ name }) => this.roster.ofSync(name).some((one) => this.holds(one.platform)));
    this.#sources.follow(ours);
  }

  /** Something may have changed in a Sync's source. @returns whether there is such a Sync. */
  lookAtSync(name: string): boolean {
    if (this.#worker.following) this.#wakeSync(name, 'commit');
    return this.roster.ofSync(name).length > 0;
  }

  #wakeSync(name: string, trigger: Trigger): void {
    for (const target of this.roster.ofSync(name)) this.wake(target, trigger);
  }

  /** A server error or no answer is the platform's failure; what it refuses is its caller's. */
  #measure(platform: string, code: number | 'error', seconds: number): void {
    if (!this.#worker.following) return;
    const happening = { what: 'request' as const, ok: code !== 'error' && code < 500, seconds };
    this.monitor.take({ kind: 'Platform', platform, object: platform, happening });
  }

  /** Something changed on a platform. */
  lookAtPlatform(platform: string): void {
    if (!this.#worker.following) return;
    for (const target of this.roster.onPlatform(platform)) this.wake(target, 'event');
  }
}
