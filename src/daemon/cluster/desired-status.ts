import type { Problem } from '../../errors.ts';
import type { KubeObject } from '../../kube/object.ts';
import { KINDS } from '../../manifest/manifest.ts';
import type { Sync } from '../../manifest/sync.ts';
import { resourceOf } from '../../manifest/resources.ts';
import type { PassReport } from '../../report/pass-report.ts';
import type { Engine } from '../engine.ts';
import { Claims } from './claims.ts';
import type { ClusterState } from './cluster.ts';
import { conditionsOf, statusOf } from './conditions.ts';
import type { Stand } from './conditions.ts';
import type { StatusWriter } from './status-writer.ts';
import { objectAt } from '../../source/cluster.ts';
import { standsOf } from './stands.ts';

const AS_MEANT: Stand = {
  state: 'ready',
  reason: 'Synced',
  message: 'It stands on the platform as it is written here.',
};

export interface DesiredStatusesParts {
  readonly state: ClusterState;
  readonly engine: Engine;
  readonly writer: StatusWriter;
}

/**
 * Writes into each custom resource of desired state what a pass learned of it. Where several Syncs apply one object, or one Sync does on several
 * platforms, its status tells of the first by name: it is one's to write, and does not change with whoever came last.
 */
export class DesiredStatuses {
  readonly #parts: DesiredStatusesParts;
  #claims: { readonly of: readonly Sync[]; readonly claims: Claims } | undefined;

  constructor(parts: DesiredStatusesParts) {
    this.#parts = parts;
  }

  /** After a pass of a Sync whose source are the objects of this namespace. */
  tell(namespace: string, sync: Sync, report: PassReport): void {
    const { state, engine } = this.#parts;
    const [first] = engine.roster
      .ofSync(sync.metadata.name)
      .map(({ platform }) => platform)
      .toSorted();
    if (first !== report.platform) return;
    const stands = standsOf(report, aboutObject);
    const complete = report.plan !== undefined && report.error === undefined;
    const claims = this.#claimsNow();
    const labels = sync.spec.source.cluster?.matchLabels ?? {};
    for (const object of state.desired({ namespace, labels }, report.revision)) {
      const key = `${object.kind}/${object.metadata.name}`;
      if (claims.first(object) !== sync.metadata.name) continue;
      const stand = stands.get(key) ?? (complete ? AS_MEANT : undefined);
      if (stand !== undefined) this.#write(object, stand, { sync, report });
    }
  }

  #claimsNow(): Claims {
    const syncs = this.#parts.engine.roster.cluster();
    if (this.#claims?.of !== syncs) this.#claims = { of: syncs, claims: new Claims(syncs) };
    return this.#claims.claims;
  }

  #write(
    object: KubeObject,
    stand: Stand,
    { sync, report }: { readonly sync: Sync; readonly report: PassReport },
  ): void {
    const { writer, engine } = this.#parts;
    const kind = KINDS.find((one) => one === object.kind);
    const { generation } = object.metadata;
    if (kind === undefined) return;
    const before = statusOf(object);
    const local = (name: string): string => name.slice(name.indexOf('.') + 1);
    const remote = report.outcomes.find(
      (outcome) => outcome.change.key === `${object.kind}/${object.metadata.name}` && outcome.status === 'applied',
    );
    const id = remote?.status === 'applied' ? remote.remote : before['remote'];
    const status = {
      ...(generation === undefined ? {} : { observedGeneration: generation }),
      conditions: conditionsOf(object, stand, engine.parts.timers.now()),
      sync: local(sync.metadata.name),
      platform: local(report.platform),
      ...(typeof id === 'string' ? { remote: id } : {}),
    };
    const isOurs = (): boolean => engine.holds(report.platform);
    writer.write({ resource: resourceOf(kind), object, status, isOurs, anyVersion: true });
  }
}

/** The object that a problem is about: files of this source are named after theirs. */
function aboutObject({ origin, key }: Problem): string | undefined {
  const place = objectAt(origin.file);
  return place === undefined ? key : `${place.kind}/${place.name}`;
}
