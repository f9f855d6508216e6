import { ReconcilerError } from '../errors.ts';
import { askReplicas } from '../daemon/holders.ts';
import type { Operations } from '../daemon/operations.ts';
import { daemonOf, remoteApi } from '../daemon/remote-api.ts';
import type { RemoteApi } from '../daemon/remote-api.ts';
import { remoteOperations } from '../daemon/remote-operations.ts';
import { joinAsGuest } from '../daemon/shard-duties.ts';
import { openWorkshop } from '../daemon/workshop.ts';
import { holderOf } from '../ledger/lock.ts';
import type { Context, GlobalFlags, Session } from './context.ts';
import { replicasOf } from './replicas.ts';
import { version } from './version.ts';

/**
 * A way to the operations: the daemon that holds this state directory, else this process itself, which then holds it for
 * as long as the command runs. There is one writer either way (OWNERSHIP.md, Writers).
 * @throws ReconcilerError `state-locked` when another command holds it, `configuration-…` when there is nothing to work on.
 */
export async function openSession(flags: GlobalFlags, context: Context): Promise<Session> {
  if (daemonRuns(flags.stateDir)) {
    return session(remoteOperations(flags.stateDir), () => Promise.resolve());
  }
  const replicas = replicasOf(flags);
  const workshop = await openWorkshop({
    ...(replicas === undefined ? {} : { replicas: { ...replicas, guest: true } }),
    configPath: flags.config,
    stateDir: flags.stateDir,
    ...(flags.keysDir === undefined ? {} : { keysDir: flags.keysDir }),
    installation: flags.installation,
    version: version(),
    environment: context.environment.variables,
    logFormat: flags.logFormat,
    // What happens is told by the command itself; the log is for what it does not expect.
    logLevel: flags.logLevel === 'debug' ? 'debug' : 'error',
  });
  context.signal.addEventListener('abort', () => workshop.abort(new Error('interrupted')), { once: true });
  // One writer here as well: a shard that nobody holds is taken for as long as the command runs, the others are refused.
  await joinAsGuest(workshop);
  const local = session(workshop.operations, async () => workshop[Symbol.asyncDispose]());
  const reconcile = ({ sync }: { readonly sync?: string | undefined }) => askReplicas(workshop.engine, sync);
  return { ...local, reconcile: replicas === undefined ? refuseReconcile : reconcile };
}

/** @throws ReconcilerError `daemon-unreachable` when no daemon holds this state directory. */
export function openApi({ stateDir }: GlobalFlags): RemoteApi {
  if (daemonRuns(stateDir)) return remoteApi(stateDir);
  throw new ReconcilerError('no daemon runs on this state directory', 'never', {
    code: 'daemon-unreachable',
    remedy: 'Start one with "plumbline start", or name its state directory with --state-dir.',
  });
}

/** Whether a daemon holds this state directory. */
export function daemonRuns(stateDir: string): boolean {
  return holderOf(stateDir) !== undefined && daemonOf(stateDir) !== undefined;
}

function refuseReconcile(): Promise<never> {
  return Promise.reject(
    new ReconcilerError('no daemon runs on this state directory, so there is nobody to look again', 'never', {
      code: 'daemon-unreachable',
      remedy: 'Start one with "plumbline start", or use "plumbline apply".',
    }),
  );
}

function session(operations: Operations, close: () => Promise<void>): Session {
  return {
    status: (args) => operations.status(args),
    check: (args) => operations.check(args),
    export: (args) => operations.export(args),
    plan: (args) => operations.plan(args),
    apply: (args) => operations.apply(args),
    reconcile: (args) => operations.reconcile(args),
    accept: (args) => operations.accept(args),
    suspend: (args) => operations.suspend(args),
    resume: (args) => operations.resume(args),
    release: (args) => operations.release(args),
    restore: (args) => operations.restore(args),
    history: (args) => operations.history(args),
    events: (args) => operations.events(args),
    tree: (args) => operations.tree(args),
    serviceLevels: (args) => operations.serviceLevels(args),
    rules: (args) => operations.rules(args),
    integrations: (args) => operations.integrations(args),
    run: (args) => operations.run(args),
    repin: (args) => operations.repin(args),
    letters: (args) => operations.letters(args),
    replayLetters: (args) => operations.replayLetters(args),
    discardLetters: (args) => operations.discardLetters(args),
    archived: (args) => operations.archived(args),
    [Symbol.asyncDispose]: close,
  };
}
