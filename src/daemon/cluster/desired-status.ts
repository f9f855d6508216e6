import type { KubeObject } from '../../kube/object.ts';
import { KINDS } from '../../manifest/manifest.ts';
import type { Sync } from '../../manifest/sync.ts';
import { resourceOf } from '../../manifest/resources.ts';
import { messageOf } from '../../errors.ts';
import type { PassReport } from '../../report/pass-report.ts';
import type { ClusterState } from './cluster.ts';
import { conditionsOf, statusOf } from './conditions.ts';
import type { Stand } from './conditions.ts';
import type { StatusWriter } from './status-writer.ts';
import { objectAt } from '../../source/cluster.ts';

const AS_MEANT: Stand = {
  state: 'ready',
  reason: 'Synced',
  message: 'It stands on the platform as it is written here.',
};

/** Writes into each custom resource of desired state what a pass learned of it. */
export class DesiredStatuses {
  readonly #state: ClusterState;
  readonly #writer: StatusWriter;
  readonly #now: () => number;

  constructor(state: ClusterState, writer: StatusWriter, now: () => number) {
    this.#state = state;
    this.#writer = writer;
    this.#now = now;
  }

  /** After a pass of a Sync whose source are the objects of this namespace. */
  tell(namespace: string, sync: Sync, report: PassReport): void {
    const stands = standsOf(report);
    const complete = report.plan !== undefined && report.error === undefined;
    for (const object of this.#state.desired(namespace, sync.spec.source.cluster?.matchLabels ?? {})) {
      const key = `${object.kind}/${object.metadata.name}`;
      const kinds: readonly string[] = sync.spec.select.kinds ?? KINDS;
      if (!kinds.includes(object.kind) || !this.#state.wasRead(report.revision, object)) continue;
      const stand = stands.get(key) ?? (complete ? AS_MEANT : undefined);
      if (stand !== undefined) this.#write(object, stand, { sync, report });
    }
  }

  #write(
    object: KubeObject,
    stand: Stand,
    { sync, report }: { readonly sync: Sync; readonly report: PassReport },
  ): void {
    const kind = KINDS.find((one) => one === object.kind);
    const { generation } = object.metadata;
    if (kind === undefined) return;
    const before = statusOf(object);
    const local = (name: string): string => name.slice(name.indexOf('.') + 1);
    const remote = report.outcomes.find(
      (outcome) => outcome.change.key === `${object.kind}/${object.metadata.name}` && outcome.status === 'applied',
    );
    const id = remote?.status === 'applied' ? remote.remote : before['remote'];
    this.#writer.write(resourceOf(kind), object, {
      ...(generation === undefined ? {} : { observedGeneration: generation }),
      conditions: conditionsOf(object, stand, this.#now()),
      sync: local(sync.metadata.name),
      platform: local(report.platform),
      ...(typeof id === 'string' ? { remote: id } : {}),
    });
  }
}

/** What is not as it is meant, by key: problems before failures, failures before what is withheld. */
function standsOf({ problems, plan, outcomes }: PassReport): ReadonlyMap<string, Stand> {
  const stands = new Map<string, Stand>();
  for (const { change, because, remedy, code } of plan?.withheld ?? []) {
    const reason = code.replaceAll(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase());
    stands.set(change.key, { state: 'going-on', reason, message: `${because} ${remedy}` });
  }
  for (const outcome of outcomes) {
    const { key } = outcome.change;
    if (outcome.status === 'failed') {
      const { error } = outcome;
      const message = `${messageOf(error)} ${error.remedy ?? ''}`.trim();
      stands.set(key, { state: error.retry === 'never' ? 'stalled' : 'going-on', reason: 'ChangeFailed', message });
    } else if (outcome.status === 'skipped') {
      stands.set(key, { state: 'going-on', reason: 'Skipped', message: outcome.because });
    }
  }
  for (const { origin, message, remedy, severity, key } of problems) {
    const place = objectAt(origin.file);
    const about = place === undefined ? key : `${place.kind}/${place.name}`;
    if (severity !== 'error' || about === undefined) continue;
    stands.set(about, { state: 'stalled', reason: 'ProblemFound', message: `${message} ${remedy}` });
  }
  return stands;
}
