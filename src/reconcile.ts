import { execute } from './apply/execute.ts';
import type { Facts } from './drivers/driver.ts';
import { ReconcilerError, asReconcilerError, messageOf } from './errors.ts';
import { Findings } from './reconcile/findings.ts';
import type { Pass } from './reconcile/pass.ts';
import { planPass, type PlannedPass } from './reconcile/planned.ts';
import { NO_MANIFESTS, NO_SNAPSHOT } from './reconcile/retired.ts';
import type { PassReport } from './report/pass-report.ts';

export type { Pass };

/**
 * One walk source → manifest → plan → policy → apply → report. Never throws: what ends a pass before its time is in
 * the report, and whatever was done until then stands there too.
 */
export async function reconcile(pass: Pass, signal: AbortSignal): Promise<PassReport> {
  const findings = new Findings(pass);
  try {
    const retired = pass.terms.retire !== undefined;
    const snapshot = retired ? NO_SNAPSHOT : await findings.timed('source', pass.source.read(signal));
    findings.snapshot(snapshot);
    const facts = factsOf(pass, signal);
    const desired = retired ? NO_MANIFESTS : await findings.timed('manifest', pass.loader.load(snapshot, signal));
    pass.memory.desired = desired;
    pass.onDesired?.(desired);
    findings.problems(desired.problems);
    const planned = await findings.timed('plan', planPass(pass, { snapshot, desired, facts }, signal));
    findings.planned(planned);
    if (pass.mode === 'apply') await findings.timed('apply', carryOut(pass, planned, findings, signal));
  } catch (error) {
    findings.failed(asError(error, signal));
  } finally {
    pass.loader.rest();
  }
  return findings.report();
}

/** What the platform says of itself; where it has to be asked, it is asked while the manifests are read. */
function factsOf({ memory, driver }: Pass, signal: AbortSignal): Promise<Facts> {
  const facts = memory.facts === undefined ? driver.probe(signal) : Promise.resolve(memory.facts);
  // Told where it is waited for.
  facts.catch(() => undefined);
  return facts;
}

async function carryOut(pass: Pass, planned: PlannedPass, findings: Findings, signal: AbortSignal): Promise<void> {
  refuseStale(pass, planned);
  planned.rememberPlatform();
  for await (const { outcome, archived } of execute(planned.plan, planned.execution, signal))
    findings.outcome(outcome, archived);
}

function refuseStale(pass: Pass, { plan }: PlannedPass): void {
  if (pass.expect === undefined || pass.expect === plan.fingerprint) return;
  throw new ReconcilerError(
    'the saved plan does not hold any more: git or the platform changed since it was made',
    'never',
    {
      code: 'stale-plan',
      remedy: 'Make a new plan, look at it, and apply that one.',
    },
  );
}

function asError(error: unknown, signal: AbortSignal): ReconcilerError {
  if (error instanceof ReconcilerError) return error;
  if (signal.aborted)
    return new ReconcilerError(`the pass was stopped: ${messageOf(signal.reason)}`, 'backoff', {
      code: 'stopped',
      cause: error,
    });
  return asReconcilerError(error);
}
