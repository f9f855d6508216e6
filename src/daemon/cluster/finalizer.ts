import type { KubeClient } from '../../kube/client.ts';
import type { KubeObject, Resource } from '../../kube/object.ts';

/** Holds a Sync that is being deleted until what it owns has been released or deleted. */
export const FINALIZER = 'plumbline.dev/finalizer';

/**
 * Sets or takes away the finalizer of an object.
 * @throws ReconcilerError `cluster-conflict` when the object was changed meanwhile: the watch brings it again.
 */
export async function setFinalizer(
  client: KubeClient,
  resource: Resource,
  { object, held, signal }: { readonly object: KubeObject; readonly held: boolean; readonly signal: AbortSignal },
): Promise<void> {
  const { name, namespace, finalizers = [], resourceVersion } = object.metadata;
  if (finalizers.includes(FINALIZER) === held) return;
  const wanted = held ? [...finalizers, FINALIZER] : finalizers.filter((one) => one !== FINALIZER);
  const place = namespace === undefined ? { name } : { name, namespace };
  await client.merge(resource, place, { metadata: { finalizers: wanted, resourceVersion } }, { signal });
}
