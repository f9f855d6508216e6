import { ReconcilerError } from '../errors.ts';
import type { Operations, StatusResult } from '../daemon/operations.ts';

/**
 * The Syncs a command is about: the one that was named, or all of them.
 * @throws ReconcilerError 'never' when there is none, or none of that name.
 */
export async function syncsNamed(operations: Operations, name: string | undefined): Promise<string[]> {
  const status = await operations.status({});
  refuseInvalid(status);
  const names = [...new Set(status.syncs.map((one) => one.sync))];
  if (name === undefined) return names;
  if (names.includes(name)) return [name];
  throw new ReconcilerError(`there is no Sync called "${name}"`, 'never', {
    remedy: names.length === 0 ? 'The configuration has no Sync yet.' : `There are: ${names.join(', ')}.`,
  });
}

/** The one Sync that is meant when no name was given. */
export async function oneSync(operations: Operations, name: string | undefined): Promise<string> {
  const [first, ...rest] = await syncsNamed(operations, name);
  if (first !== undefined && rest.length === 0) return first;
  throw new ReconcilerError(
    first === undefined ? 'the configuration has no Sync' : 'several Syncs are configured',
    'never',
    {
      remedy:
        first === undefined
          ? 'Add a Sync document to the configuration.'
          : `Name one of them: ${[first, ...rest].join(', ')}.`,
    },
  );
}

function refuseInvalid({ configuration, syncs }: StatusResult): void {
  const [problem] = configuration.problems.filter((one) => one.severity === 'error');
  if (syncs.length > 0 || problem === undefined) return;
  throw new ReconcilerError(
    `the configuration has ${configuration.problems.length} problem(s), the first: ${problem.message}`,
    'never',
    {
      remedy: `${problem.remedy} Run "plumbline validate" to see all of them.`,
    },
  );
}
