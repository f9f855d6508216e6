import { z } from 'zod';
import { ReconcilerError } from '../errors.ts';
import type { OfferedOperation, OperationParts } from '../gateway/api/operations.ts';
import { OPERATION_ARGUMENTS } from './operations.ts';
import type { OperationName, Operations } from './operations.ts';

const CALLS: { readonly [Name in OperationName]: (operations: Operations, body: unknown) => Promise<unknown> } = {
  status: (operations, body) => operations.status(checked('status', body)),
  check: (operations, body) => operations.check(checked('check', body)),
  plan: (operations, body) => operations.plan(checked('plan', body)),
  apply: (operations, body) => operations.apply(checked('apply', body)),
  reconcile: (operations, body) => operations.reconcile(checked('reconcile', body)),
  accept: (operations, body) => operations.accept(checked('accept', body)),
  suspend: (operations, body) => operations.suspend(checked('suspend', body)),
  resume: (operations, body) => operations.resume(checked('resume', body)),
  release: (operations, body) => operations.release(checked('release', body)),
  restore: (operations, body) => operations.restore(checked('restore', body)),
  history: (operations, body) => operations.history(checked('history', body)),
  events: (operations, body) => operations.events(checked('events', body)),
  export: (operations, body) => operations.export(checked('export', body)),
  tree: (operations, body) => operations.tree(checked('tree', body)),
  serviceLevels: (operations, body) => operations.serviceLevels(checked('serviceLevels', body)),
  rules: (operations, body) => operations.rules(checked('rules', body)),
  integrations: (operations, body) => operations.integrations(checked('integrations', body)),
  run: (operations, body) => operations.run(checked('run', body)),
  repin: (operations, body) => operations.repin(checked('repin', body)),
  letters: (operations, body) => operations.letters(checked('letters', body)),
  replayLetters: (operations, body) => operations.replayLetters(checked('replayLetters', body)),
  discardLetters: (operations, body) => operations.discardLetters(checked('discardLetters', body)),
  archived: (operations, body) => operations.archived(checked('archived', body)),
};

/** What each does, for the API's document; those that read need no more than a token that may read. */
const OFFERED: { readonly [Name in OperationName]: Omit<OfferedOperation, 'arguments'> } = {
  status: { readOnly: true, summary: 'How every Sync stands' },
  check: { readOnly: true, summary: 'Ask each platform for version, rights and licence' },
  plan: { readOnly: true, summary: 'What a pass would do' },
  apply: { readOnly: false, summary: 'Do it' },
  reconcile: { readOnly: false, summary: 'Look at a Sync now, or at all' },
  accept: { readOnly: false, summary: 'Take a revision that looked wrong as it is' },
  suspend: { readOnly: false, summary: 'Stop a Sync' },
  resume: { readOnly: false, summary: 'End a suspension or a hold' },
  release: { readOnly: false, summary: 'Give an object up; it stays on the platform' },
  restore: { readOnly: false, summary: 'Put an archived copy back' },
  history: { readOnly: true, summary: 'What passes did' },
  events: { readOnly: true, summary: 'What happened' },
  export: { readOnly: true, summary: 'What is on a platform, as files of a repository' },
  tree: { readOnly: true, summary: 'What each Sync owns, and what it depends on' },
  serviceLevels: { readOnly: true, summary: 'How every objective stands' },
  rules: { readOnly: true, summary: 'What Prometheus has to record and alert on' },
  integrations: { readOnly: true, summary: 'How every Integration with code stands' },
  run: { readOnly: false, summary: 'Run the code of an Integration now' },
  repin: { readOnly: false, summary: 'Move the lock of an Integration to where its ref leads now' },
  letters: { readOnly: true, summary: 'Records of an Integration that were given up, and why' },
  replayLetters: { readOnly: false, summary: 'Deliver records again that were given up' },
  discardLetters: { readOnly: false, summary: 'Forget records that were given up' },
  archived: { readOnly: true, summary: 'Archived copies' },
};

/** The operations as the API offers them. */
export function offered(operations: Operations): OperationParts {
  const named = Object.entries(OFFERED).map(([name, about]) => [
    name,
    { ...about, arguments: OPERATION_ARGUMENTS[name as OperationName] },
  ]);
  return {
    offered: Object.fromEntries(named) as OperationParts['offered'],
    run: (name, args) => dispatch(operations, name, args),
  };
}

/**
 * Runs the operation of that name with arguments that came from outside.
 * @throws ReconcilerError `unknown-operation`, `invalid-arguments`, or what the operation throws.
 */
async function dispatch(operations: Operations, name: string, body: unknown): Promise<unknown> {
  if (!Object.hasOwn(CALLS, name)) {
    throw new ReconcilerError('There is no operation of that name.', 'never', {
      code: 'unknown-operation',
      remedy: `Use one of ${Object.keys(CALLS).join(', ')}.`,
    });
  }
  return CALLS[name as OperationName](operations, body);
}

function checked<Name extends OperationName>(name: Name, body: unknown): z.output<(typeof OPERATION_ARGUMENTS)[Name]> {
  const result = OPERATION_ARGUMENTS[name].safeParse(body ?? {});
  if (result.success) return result.data as z.output<(typeof OPERATION_ARGUMENTS)[Name]>;
  const wrong = result.error.issues.map(
    ({ path, message }) => `${path.length === 0 ? 'arguments' : path.join('.')}: ${message}`,
  );
  throw new ReconcilerError(
    `The arguments of ${name} are not in order: ${wrong.join('; ').replace(/\.$/, '')}.`,
    'never',
    {
      code: 'invalid-arguments',
      remedy: 'Correct them; `plumbline help` shows what each command takes.',
    },
  );
}
