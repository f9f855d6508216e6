import type { KubeObject } from '../../kube/object.ts';
import { clusterName } from '../../manifest/cluster-name.ts';
import { nameIn } from './names.ts';

/**
 * The name whose shard an object belongs to: who holds that writes its status, its Events and its finalizer, and nobody else does. It follows from
 * the object as it is written and from nothing that replicas could know differently. A Sync belongs to the Platform that it names, be
 * there one or not; one that selects its Platforms, and anything that has none, to a shard of its own name.
 */
export function anchorOf(object: KubeObject): string {
  const own = nameIn(object);
  if (object.kind === 'Platform') return own;
  const { platform, platformNamespace } = (object['spec'] ?? {}) as {
    readonly platform?: unknown;
    readonly platformNamespace?: unknown;
  };
  if (object.kind !== 'Sync' || typeof platform !== 'string') return `${object.kind}/${own}`;
  const { namespace = '' } = object.metadata;
  return clusterName(typeof platformNamespace === 'string' ? platformNamespace : namespace, platform);
}
