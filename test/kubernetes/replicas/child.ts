// One replica in a process of its own, for tests that kill, stop and cut it off: `fork` it and send it its order.
import { once } from 'node:events';
import type { ClusterSettings } from '../../../src/daemon/cluster/cluster.ts';
import { startDaemon } from '../../../src/daemon/service.ts';
import { runUntilStopped } from '../../../src/daemon/signals.ts';
import type { ReplicaOptions } from '../../../src/daemon/workshop.ts';
import type { JsonObject, Kind } from '../../../src/manifest/manifest.ts';
import type { DriverDefinition } from '../../../src/drivers/driver.ts';
import { driverNamed } from '../../../src/drivers/index.ts';
import { MintDriver } from '../../drivers/mint/driver.ts';
import { CIRCUIT } from '../../drivers/mint/harness.ts';
import { witnessRequests } from './witness.ts';
import type { Begun } from './witness.ts';

export interface ReplicaOrder {
  readonly configPath: string;
  readonly stateDir: string;
  readonly keysDir: string;
  readonly replicas: ReplicaOptions;
  /** Configured by custom resources. */
  readonly cluster?: ClusterSettings;
  /** The tests' own platform behind whatever the configuration says. */
  readonly mint: boolean;
  /** Where its requests to platforms go, to be told of: nowhere when absent. */
  readonly ways?: readonly string[];
  /** Ways to platforms, by their origins. */
  readonly reroute?: Readonly<Record<string, string>>;
}

/** What the replica tells once it runs. */
export interface ReplicaTold {
  readonly identity: string;
  readonly url: string;
  readonly hooksUrl: string;
}

/** What it tells then, again and again. */
export interface ReplicaSaid {
  readonly begun: Begun;
}

/** Mint, which takes the nodes of a Node-RED flow for steps: manifests of workflows are checked by a format that Plumbline brings along. */
class NodesOnMint extends MintDriver {
  override normalize(kind: Kind, spec: JsonObject): JsonObject {
    const { definition } = spec;
    return super.normalize(kind, Array.isArray(definition) ? { ...spec, definition: { steps: definition } } : spec);
  }
}

function mintNamed(name: string): DriverDefinition {
  return { name, auth: [], connect: (connection) => new NodesOnMint(connection, CIRCUIT) };
}

/** The driver, which goes to platforms by other ways than their URLs say. */
function onTheWay(driver: DriverDefinition, ways: Readonly<Record<string, string>>): DriverDefinition {
  return { ...driver, connect: (to) => driver.connect({ ...to, url: ways[new URL(to.url).origin] ?? to.url }) };
}

const [order] = (await once(process, 'message')) as [ReplicaOrder];
const { mint, ways = [], reroute = {}, ...options } = order;
witnessRequests(ways, (begun) => process.connected && process.send?.({ begun } satisfies ReplicaSaid));
process.exitCode = await runUntilStopped(async () => {
  const daemon = await startDaemon({
    ...options,
    listen: '127.0.0.1:0',
    listenHooks: '127.0.0.1:0',
    installation: 'fleet',
    version: '0.0.0',
    environment: process.env,
    logFormat: 'json',
    logLevel: 'info',
    logStream: process.stderr,
    stopDeadline: 5_000,
    driverNamed: (name) => onTheWay(mint ? mintNamed(name) : driverNamed(name), reroute),
  });
  const { url, hooksUrl, workshop } = daemon;
  process.send?.({ identity: workshop.shards?.identity ?? '', url, hooksUrl } satisfies ReplicaTold);
  return daemon;
});
process.disconnect();
