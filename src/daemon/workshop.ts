import { join } from 'node:path';
import type { DriverDefinition } from '../drivers/driver.ts';
import { DRIVERS, driverNamed } from '../drivers/index.ts';
import { startHosted } from '../drivers/node-red/hosted.ts';
import { ReconcilerError } from '../errors.ts';
import type { IntegrationRunner } from '../integrations/integration-runner.ts';
import { KubeClient } from '../kube/client.ts';
import { Ledger } from '../ledger/ledger.ts';
import { StateLock } from '../ledger/lock.ts';
import { PluginHost } from '../plugins/plugin-host.ts';
import { createLog } from '../report/log.ts';
import type { Log, LogFormat, LogLevel } from '../report/log.ts';
import { Metrics } from '../report/metrics.ts';
import { KEY_FILES, openKeys } from '../secrets/keys.ts';
import type { Keys } from '../secrets/keys.ts';
import { Seal } from '../secrets/seal.ts';
import { SecretStore } from '../secrets/store.ts';
import { ClusterState } from './cluster/cluster.ts';
import type { ClusterSettings } from './cluster/cluster.ts';
import { readConfiguration } from './configuration.ts';
import { Engine } from './engine.ts';
import { IntegrationCode } from './integration-code.ts';
import { LocalOperations } from './local-operations.ts';
import { OptionalFiles } from './optional-files.ts';
import { DAEMON_FILE } from './remote-api.ts';
import { SharedState } from './shared-state.ts';
import { Shards } from './shards.ts';
import type { ShardTerms } from './shards.ts';
import { SYSTEM_TIMERS } from './timers.ts';
import type { Timers } from './timers.ts';

export interface ServiceOptions {
  /** File or folder of Platform and Sync documents. */
  readonly configPath: string;
  readonly stateDir: string;
  /** Folder of `hash.key` and `token`, kept by somebody else; the state directory, where they are made, when absent. */
  readonly keysDir?: string;
  /** Id of this installation, part of every owner. */
  readonly installation: string;
  readonly version: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly logFormat: LogFormat;
  readonly logLevel: LogLevel;
  readonly logStream?: NodeJS.WritableStream;
  readonly timers?: Timers;
  /** Several replicas that share the platforms, by Leases of a cluster; this process alone writes to all, when absent. */
  readonly replicas?: ReplicaOptions;
  /** The cluster whose custom resources configure this installation, beside the files; none when absent. */
  readonly cluster?: ClusterSettings;
  /** Drivers by the word in `Platform.spec.driver`; those that plumbline brings along when absent. */
  readonly driverNamed?: (name: string) => DriverDefinition;
}

export interface ReplicaOptions extends Omit<ShardTerms, 'installation' | 'namespace'> {
  /** A kubeconfig file; the ServiceAccount of this pod when absent. */
  readonly kubeconfig?: string;
  /** That of the kubeconfig's context, or of the pod, when absent. */
  readonly namespace?: string;
}

/** What plumbline keeps in its state directory for itself: no source's manifests may refer to it. */
const OWN_FILES = [
  KEY_FILES.hashKey,
  KEY_FILES.token,
  DAEMON_FILE,
  'ledger.db',
  'ledger.db-wal',
  'lock.db',
  'node-red',
  'sources',
  'integrations',
] as const;

