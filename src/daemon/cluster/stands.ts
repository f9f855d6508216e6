import { messageOf, sentences } from '../../errors.ts';
import type { Problem } from '../../errors.ts';
import type { PassReport } from '../../report/pass-report.ts';
import type { Stand } from './conditions.ts';

/**
 * What is not as it is meant after a pass, by key: problems before failures, failures before what is withheld. `aboutOf`: the object that a
 * problem is about.
 */
export function standsOf(
  { problems, plan, outcomes }: PassReport,
  aboutOf: (problem: Problem) => string | undefined,
): ReadonlyMap<string, Stand> {
  const stands = new Map<string, Stand>();
  for (const { change, because, remedy, code } of plan?.withheld ?? []) {
    const reason = code.replaceAll(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase());
    stands.set(change.key, { state: 'going-on', reason, message: sentences({ message: because, remedy }) });
  }
  for (const outcome of outcomes) {
    const { key } = outcome.change;
    if (outcome.status === 'failed') {
      const { error } = outcome;
      const message = sentences({ message: messageOf(error), remedy: error.remedy });
      stands.set(key, { state: error.retry === 'never' ? 'stalled' : 'going-on', reason: 'ChangeFailed', message });
    } else if (outcome.status === 'skipped') {
      stands.set(key, { state: 'going-on', reason: 'Skipped', message: outcome.because });
    }
  }
  for (const problem of problems) {
    const about = aboutOf(problem);
    if (problem.severity !== 'error' || about === undefined) continue;
    stands.set(about, {
      state: 'stalled',
      reason: 'ProblemFound',
      message: sentences(problem),
    });
  }
  return stands;
}
