import { remoteApi } from './remote-api.ts';
import type { OperationName, Operations } from './operations.ts';

/**
 * The operations of a running daemon, over HTTP with the token of its state directory. Ask for them only while the
 * state directory is locked: else the address may belong to somebody else by now.
 * @throws ReconcilerError 'backoff' (`daemon-unreachable`) when there is no daemon or its token cannot be read.
 */
export function remoteOperations(stateDir: string): Operations {
  const api = remoteApi(stateDir);
  const call = async (name: OperationName, args: unknown): Promise<unknown> => {
    const answer = await api('POST', `/operations/${name}`, args ?? {});
    return typeof answer === 'object' && answer !== null && 'result' in answer ? answer.result : undefined;
  };
  const operation = <Name extends OperationName>(name: Name): Operations[Name] =>
    // One function serves all: name and result travel as JSON, and the daemon checks the arguments.
    ((args: unknown) => call(name, args)) as Operations[Name];
  return {
    status: operation('status'),
    check: operation('check'),
    plan: operation('plan'),
    apply: operation('apply'),
    reconcile: operation('reconcile'),
    accept: operation('accept'),
    suspend: operation('suspend'),
    resume: operation('resume'),
    release: operation('release'),
    restore: operation('restore'),
    history: operation('history'),
    events: operation('events'),
    export: operation('export'),
    tree: operation('tree'),
    serviceLevels: operation('serviceLevels'),
    rules: operation('rules'),
    integrations: operation('integrations'),
    run: operation('run'),
    repin: operation('repin'),
    letters: operation('letters'),
    replayLetters: operation('replayLetters'),
    discardLetters: operation('discardLetters'),
    archived: operation('archived'),
  };
}
