import { z } from 'zod';
import { ReconcilerError } from '../errors.ts';
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
  archived: (operations, body) => operations.archived(checked('archived', body)),
};

/**
 * Runs the operation of that name with arguments that came from outside.
 * @throws ReconcilerError `unknown-operation`, `invalid-arguments`, or what the operation throws.
 */
export async function dispatch(operations: Operations, name: string, body: unknown): Promise<unknown> {
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
  throw new ReconcilerError(`The arguments of ${name} are not in order: ${wrong.join('; ')}.`, 'never', {
    code: 'invalid-arguments',
    remedy: 'Correct them; `plumbline help` shows what each command takes.',
  });
}
