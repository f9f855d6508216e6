import { relative } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { ReconcilerError, messageOf } from '../errors.ts';
import type { StatusResult } from '../daemon/operations.ts';
import { startDaemon, type Daemon, type DaemonOptions } from '../daemon/service.ts';
import { runUntilStopped } from '../daemon/signals.ts';
import { globalFlags, type Context, type Register } from './context.ts';
import { makerPassword, prepareDemo, type Demo } from './demo-repository.ts';
import { DemoReceiver } from './demo-receiver.ts';
import { DemoServices } from './demo-services.ts';
import { tellOrders, tellSyncs } from './demo-story.ts';
import { daemonOptions } from './start.ts';

/** Milliseconds the first pass may take before the demo says what it waits for. */
const PATIENCE = 60_000;

export const registerDemo: Register = (program, context) => {
  const command = program
    .command('demo')
    .description('try it: a Node-RED of its own, kept as a git repository of its own says');
  command.action(async () => {
    const flags = globalFlags(command);
    const demo = await prepareDemo(flags.stateDir);
    const where = relative(context.environment.cwd, demo.repository) || '.';
    context.print(
      demo.fresh
        ? `Made the git repository ${where} from the sample manifests.`
        : `Going on with the git repository ${where}.`,
    );
    context.print('Starting Node-RED and the daemon …');
    const options = daemonOptions({ ...flags, config: demo.configuration, logFormat: 'pretty' }, context);
    // What happens is told as events; the log is for those who ask for it.
    const logLevel = flags.logLevel === 'info' ? 'error' : flags.logLevel;
    const follow = new AbortController();
    const telling = { context, signal: follow.signal };
    await using receiver = await DemoReceiver.open(demo, telling);
    await using services = await DemoServices.open(demo, telling);
    const code = await runUntilStopped(async () => {
      const daemon = await startAnywhere({ ...options, logLevel }, context);
      void tell(daemon, telling);
      void converged(daemon, demo, telling).then(async (inSync) => {
        const delivered = (id: string) => receiver.delivered(id);
        if (inSync) await tellOrders(flags.stateDir, { ...telling, delivered });
        if (inSync && demo.servicesPort !== undefined) await tellSyncs(flags.stateDir, services, telling);
        if (inSync && !follow.signal.aborted) context.print('What happens is told here. Ctrl-C stops it.\n');
      });
      return daemon;
    });
    follow.abort();
    context.print('Stopped. "npm start" goes on where it was; delete .plumbline to begin anew.');
    context.exit(code);
  });
};

/** On another port when the usual one is taken: whoever tries this out may have a daemon running already. */
async function startAnywhere(options: DaemonOptions, context: Context): Promise<Daemon> {
  try {
    return await startDaemon(options);
  } catch (error) {
    if (!(error instanceof ReconcilerError) || error.code !== 'listen-failed') throw error;
    context.print(`${messageOf(error)} Other ports are used.`);
    return startDaemon({ ...options, listen: '127.0.0.1:0', listenHooks: '127.0.0.1:0' });
  }
}

interface Telling {
  readonly context: Context;
  /** Fires when the demo ends. */
  readonly signal: AbortSignal;
}

/** Waits for the first pass and says where everything is. @returns whether it is as git says */
async function converged(daemon: Daemon, demo: Demo, { context, signal }: Telling): Promise<boolean> {
  const { operations, engine } = daemon.workshop;
  const started = Date.now();
  let status = await operations.status({});
  while (!settled(status) && Date.now() - started < PATIENCE && !signal.aborted) {
    await pause(100);
    status = await operations.status({});
  }
  if (signal.aborted) return false;
  const editor = (await engine.platforms.url('node-red')) ?? '(not started)';
  const [sync] = status.syncs;
  const ready = sync?.conditions.find((condition) => condition.type === 'Ready');
  if (sync === undefined || ready?.status !== 'True') {
    context.print(`Not in sync yet: ${ready?.message ?? 'no pass has ended'}`);
    return false;
  }
  const places = { demo, editor, daemon, owned: sync.inventory.length, password: await makerPassword(demo) };
  context.print(guide(places, context));
  return true;
}

function settled({ syncs }: StatusResult): boolean {
  return (
    syncs.length > 0 &&
    syncs.every((sync) =>
      sync.conditions.some((condition) => condition.type === 'Ready' && condition.status !== 'Unknown'),
    )
  );
}

interface Places {
  readonly demo: Demo;
  readonly editor: string;
  readonly daemon: Daemon;
  readonly owned: number;
  readonly password: string;
}

/** How the program is called from a clone, and where the package is installed. */
const PROGRAM = import.meta.filename.endsWith('.ts') ? 'npm run -s plumbline' : 'plumbline';

function guide({ demo, editor, daemon, owned, password }: Places, { colours, environment }: Context): string {
  const repository = relative(environment.cwd, demo.repository) || '.';
  const { bold, dim } = colours;
  return `
${bold(`${owned} objects stand on Node-RED as git says.`)}

  editor      ${editor}   ${dim('user maker, password')} ${password}
  repository  ${repository}
  metrics     ${daemon.url}/metrics
  status      ${PROGRAM} status
  hooks       ${daemon.hooksUrl}   ${dim('git pushes and platform events; nothing else is served there')}

${bold('Try')}
  curl -s ${editor}/orders -H 'content-type: application/json' -d '{"id": "A-1", "customer": "acme", "amount": 120}'
                            an order, taken by the flow that git describes
  ${dim('edit')} ${repository}/workflows/order-fulfillment.json ${dim('and commit')}
                            live within a second
  ${dim('change a flow in the editor and press Deploy')}
                            found at once, archived, and reverted after five seconds, with your name
  ${dim('delete a tab in the editor')}
                            restored
  ${PROGRAM} trigger order-fulfillment --input '{"id": "A-3", "customer": "acme", "amount": 99}' --wait
                            a run on demand, checked by a plugin first
  ${PROGRAM} run crm-sync | integrations
                            code that syncs records: a run on demand, and how it stands
  ${PROGRAM} plan | history | events | restore | executions | deliveries | audit
`;
}

/** Prints events as they come, as the daemon keeps them. */
async function tell(daemon: Daemon, { context, signal }: Telling): Promise<void> {
  const { operations } = daemon.workshop;
  let after = (await operations.events({ limit: 1 })).at(-1)?.id ?? 0;
  while (!signal.aborted) {
    await pause(200);
    if (signal.aborted) return;
    const events = await operations.events({ after, limit: 100 });
    for (const event of events) {
      const time = new Date(event.at).toISOString().slice(11, 19);
      context.print(`${time}  ${event.type.padEnd(14)}  ${event.message}`);
      after = Math.max(after, event.id);
    }
  }
}
