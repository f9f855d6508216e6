import { ReconcilerError, messageOf, retryOf } from '../errors.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Key, Kind, Manifest } from '../manifest/manifest.ts';
import type { Approvals } from '../plan/terms.ts';
import type { ChangeChecks } from '../plugins/changes.ts';
import { reconcile } from '../reconcile.ts';
import { PassMemory } from '../reconcile/memory.ts';
import type { Pins } from '../reconcile/pass.ts';
import type { Metrics } from '../report/metrics.ts';
import type { PassReport, Trigger } from '../report/pass-report.ts';
import type { Reporter } from '../report/reporter.ts';
import type { Secrets } from '../secrets/secrets.ts';
import type { Source } from '../source/source.ts';
import type { Exchange } from './exchange.ts';
import type { Platforms } from './platforms.ts';
import type { Target } from './target.ts';
import type { Timers } from './timers.ts';

/** How a pass differs from what the Sync's settings say. */
export interface PassRequest {
  readonly trigger: Trigger;
  readonly mode: 'plan' | 'apply';
  readonly approvals?: Approvals;
  readonly release?: readonly Key[];
  readonly only?: readonly Key[];
  readonly expect?: string;
  /** Why another Sync has to succeed first: only taking access away goes on meanwhile (law 16). */
  readonly waits?: string;
  /** Instead of the target's own: one that was read already. */
  readonly source?: Source;
}

export interface RunnerParts {
  readonly ledger: Ledger;
  readonly secrets: Secrets;
  readonly platforms: Platforms;
  readonly reporter: Reporter;
  readonly metrics: Metrics;
  readonly timers: Timers;
  readonly exchange: Exchange;
  /** Plugins that look at what would be changed. */
  readonly checkChanges: ChangeChecks;
  /** What finds the commits that Integrations of a target are locked to. */
  readonly pins?: (target: Target) => Pins;
}

/** Codes of errors that mean that the platform did not answer. */
const DOWN: ReadonlySet<string> = new Set([
  'platform-unreachable',
  'platform-unavailable',
  'platform-error',
  'timeout',
  'connection-lost',
]);

/**
 * Runs one pass of a target, and reports it. Never throws: whatever happens is in the report.
 * A plan is reported to nobody but the caller.
 */
export async function runPass(
  target: Target,
  request: PassRequest,
  parts: RunnerParts,
  signal: AbortSignal,
): Promise<PassReport> {
  const started = parts.timers.now();
  const limited = AbortSignal.any([signal, AbortSignal.timeout(target.pace.timeout)]);
  let report: PassReport;
  try {
    const driver = await parts.platforms.driver(target.platform, limited);
    const suspended = suspensionOf(target, parts.ledger);
    const { approvals, release, only, expect, trigger, mode } = request;
    report = await reconcile(
      {
        sync: target.sync,
        platform: target.platform,
        source: request.source ?? target.source,
        loader: target.loader,
        driver,
        ledger: parts.ledger,
        secrets: parts.secrets,
        secretScope: target.secretScope,
        terms: { ...target.terms, approvals: approvals ?? {}, release: release ?? [] },
        rules: {
          windows: target.windows,
          ...(suspended === undefined ? {} : { suspended }),
          ...(request.waits === undefined ? {} : { waits: request.waits }),
        },
        others: parts.exchange.for(target, mode === 'apply'),
        checkChanges: parts.checkChanges,
        ...(parts.pins === undefined ? {} : { pins: parts.pins(target) }),
        trigger,
        mode,
        onDesired: ({ manifests }) => {
          if (mode === 'apply') parts.metrics.expectKinds(target.sync, target.platform, kindsOf(manifests.values()));
        },
        ...(expect === undefined ? {} : { expect }),
        only: only ?? [],
        // A plan may be made while a pass runs; it must not disturb what that remembers.
        memory: mode === 'plan' ? new PassMemory() : target.memory,
        clock: () => parts.timers.now(),
      },
      limited,
    );
  } catch (error) {
    report = unreached(target, request.trigger, { error, started, ended: parts.timers.now() });
  }
  if (request.waits !== undefined) report = { ...report, waits: request.waits };
  if (request.mode === 'plan') return report;
  const down = report.error?.code !== undefined && DOWN.has(report.error.code);
  if (down || report.plan !== undefined) parts.metrics.platformUp(target.platform, !down);
  parts.reporter.report(report);
  return report;
}

function kindsOf(manifests: Iterable<Manifest>): ReadonlySet<Kind> {
  const kinds = new Set<Kind>();
  for (const { kind } of manifests) kinds.add(kind);
  return kinds;
}

/** Why a Sync is suspended; undefined when it runs. */
export function suspensionOf(target: Target, ledger: Ledger): string | undefined {
  if (target.suspend) return 'its configuration says so';
  const found = ledger.suspensions().find(({ sync }) => sync === target.sync);
  return found === undefined ? undefined : `${found.reason} (${found.by})`;
}

/** The report of a pass that could not even begin, because its platform could not be connected. */
function unreached(
  target: Target,
  trigger: Trigger,
  what: { readonly error: unknown; readonly started: number; readonly ended: number },
): PassReport {
  const { sync, platform } = target;
  const error =
    what.error instanceof ReconcilerError
      ? what.error
      : new ReconcilerError(messageOf(what.error), retryOf(what.error), { cause: what.error });
  const nothing = { durations: {}, problems: [], outcomes: [], archived: {} };
  return {
    sync,
    platform,
    trigger,
    look: 'full',
    result: 'failed',
    startedAt: what.started,
    endedAt: what.ended,
    ...nothing,
    error,
  };
}