/** What a process that may write holds open: the lock, the ledger, the engine. */
export interface Workshop extends AsyncDisposable {
  readonly engine: Engine;
  readonly operations: LocalOperations;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly secrets: SecretStore;
  readonly lock: StateLock;
  readonly plugins: PluginHost;
  /** Runs the code of Integrations. */
  readonly integrations: IntegrationRunner;
  readonly keys: Keys;
  /** Which platforms are this replica's; undefined when it is the only one. */
  readonly shards: Shards | undefined;
  /** Absent outside of a cluster. */
  readonly cluster?: ClusterState;
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
  const keys = openKeys(stateDir, options.keysDir);
  const key = keys.hashKey;
  let cluster: ClusterState | undefined;
  const secrets = new SecretStore({
    env: environment,
    hashKey: key,
    cluster: async (namespace, name) => cluster?.readSecret(namespace, name),
    reserved: [
      ...OWN_FILES.map((name) => ({ file: join(stateDir, name) })),
      ...(options.keysDir === undefined ? [] : [{ file: options.keysDir }]),
    ],
  });
  secrets.hold(keys.token);
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
      seal: new Seal({ key, hold: (value) => secrets.hold(value) }),
      onRecovery: ({ message, movedTo }) => log.error('ledger recovered', { about: message, movedTo }),
    }),
  );
  const plugins = opened.use(
    new PluginHost({
      redact,
      onPrinted: (plugin, line) => log.info('plugin printed', { plugin, line }),
      onCall: (plugin, result, seconds) => metrics.gateway.pluginCall(plugin, result, seconds),
    }),
  );
  const shared = await openShards(options, { opened, log, metrics, ledger });
  const abort = new AbortController();
  const code = new IntegrationCode({ ledger, secrets, stateDir, environment, timers });
  if (options.cluster !== undefined) {
    const drivers = DRIVERS.map(({ name }) => name);
    const parts = { ...options.cluster, environment, version, drivers, log, timers };
    cluster = opened.use(await ClusterState.open(parts));
  }
  const files = new OptionalFiles(options.configPath, log);
  const engine = opened.use(
    await Engine.open({
      ...shared,
      ledger,
      secrets,
      log,
      plugins,
      metrics,
      timers,
      environment,
      stateDir,
      installation,
      load: async () => {
        if (cluster === undefined) return readConfiguration(options.configPath);
        return cluster.configuration(await files.read(), ledger.scopes());
      },
      ...(cluster === undefined
        ? {}
        : {
            customResources: cluster.customResources,
            isReadyElsewhere: ({ sync }: { readonly sync: string }) => cluster.isReady(sync),
          }),
      driverNamed: options.driverNamed ?? driverNamed,
      pins: (target) => code.pins(target),
      formats: DRIVERS.flatMap(({ format }) => (format === undefined ? [] : [format])),
      host: (name, port, signal) =>
        startHosted({ stateDir, name, port, signal, log: (level, message, fields) => log[level](message, fields) }),
    }),
  );
  const integrations = opened.use(code.runner(engine));
  const held = opened.move();
  return {
    engine,
    operations: new LocalOperations(engine, { version, signal: abort.signal, integrations }),
    integrations,
    log,
    metrics,
    secrets,
    lock,
    plugins,
    ...(cluster === undefined ? {} : { cluster }),
    keys,
    shards: shared.shards,
    abort: (reason) => {
      abort.abort(reason);
      engine.queue.abort(reason);
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

interface Opened {
  readonly opened: AsyncDisposableStack;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly ledger: Ledger;
}

async function openShards(
  { replicas, installation, environment, version, keysDir, cluster }: ServiceOptions,
  { opened, log, metrics, ledger }: Opened,
): Promise<{ readonly shards?: Shards; readonly state?: SharedState }> {
  if (replicas === undefined) return {};
  if (keysDir === undefined) {
    throw new ReconcilerError('Several replicas need one hash key, and no folder of keys was given.', 'never', {
      code: 'keys-missing',
      remedy: 'Mount one Secret with hash.key and token for all of them, and name its folder with --keys-dir.',
    });
  }
  const { kubeconfig = cluster?.kubeconfig, namespace, ...terms } = replicas;
  // The Leases lie in the cluster whose custom resources count: in another one they would tell nobody.
  const context = cluster?.kubeconfig === kubeconfig ? cluster?.context : undefined;
  const client = opened.use(
    await KubeClient.open({
      ...(kubeconfig === undefined ? {} : { kubeconfig }),
      ...(context === undefined ? {} : { context }),
      environment,
      version,
    }),
  );
  const place = { installation, namespace: namespace ?? client.namespace };
  const shards = opened.use(new Shards(client, { ...terms, ...place }, { log, metrics }));
  const state = opened.use(
    new SharedState({ ...place, client }, ledger, {
      refuse: (platform) => void shards.fence(platform).permit(),
      onFault: (error) => log.warn('inventories of other replicas not followed', { error }),
    }),
  );
  return { shards, state };
}
