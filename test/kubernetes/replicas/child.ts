// One replica in a process of its own, for tests that kill, stop and cut it off: `fork` it and send it its order.
import { once } from 'node:events';
import type { ClusterSettings } from '../../../src/daemon/cluster/cluster.ts';
import { startDaemon } from '../../../src/daemon/service.ts';
import { runUntilStopped } from '../../../src/daemon/signals.ts';
import type { ReplicaOptions } from '../../../src/daemon/workshop.ts';
import { MintDriver } from '../../drivers/mint/driver.ts';
import { CIRCUIT } from '../../drivers/mint/harness.ts';

export interface ReplicaOrder {
  readonly configPath: string;
  readonly stateDir: string;
  readonly keysDir: string;
  readonly replicas: ReplicaOptions;
  /** Configured by custom resources. */
  readonly cluster?: ClusterSettings;
  /** The tests' own platform behind whatever the configuration says. */
  readonly mint: boolean;
}

/** What the replica tells once it runs. */
export interface ReplicaTold {
  readonly identity: string;
  readonly url: string;
  readonly hooksUrl: string;
}

const [order] = (await once(process, 'message')) as [ReplicaOrder];
const { mint, ...options } = order;
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
    ...(mint
      ? { driverNamed: (name) => ({ name, auth: [], connect: (connection) => new MintDriver(connection, CIRCUIT) }) }
      : {}),
  });
  const { url, hooksUrl, workshop } = daemon;
  process.send?.({ identity: workshop.shards?.identity ?? '', url, hooksUrl } satisfies ReplicaTold);
  return daemon;
});
process.disconnect();
