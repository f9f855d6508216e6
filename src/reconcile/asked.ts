import { formatOrigin } from '../errors.ts';
import type { Key, Manifest } from '../manifest/manifest.ts';
import { withhold } from '../plan/build.ts';
import type { Reason } from '../plan/match-reasons.ts';
import type { Change, Plan } from '../plan/types.ts';
import type { AskedChange, PendingChange } from '../plugins/changes.ts';
import type { PluginRefusal } from '../plugins/refusal.ts';
import { refusable, review } from '../policy/review.ts';
import { specOf } from './desired.ts';
import { required, valuesFor } from './execution.ts';
import type { Pass } from './pass.ts';
import type { Values } from './references.ts';

/** Milliseconds that plugins may take for all changes of a pass, and where access waits to be taken away (law 16). */
const PATIENCE = 120_000;
const PATIENCE_WHILE_REVOKING = 10_000;

/**
 * What policy lets through of a plan: first windows, suspension and what a Sync waits for, then the plugins, which are asked
 * only about what would be carried out otherwise. A quiet pass asks nobody.
 */
export async function permitted(
  pass: Pass,
  drafted: Plan,
  { manifests, values }: { readonly manifests: ReadonlyMap<Key, Manifest>; readonly values: ReadonlyMap<Key, Values> },
  signal: AbortSignal,
): Promise<Plan> {
  const allowed = withhold(drafted, review(drafted, pass.rules, pass.clock()));
  const { checkChanges: checks, platform, sync, only } = pass;
  if (checks === undefined) return allowed;
  const asked = refusable(allowed).filter(
    ({ key, kind }) => (only.length === 0 || only.includes(key)) && checks.concerns(kind, platform),
  );
  if (asked.length === 0) return allowed;
  const revokes = allowed.stages.some((stage) => stage.some((change) => change.revokes === true));
  const found = await checks.checkChanges(
    {
      platform,
      sync,
      revision: allowed.revision,
      changes: asked.map((change) =>
        pendingOf(
          change,
          { manifest: required(manifests, change.key), values: valuesFor(change.key, { values }) },
          signal,
        ),
      ),
      patience: revokes ? PATIENCE_WHILE_REVOKING : PATIENCE,
    },
    signal,
  );
  const refused = new Map([...found].map(([key, refusals]) => [key, reasonOf(required(manifests, key), refusals)]));
  return withhold(allowed, review(allowed, { windows: [], refused }, pass.clock()));
}

function pendingOf(
  { key, kind, verb }: Change,
  { manifest, values }: { readonly manifest: Manifest; readonly values: Values },
  signal: AbortSignal,
): PendingChange {
  const { name, title, labels, origin } = manifest;
  const read = async (): Promise<AskedChange> => {
    const spec = await specOf(manifest, values, signal);
    return { verb: verb as AskedChange['verb'], key, kind, name, title, labels, origin, spec };
  };
  return { key, kind, read };
}

/** Several refusals of one change are one reason, in the order of the plugins' names. */
function reasonOf({ origin }: Manifest, refusals: readonly PluginRefusal[]): Reason {
  const messages = refusals.map(({ message }) => message);
  return {
    code: 'policy',
    because: `${formatOrigin(origin)}: ${messages.join(' ')}`,
    remedy: [...new Set(refusals.map(({ remedy }) => remedy))].join(' '),
  };
}
