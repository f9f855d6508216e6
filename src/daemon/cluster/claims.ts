import { Groups, groupsAround, groupsOf } from '../../kube/groups.ts';
import type { KubeObject } from '../../kube/object.ts';
import { namespaceOf } from '../../manifest/cluster-name.ts';
import { KINDS } from '../../manifest/manifest.ts';
import type { Sync } from '../../manifest/sync.ts';
import { isSelected } from '../../source/cluster.ts';

/** Which of the Syncs whose source are custom resources tells of an object: the first by name of those that apply it. */
export class Claims {
  readonly #syncs = new Groups<Sync>();

  constructor(syncs: readonly Sync[]) {
    for (const sync of syncs) this.#syncs.add(groupsAround(selectionOf(sync)).slice(0, 1), sync);
  }

  /** @returns its name */
  first(object: KubeObject): string | undefined {
    const names = groupsOf(object)
      .flatMap((group) => [...this.#syncs.in(group)])
      .flatMap((sync) => (applies(sync, object) ? [sync.metadata.name] : []));
    return names.toSorted()[0];
  }
}

function selectionOf({ metadata, spec }: Sync) {
  return { namespace: namespaceOf(metadata.name) ?? '', labels: spec.source.cluster?.matchLabels ?? {} };
}

/** Whether an object is desired state of the Sync. */
function applies(sync: Sync, object: KubeObject): boolean {
  const kinds: readonly string[] = sync.spec.select.kinds ?? KINDS;
  const { namespace, labels } = selectionOf(sync);
  return kinds.includes(object.kind) && isSelected(object, namespace, labels);
}
