import { rmSync, writeFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { watch } from 'chokidar';
import type { DriverDefinition } from '../drivers/driver.ts';
import { DRIVERS, driverNamed } from '../drivers/index.ts';
import { startHosted } from '../drivers/node-red/hosted.ts';
import { Ledger } from '../ledger/ledger.ts';
import { StateLock } from '../ledger/lock.ts';
import { createLog } from '../report/log.ts';
import type { Log, LogFormat, LogLevel } from '../report/log.ts';
import { Metrics } from '../report/metrics.ts';
import { generateToken, loadHashKey } from '../secrets/keys.ts';
import { SecretStore } from '../secrets/store.ts';
import { parseAddress, urlOf } from './address.ts';
import { readConfiguration } from './configuration.ts';
import { Engine } from './engine.ts';
import { ExecutionPoller } from './executions.ts';
import { startListener } from './listener.ts';
import { LocalOperations } from './local-operations.ts';
import { DAEMON_FILE, TOKEN_FILE } from './remote-operations.ts';
import { SYSTEM_TIMERS } from './timers.ts';
import type { Timers } from './timers.ts';

export interface ServiceOptions {
  /** File or folder of Platform and Sync documents. */
  readonly configPath: string;
  readonly stateDir: string;
  /** Id of this installation, part of every owner. */
  readonly installation: string;
  readonly version: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly logFormat: LogFormat;
  readonly logLevel: LogLevel;
  readonly logStream?: NodeJS.WritableStream;
  readonly timers?: Timers;
  /** Drivers by the word in `Platform.spec.driver`; those that plumbline brings along when absent. */
  readonly driverNamed?: (name: string) => DriverDefinition;
}

export interface DaemonOptions extends ServiceOptions {
  /** `host:port` */
  readonly listen: string;
  /** Milliseconds that running passes get to end by themselves when the daemon stops. Default 20,000. */
  readonly stopDeadline?: number;
}

/** What plumbline keeps in its state directory for itself: no source's manifests may refer to it. */
const OWN_FILES = [
  'hash.key',
  TOKEN_FILE,
  DAEMON_FILE,
  'ledger.db',
  'ledger.db-wal',
  'lock.db',
  'node-red',
  'sources',
] as const;

/** What a process that may write holds open: the lock, the ledger, the engine. */
export interface Workshop extends AsyncDisposable {
  readonly engine: Engine;
  readonly operations: LocalOperations;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly secrets: SecretStore;
  readonly lock: StateLock;
  /** Ends everything that is under way. */
  abort(reason: Error): void;
}

/**
 * Opens everything that reconciling takes: for the daemon, and for a command that runs while there is none.
 * @throws ReconcilerError `state-locked`, `configuration-invalid`, `ledger-…`, `key-file-…`
 */
export async function openWorkshop(options: ServiceOptions): Promise<Workshop> {
  const { stateDir, installation, environment, version, timers = SYSTEM_TIMERS } = options;
  await using opened = new AsyncDisposableStack();
  const lock = opened.use(StateLock.acquire(stateDir, { pid: process.pid, startedAt: timers.now() }));
  const secrets = new SecretStore({
    env: environment,
    hashKey: loadHashKey(join(stateDir, 'hash.key')),
    reserved: OWN_FILES.map((name) => ({ file: join(stateDir, name) })),
  });
  const redact = (text: string): string => secrets.redact(text);
  const log = createLog({
    level: options.logLevel,
    format: options.logFormat,
    redact,
    ...(options.logStream === undefined ? {} : { stream: options.logStream }),
  });
  const metrics = new Metrics({ version });
  const ledger = opened.use(
    Ledger.open(stateDir, {
      lock,
      redact,
      onRecovery: ({ message, movedTo }) => log.error('ledger recovered', { about: message, movedTo }),
    }),
  );
  const abort = new AbortController();
  const engine = opened.use(
    await Engine.open({
      ledger,
      secrets,
      log,
      metrics,
      timers,
      environment,
      stateDir,
      installation,
      load: () => readConfiguration(options.configPath),
      driverNamed: options.driverNamed ?? driverNamed,
      formats: DRIVERS.flatMap(({ format }) => (format === undefined ? [] : [format])),
      host: (name, port, signal) =>
        startHosted({ stateDir, name, port, signal, log: (level, message, fields) => log[level](message, fields) }),
    }),
  );
  const held = opened.move();
  return {
    engine,
    operations: new LocalOperations(engine, version, abort.signal),
    log,
    metrics,
    secrets,
    lock,
    abort: (reason) => {
      abort.abort(reason);
      engine.queue.abort(reason);
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

/** A running daemon. */
export interface Daemon {
  /** `http://127.0.0.1:8480` */
  readonly url: string;
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
  await using opening = new AsyncDisposableStack();
  const workshop = opening.use(await openWorkshop(options));
  const { engine, log, metrics, secrets, operations, lock } = workshop;
  const token = generateToken(join(options.stateDir, TOKEN_FILE));
  secrets.hold(token);
  const timers = options.timers ?? SYSTEM_TIMERS;
  const { ledger } = engine.parts;
  const poller = opening.use(
    new ExecutionPoller({ ledger, metrics, log, timers, connected: () => engine.platforms.connected() }),
  );
  let stopping = false;
  const readiness = () => (stopping ? { ready: false, because: 'stopping' } : readinessOf(engine.pending));
  const redact = (text: string): string => secrets.redact(text);
  const listener = opening.use(
    await startListener({
      address,
      rootToken: token,
      version: options.version,
      ledger,
      platforms: engine.platforms,
      checkTrigger: async () => [],
      hold: (value) => secrets.hold(value),
      now: () => timers.now(),
      operations,
      metrics,
      readiness,
      redact,
      log,
    }),
  );
  const url = urlOf(listener);
  opening.defer(announce(options.stateDir, { ...listener, url, startedAt: timers.now() }));
  lock.announce({ listen: `${listener.host}:${listener.port}` });
  opening.use(watchConfiguration(options.configPath, () => void engine.reload()));
  engine.start();
  poller.start();
  log.info('daemon started', {
    url,
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
      await engine.queue.stop();
    } finally {
      clearTimeout(deadline);
      workshop.abort(new Error('plumbline stops'));
      await held.disposeAsync();
    }
    log.info('daemon stopped', {});
  };
  return { url, workshop, reload: () => engine.reload(), stop: (reason) => (stopped ??= stop(reason)) };
}

function readinessOf(pending: number): { readonly ready: boolean; readonly because?: string } {
  return pending === 0 ? { ready: true } : { ready: false, because: `${pending} Sync(s) have not been tried yet` };
}

/** Tells commands on this machine where the daemon is; the function returned takes that back. */
function announce(
  stateDir: string,
  daemon: { readonly host: string; readonly port: number; readonly url: string; readonly startedAt: number },
): () => void {
  const file = join(stateDir, DAEMON_FILE);
  const { host, port, url, startedAt } = daemon;
  const told = { pid: process.pid, host, port, address: url, startedAt: new Date(startedAt).toISOString() };
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
