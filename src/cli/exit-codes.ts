import type { PassJson } from '../daemon/pass-json.ts';

/** Exit codes are part of the interface: scripts branch on them. */
export const EXIT = { ok: 0, error: 1, changes: 2, withheld: 3 } as const;

/** `plan --detailed-exitcode`: 0 nothing to do, 2 changes, 3 withheld or problems, 1 error. */
export function planExit(passes: readonly PassJson[]): number {
  if (passes.some((pass) => pass.error !== undefined)) return EXIT.error;
  if (passes.some((pass) => (pass.plan?.withheld.length ?? 0) > 0 || hasProblem(pass))) return EXIT.withheld;
  return passes.some((pass) => (pass.plan?.stages.length ?? 0) > 0) ? EXIT.changes : EXIT.ok;
}

/** `apply`: 0 converged, 3 withheld or partly failed, 1 error. */
export function applyExit(passes: readonly PassJson[]): number {
  if (passes.some((pass) => pass.error !== undefined)) return EXIT.error;
  const open = passes.some(
    (pass) =>
      (pass.plan?.withheld.length ?? 0) > 0 ||
      pass.outcomes.some((outcome) => outcome.status !== 'applied') ||
      hasProblem(pass),
  );
  return open ? EXIT.withheld : EXIT.ok;
}

function hasProblem(pass: PassJson): boolean {
  return pass.problems.some((problem) => problem.severity === 'error');
}
