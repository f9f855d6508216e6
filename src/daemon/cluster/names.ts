import type { KubeObject } from '../../kube/object.ts';
import { clusterName } from '../../manifest/cluster-name.ts';

/** What a custom resource is called in the engine. */
export function nameIn({ metadata: { namespace = '', name } }: KubeObject): string {
  return clusterName(namespace, name);
}

/** The name that an object has in its namespace, of the one that it has in the engine. */
export function localOf(name: string): string {
  return name.slice(name.indexOf('.') + 1);
}
