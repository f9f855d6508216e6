import ipaddr from 'ipaddr.js';
import { ReconcilerError } from '../errors.ts';
import { startDaemon, type DaemonOptions } from '../daemon/service.ts';
import type { ClusterSettings } from '../daemon/cluster/cluster.ts';
import { runUntilStopped } from '../daemon/signals.ts';
import { inCluster } from '../kube/connection.ts';
import { globalFlags, type Context, type GlobalFlags, type Register } from './context.ts';
import { replicasOf } from './replicas.ts';
import { version } from './version.ts';

export const registerStart: Register = (program, context) => {
  const command = program
    .command('start')
    .description('run the daemon: keep the platforms as git says until it is stopped')
    .option('--kubeconfig <file>', 'work by the custom resources of this cluster; in a pod, those of its own')
    .option('--context <name>', 'context of the kubeconfig; its current one when absent')
    .option('--watch-namespace <name>', 'only custom resources of this namespace count; all when absent');
  command.action(async () => {
    const cluster = clusterOf(command.opts<ClusterFlags>(), context);
    const options = { ...daemonOptions(globalFlags(command), context), ...(cluster === undefined ? {} : { cluster }) };
    context.exit(await runUntilStopped(() => startDaemon(options)));
  });
};

interface ClusterFlags {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly watchNamespace?: string;
}

/** The cluster that was named, or the one that this process is a pod of; undefined on a machine of its own. */
function clusterOf(flags: ClusterFlags, { environment }: Context): ClusterSettings | undefined {
  if (flags.kubeconfig !== undefined || inCluster({ environment: environment.variables })) return flags;
  if (flags.context === undefined && flags.watchNamespace === undefined) return undefined;
  throw new ReconcilerError('--context and --watch-namespace are about a cluster, and none is named', 'never', {
    remedy: 'Name it with --kubeconfig, or run plumbline as a pod.',
  });
}

export function daemonOptions(flags: GlobalFlags, { environment }: Context): DaemonOptions {
  const replicas = replicasOf(flags);
  return {
    ...(replicas === undefined ? {} : { replicas }),
    configPath: flags.config,
    stateDir: flags.stateDir,
    ...(flags.keysDir === undefined ? {} : { keysDir: flags.keysDir }),
    installation: flags.installation,
    listen: flags.listen,
    listenHooks: flags.listenHooks,
    trustedProxies: networks(flags.trustProxy),
    version: version(),
    environment: environment.variables,
    logFormat: flags.logFormat,
    logLevel: flags.logLevel,
  };
}

/** @throws ReconcilerError 'never' when one of them is neither an address nor a network */
function networks(text: string): readonly string[] {
  const found = text.split(',').flatMap((network) => network.trim() || []);
  const wrong = found.find((network) => !ipaddr.isValid(network) && !ipaddr.isValidCIDR(network));
  if (wrong === undefined) return found;
  throw new ReconcilerError(`"${wrong}" is no network of a proxy`, 'never', {
    remedy: 'Write --trust-proxy such as 10.0.0.0/8 or 192.0.2.7, several with commas between.',
  });
}
