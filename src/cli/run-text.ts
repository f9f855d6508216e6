import { sentences } from '../errors.ts';
import type { RunReport } from '../integrations/run-report.ts';
import { shortRevision } from './plan-text.ts';

/** What came of a run, for people. */
export function runText({ integration, platform, commit, result, milliseconds, ...rest }: RunReport): string {
  const { collected, delivered, waiting, error } = rest;
  const checked = collected.unchecked > 0 ? `${collected.unchecked} unchecked` : `${collected.valid} valid`;
  return [
    `${integration} on ${platform}: ${result} in ${milliseconds} ms at ${shortRevision(commit)}`,
    `  read: ${checked}, ${collected.invalid} invalid`,
    `  delivered: ${delivered.applied} applied, ${delivered.failed} failed, ${delivered.dead} given up; ${waiting} wait`,
    ...(error === undefined ? [] : [`  ${sentences(error)}`]),
  ].join('\n');
}
