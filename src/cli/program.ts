import { Command, Option } from 'commander';
import { registerAccept } from './accept.ts';
import { registerApply } from './apply.ts';
import { registerCheck } from './check.ts';
import type { Context, Register } from './context.ts';
import { registerDemo } from './demo.ts';
import { registerDiff } from './diff.ts';
import { VARIABLES } from './environment.ts';
import { registerEvents } from './events.ts';
import { registerExport } from './export.ts';
import { registerHistory } from './history.ts';
import { registerPlan } from './plan.ts';
import { registerReconcile } from './reconcile.ts';
import { registerRelease } from './release.ts';
import { registerRestore } from './restore.ts';
import { registerResume } from './resume.ts';
import { registerSchema } from './schema.ts';
import { registerRules } from './rules.ts';
import { registerStart } from './start.ts';
import { registerStatus } from './status.ts';
import { registerSuspend } from './suspend.ts';
import { registerTree } from './tree.ts';
import { registerValidate } from './validate.ts';
import { registerAudit } from './audit.ts';
import { registerDeliveries } from './deliveries.ts';
import { registerExecutions } from './executions.ts';
import { registerIntegrations, registerRepin, registerRun } from './integrations.ts';
import { registerToken } from './token.ts';
import { registerTrigger } from './trigger.ts';
import { registerWebhook } from './webhook.ts';
import { version } from './version.ts';

const COMMANDS: readonly Register[] = [
  registerStart,
  registerDemo,
  registerCheck,
  registerValidate,
  registerPlan,
  registerDiff,
  registerApply,
  registerExport,
  registerStatus,
  registerTree,
  registerRules,
  registerEvents,
  registerHistory,
  registerReconcile,
  registerAccept,
  registerSuspend,
  registerResume,
  registerRelease,
  registerRestore,
  registerTrigger,
  registerExecutions,
  registerIntegrations,
  registerRun,
  registerRepin,
  registerWebhook,
  registerDeliveries,
  registerToken,
  registerAudit,
  registerSchema,
];

/** The whole command line; parsing it runs a command. */
export function createProgram(context: Context): Command {
  const { variables } = context.environment;
  const global = (name: keyof typeof VARIABLES, flags: string, description: string, fallback: string) =>
    new Option(flags, `${description} (also ${VARIABLES[name]})`).default(variables[VARIABLES[name]] ?? fallback);
  const program = new Command('plumbline')
    .description('GitOps for low-code platforms: git says how they stand, Plumbline keeps them so.')
    .version(version())
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.print(text.trimEnd()),
      writeErr: (text) => context.remark(text.trimEnd()),
    })
    .showSuggestionAfterError()
    .addOption(global('config', '--config <path>', 'file or folder of Platform and Sync documents', 'plumbline.yaml'))
    .addOption(global('stateDir', '--state-dir <path>', 'where ledger, keys and caches are kept', '.plumbline'))
    .addOption(
      global(
        'keysDir',
        '--keys-dir <path>',
        'folder that holds hash.key and token, such as a mounted Secret; the state directory, where they are made, when empty',
        '',
      ),
    )
    .addOption(
      global(
        'listen',
        '--listen <host:port>',
        'where metrics, health and API are served, for those inside',
        '127.0.0.1:8480',
      ),
    )
    .addOption(
      global(
        'listenHooks',
        '--listen-hooks <host:port>',
        'where git pushes and platform events are taken: the only address an ingress has to expose',
        '127.0.0.1:8481',
      ),
    )
    .addOption(
      global(
        'trustProxy',
        '--trust-proxy <networks>',
        'networks of the ingress in front of the hooks, such as 10.0.0.0/8, whose X-Forwarded-For says who asks; comma-separated',
        '',
      ),
    )
    .addOption(global('installation', '--installation <id>', 'id of this installation, part of every owner', 'default'))
    .addOption(
      global(
        'kubeconfig',
        '--kubeconfig <file>',
        'how the cluster is reached; as the ServiceAccount of this pod when empty',
        '',
      ),
    )
    .addOption(
      global(
        'namespace',
        '--namespace <name>',
        "where Leases and inventory are kept; that of the kubeconfig's context, or of this pod, when empty",
        '',
      ),
    )
    .addOption(
      global(
        'customResources',
        '--custom-resources <when>',
        "auto: the daemon works by the cluster's Platform, Sync and Plugin objects, where a cluster is named or this is a pod; off: by files only",
        'auto',
      ).choices(['auto', 'off']),
    )
    .addOption(
      global(
        'watchNamespace',
        '--watch-namespace <name>',
        'the only namespace whose custom resources count; all when empty',
        '',
      ),
    )
    .addOption(
      global(
        'shards',
        '--shards <number>',
        'parts that replicas divide the platforms into, each held by one replica through a Lease; 0: one process, no cluster',
        '0',
      ),
    )
    .addOption(
      global('leaseDuration', '--lease-duration <duration>', 'how long a replica may write after a renewal', '35s'),
    )
    .addOption(global('leaseRetry', '--lease-retry <duration>', 'time between two renewals of a Lease', '5s'))
    .addOption(
      global(
        'prometheusRule',
        '--prometheus-rule <name>',
        'a PrometheusRule in the namespace, beside which the daemon keeps those of service levels: they get its labels and go with it; none are kept when empty',
        '',
      ),
    )
    .addOption(
      global('logLevel', '--log-level <level>', 'what is logged', 'info').choices(['error', 'warn', 'info', 'debug']),
    )
    .addOption(
      new Option(
        '--log-format <format>',
        `json or pretty; pretty on a terminal, json elsewhere (also ${VARIABLES.logFormat})`,
      )
        .choices(['json', 'pretty'])
        .default(variables[VARIABLES.logFormat] ?? (context.environment.terminal ? 'pretty' : 'json')),
    );
  for (const register of COMMANDS) register(program, context);
  for (const command of allCommands(program)) command.exitOverride().configureOutput(program.configureOutput());
  return program;
}

/** Commands and their subcommands. */
function allCommands(program: Command): readonly Command[] {
  return program.commands.flatMap((command) => [command, ...allCommands(command)]);
}
