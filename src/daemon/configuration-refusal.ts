import { ReconcilerError, formatProblem, messageOf } from '../errors.ts';
import type { Problem } from '../errors.ts';
import type { Configuration } from './configuration.ts';

/** @throws ReconcilerError 'never' (`configuration-invalid`) that lists every error. */
export function refuseInvalid({ problems }: Configuration): void {
  const errors = problems.filter(({ severity }) => severity === 'error');
  if (errors.length === 0) return;
  throw new ConfigurationRefused(`The configuration is not in order:\n${errors.map(formatProblem).join('\n')}`, errors);
}

/**
 * A configuration that has become empty is taken for an accident: everything would be given up.
 * @throws ReconcilerError as `refuseInvalid`
 */
export function refuseEmptied(configuration: Configuration, before: Configuration | undefined): void {
  // Custom resources go one by one, each by somebody's word.
  if (configuration.retiring !== undefined) return;
  if (configuration.syncs.size > 0 || before === undefined || before.syncs.size === 0) return;
  throw new ConfigurationRefused(
    'The configuration has no Sync any more.',
    [],
    'Put the Syncs back. To give up what they own, remove them one by one, or stop plumbline and restart it with the empty configuration.',
  );
}

class ConfigurationRefused extends ReconcilerError {
  readonly problems: readonly Problem[];
  constructor(message: string, problems: readonly Problem[], remedy = 'Correct it; it is read again when it changes.') {
    super(message, 'never', { code: 'configuration-invalid', remedy });
    this.problems = problems;
  }
}

/** What to show of a configuration that was refused. */
export function problemsOf(error: unknown): readonly Problem[] {
  if (error instanceof ConfigurationRefused && error.problems.length > 0) return error.problems;
  const remedy = error instanceof ReconcilerError ? (error.remedy ?? '') : '';
  return [
    { origin: { file: 'configuration', line: 1, column: 1 }, message: messageOf(error), remedy, severity: 'error' },
  ];
}
