import type { Execution } from '../apply/execution.ts';
import type { Refusal, Step } from '../drivers/driver.ts';
import type { Key, Manifest } from '../manifest/manifest.ts';
import type { Matches } from '../plan/matches.ts';
import type { Reason } from '../plan/match-reasons.ts';
import { remoteKey, type Observation } from '../plan/observation.ts';
import type { Change, DesiredObject, LedgerView, Owned, Plan } from '../plan/types.ts';
import { outputsOf } from '../plan/outputs.ts';
import { contentOf, secretsOf } from './desired.ts';
import { contents } from './observed.ts';
import type { Pass } from './pass.ts';
import { NO_VALUES, type Values } from './references.ts';

interface Parts {
  readonly manifests: ReadonlyMap<Key, Manifest>;
  readonly objects: ReadonlyMap<Key, DesiredObject>;
  readonly values: ReadonlyMap<Key, Values>;
  readonly view: LedgerView;
  readonly observation: Observation;
  readonly matches: Matches;
  readonly signal: AbortSignal;
}

/** What carrying out the plan of this pass takes. */
export function executionOf(pass: Pass, parts: Parts): Execution {
  const { driver } = pass;
  return {
    driver,
    journal: pass.ledger.journalOf({ sync: pass.sync, platform: pass.platform }),
    idFor: (key) => driver.idFor?.(pass.terms.owner, key),
    clock: pass.clock,
    desired: (change) =>
      contentOf(required(parts.manifests, change.key), { ...pass, values: valuesFor(change.key, parts) }, parts.signal),
    secrets: async (change) => {
      const values = await secretsOf(required(parts.manifests, change.key), pass);
      const names = 'secrets' in change ? change.secrets : [];
      return Object.fromEntries(Object.entries(values).filter(([name]) => names.includes(name)));
    },
    owned: (change, remote) => ownedAfter(change, remote, parts),
    observed: async (changes, signal) => {
      const wanted = changes.flatMap((change) =>
        'remote' in change ? [{ key: change.key, kind: change.kind, remote: change.remote.id }] : [],
      );
      const found = await contents(wanted, { driver, observation: parts.observation }, signal);
      return new Map(
        wanted.flatMap(({ key, kind, remote }) => {
          const object = found.get(remoteKey(kind, remote));
          return object === undefined ? [] : [[key, object]];
        }),
      );
    },
  };
}

/** What a look at the changes of a plan found before the first write (law 13). */
export interface Foreseen {
  /** What the platform would refuse or could not survive. */
  readonly refused: ReadonlyMap<Key, Reason>;
  /** What can be written, and lacks something there. */
  readonly bearable: readonly Refusal[];
}

export async function foresee(pass: Pass, plan: Plan, execution: Execution, signal: AbortSignal): Promise<Foreseen> {
  const changes = plan.stages.flat();
  if (pass.driver.preflight === undefined || changes.length === 0) return { refused: new Map(), bearable: [] };
  const steps: Step[] = changes.map((change) => ({
    change,
    owner: plan.owner,
    desired: () => execution.desired(change),
    secrets: () => execution.secrets(change),
  }));
  const found = await pass.driver.preflight(steps, signal);
  const [refused = [], bearable = []] = [undefined, true].map((kind) => found.filter((one) => one.bearable === kind));
  return {
    refused: new Map(
      refused.map(({ key, because, remedy }) => [key, { code: 'refused-by-platform', because, remedy }]),
    ),
    bearable,
  };
}

function ownedAfter(change: Change, remote: string, { objects, view, matches, manifests }: Parts): Owned {
  const object = objects.get(change.key);
  const before = matches.of.get(change.key)?.owned ?? view.owned.get(change.key);
  const claimed = matches.of.get(change.key)?.observed?.marker?.how;
  const how = { create: 'created', adopt: 'adopted' } as const;
  return {
    key: change.key,
    remote,
    title: change.title,
    fingerprint: 'fingerprint' in change ? change.fingerprint : '',
    secretHashes: object?.secretHashes ?? {},
    how: change.verb === 'create' || change.verb === 'adopt' ? how[change.verb] : (before?.how ?? claimed ?? 'created'),
    dependsOn: change.dependsOn,
    file: change.origin?.file ?? before?.file ?? '',
    revision: manifests.get(change.key)?.origin.commit ?? '',
    allowDataLoss: object?.allowDataLoss ?? false,
    ...outputsOf(object?.outputs, remote),
  };
}

/** Values of the outputs that a manifest uses. */
export function valuesFor(key: Key, { values }: { readonly values: ReadonlyMap<Key, Values> }): Values {
  return values.get(key) ?? NO_VALUES;
}

export function required(manifests: ReadonlyMap<Key, Manifest>, key: Key): Manifest {
  const manifest = manifests.get(key);
  if (manifest === undefined) throw new Error(`${key} has no manifest in this revision`);
  return manifest;
}
