import ipaddr from 'ipaddr.js';
import { ReconcilerError } from '../errors.ts';
import { startDaemon, type DaemonOptions } from '../daemon/service.ts';
import type { ClusterSettings } from '../daemon/cluster/cluster.ts';
import type { RulePlace } from '../daemon/rule-objects.ts';
import { runUntilStopped } from '../daemon/signals.ts';
import { inCluster } from '../kube/connection.ts';
import { globalFlags, type Context, type GlobalFlags, type Register } from './context.ts';
import { replicasOf } from './replicas.ts';
import { version } from './version.ts';

export const registerStart: Register = (program, context) => {
  const command = program
    .command('start')
    .description('run the daemon: keep the platforms as git says until it is stopped')
    .option('--context <name>', 'context of the kubeconfig whose custom resources count; its current one when absent');
  command.action(async () => {
    const flags = globalFlags(command);
    const cluster = clusterOf(flags, command.opts<{ readonly context?: string }>(), context);
    const options = { ...daemonOptions(flags, context), ...(cluster === undefined ? {} : { cluster }) };
    context.exit(await runUntilStopped(() => startDaemon(options)));
  });
};

/** The cluster that was named, or the one that this process is a pod of; undefined where custom resources do not count. */
function clusterOf(
  { kubeconfig, customResources, watchNamespace }: GlobalFlags,
  { context }: { readonly context?: string },
  { environment }: Context,
): ClusterSettings | undefined {
  const named = kubeconfig !== '' || inCluster({ environment: environment.variables });
  if (customResources !== 'off' && named) {
    return {
      ...(kubeconfig === '' ? {} : { kubeconfig }),
      ...(context === undefined ? {} : { context }),
      ...(watchNamespace === '' ? {} : { watchNamespace }),
    };
  }
  if (context === undefined && watchNamespace === '') return undefined;
  const remedy =
    customResources === 'off'
      ? 'Leave them out, or let --custom-resources be auto.'
      : 'Name it with --kubeconfig, or run plumbline as a pod.';
  throw new ReconcilerError(
    '--context and --watch-namespace are about custom resources, and none count here',
    'never',
    {
      remedy,
    },
  );
}

export function daemonOptions(flags: GlobalFlags, { environment }: Context): DaemonOptions {
  const replicas = replicasOf(flags);
  return {
    ...(replicas === undefined ? {} : { replicas }),
    ...(flags.prometheusRule === '' ? {} : { rules: rulesOf(flags) }),
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

function rulesOf({ prometheusRule, kubeconfig, namespace }: GlobalFlags): RulePlace {
  return {
    beside: prometheusRule,
    ...(kubeconfig === '' ? {} : { kubeconfig }),
    ...(namespace === '' ? {} : { namespace }),
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
