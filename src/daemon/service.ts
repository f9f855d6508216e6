import { rmSync, writeFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { watch } from 'chokidar';
import { startPublicListener } from '../gateway/public.ts';
import { parseAddress, urlOf } from './address.ts';
import type { Engine } from './engine.ts';
import { Controller } from './cluster/controller.ts';
import { ExecutionPoller } from './executions.ts';
import { Gateway } from './gateway.ts';
import { startListener } from './listener.ts';
import { forgetGoneRuns } from './gone-runs.ts';
import { Measuring } from './measuring.ts';
import { DAEMON_FILE } from './remote-api.ts';
import { openRuleObjects } from './rule-objects.ts';
import type { RulePlace } from './rule-objects.ts';
import { ShardDuties } from './shard-duties.ts';
import type { Shards } from './shards.ts';
import { SYSTEM_TIMERS } from './timers.ts';
import { openWorkshop } from './workshop.ts';
import type { ServiceOptions, Workshop } from './workshop.ts';

export interface DaemonOptions extends ServiceOptions {
  /** `host:port` of the private listener: API, metrics, health. */
  readonly listen: string;
  /** `host:port` of the public one: git pushes and events of platforms. */
  readonly listenHooks: string;
  /** Networks of the proxies in front of the public listener, whose X-Forwarded-For says who asks. */
  readonly trustedProxies?: readonly string[];
  /** Where PrometheusRules of service levels are kept; none are, when absent. */
  readonly rules?: RulePlace;
  /** Milliseconds that running passes get to end by themselves when the daemon stops. Default 20,000. */
  readonly stopDeadline?: number;
}

/** A running daemon. */
export interface Daemon {
  /** `http://127.0.0.1:8480` */
  readonly url: string;
  /** `http://127.0.0.1:8481`: where git pushes and events of platforms go. */
  readonly hooksUrl: string;
  readonly workshop: Workshop;
  /**
   * Takes no more work, lets running passes end until the deadline, then has them abort, and closes everything. What was
   * being written then is found again as an intent by the next start.
   */
  stop(reason: string): Promise<void>;
  /** Reads the configuration anew. @returns whether it is in force. */
  reload(): Promise<boolean>;
}

const STOP_DEADLINE = 20_000;
/** Milliseconds of quiet after a change of the configuration: editors save in several steps. */
const SETTLE = 100;

/** Starts the daemon. @throws ReconcilerError as `openWorkshop`, and `listen-failed`. */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const address = parseAddress(options.listen);
  const hooksAddress = parseAddress(options.listenHooks);
  await using opening = new AsyncDisposableStack();
  const workshop = opening.use(await openWorkshop(options));
  const { engine, log, metrics, secrets, operations, lock, plugins, keys, shards } = workshop;
  const timers = options.timers ?? SYSTEM_TIMERS;
  const { ledger } = engine.parts;
  const { integrations } = workshop;
  const gateway = opening.use(new Gateway(engine, plugins, integrations));
  const poller = opening.use(
    new ExecutionPoller({
      ledger,
      metrics,
      log,
      timers,
      monitor: engine.monitor,
      connected: () => engine.platforms.connected(),
      expected: () => engine.platforms.names(),
      onRuns: async (platform, runs) => {
        const executions = runs.map(({ execution }) => execution);
        if (executions.length > 0) ledger.runs.saw(platform, executions);
        await gateway.feed.runsSeen(platform, runs);
      },
    }),
  );
  poller.restore();
  let stopping = false;
  const readiness = () => (stopping ? { ready: false, because: 'stopping' } : readinessOf(engine, shards));
  const redact = (text: string): string => secrets.redact(text);
  const listener = opening.use(
    await startListener({
      address,
      rootToken: keys.token,
      version: options.version,
      ledger,
      platforms: gateway.triggerable(() => poller.soon()),
      checkTrigger: (wish, signal) => plugins.checkTrigger(wish, signal),
      webhooks: ledger.webhooks,
      deliveries: {
        list: (query) => ledger.bus.list(query),
        replay: (selection) => gateway.dispatcher.replay(selection),
      },
      hold: (value) => secrets.hold(value),
      now: () => timers.now(),
      operations,
      metrics,
      readiness,
      redact,
      log,
    }),
  );
  const hooks = opening.use(
    await startPublicListener({
      ...gateway.hooks(),
      address: hooksAddress,
      trustedProxies: options.trustedProxies ?? [],
    }),
  );
  const url = urlOf(listener);
  const hooksUrl = urlOf(hooks);
  const { tokenFile } = keys;
  opening.defer(announce(options.stateDir, { ...listener, url, hooks: hooksUrl, tokenFile, startedAt: timers.now() }));
  lock.announce({ listen: `${listener.host}:${listener.port}` });
  opening.use(watchConfiguration(options.configPath, () => void engine.reload()));
  gateway.start();
  const forgetGone = (): void =>
    forgetGoneRuns({
      ledger,
      metrics,
      platforms: () => engine.platforms.names(),
      holds: (platform) => engine.holds(platform),
    });
  const measuring = opening.use(new Measuring({ monitor: engine.monitor, ledger, log, timers, forgetGone }));
  const tellGateway = engine.onPassEnded;
  engine.onPassEnded = () => {
    tellGateway();
    poller.passEnded();
    integrations.look();
  };
  measuring.start();
  engine.start();
  integrations.start();
  shards?.serve(new ShardDuties(engine, integrations), hooksUrl);
  poller.start();
  if (options.rules !== undefined) {
    const parts = { ...options, place: options.rules, log, timers, monitor: engine.monitor };
    opening.use(await openRuleObjects({ ...parts, platforms: () => engine.platforms.names() })).start();
  }
  if (workshop.cluster !== undefined) opening.use(new Controller(workshop.cluster, engine)).start();
  void plugins.warm();
  log.info('daemon started', {
    url,
    hooks: hooksUrl,
    stateDir: options.stateDir,
    configuration: options.configPath,
    version: options.version,
  });
  const held = opening.move();
  let stopped: Promise<void> | undefined;
  const stop = async (reason: string): Promise<void> => {
    stopping = true;
    log.info('daemon stopping', { reason });
    const deadline = setTimeout(() => {
      log.warn('passes aborted', { because: 'the deadline of the stop has passed' });
      workshop.abort(new Error('plumbline stops'));
    }, options.stopDeadline ?? STOP_DEADLINE);
    try {
      // What ends by itself until the deadline is free for the others at once.
      await Promise.all([shards?.[Symbol.asyncDispose](), engine.queue.stop()]);
    } finally {
      clearTimeout(deadline);
      workshop.abort(new Error('plumbline stops'));
      await held.disposeAsync();
    }
    log.info('daemon stopped', {});
  };
  return { url, hooksUrl, workshop, reload: () => engine.reload(), stop: (reason) => (stopped ??= stop(reason)) };
}

/**
 * A replica among several is ready once it takes part, whatever it holds: it must not leave its Service just because it has taken
 * over work that is yet to be looked at.
 */
function readinessOf(
  { pending }: Engine,
  shards: Shards | undefined,
): { readonly ready: boolean; readonly because?: string } {
  if (shards !== undefined)
    return shards.takesPart ? { ready: true } : { ready: false, because: 'the Leases have not been read yet' };
  return pending === 0 ? { ready: true } : { ready: false, because: `${pending} Sync(s) have not been tried yet` };
}

/** Tells commands on this machine where the daemon is; the function returned takes that back. */
function announce(
  stateDir: string,
  daemon: {
    readonly host: string;
    readonly port: number;
    readonly url: string;
    readonly hooks: string;
    readonly tokenFile: string;
    readonly startedAt: number;
  },
): () => void {
  const file = join(stateDir, DAEMON_FILE);
  const { url, startedAt, ...rest } = daemon;
  const told = { pid: process.pid, ...rest, address: url, startedAt: new Date(startedAt).toISOString() };
  writeFileSync(`${file}.new`, `${JSON.stringify(told)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
  return () => rmSync(file, { force: true });
}

function watchConfiguration(path: string, onChange: () => void): AsyncDisposable {
  const watcher = watch(path, {
    ignoreInitial: true,
    ignored: (entry) => /(?:^|[\\/])\.[^\\/]+$/.test(entry) && entry !== path,
    depth: 3,
  });
  let timer: NodeJS.Timeout | undefined;
  watcher.on('all', () => {
    clearTimeout(timer);
    timer = setTimeout(onChange, SETTLE);
  });
  watcher.on('error', () => undefined);
  return {
    [Symbol.asyncDispose]: async () => {
      clearTimeout(timer);
      await watcher.close();
    },
  };
}
