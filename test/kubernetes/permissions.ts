import { PERMISSIONS } from '../../src/kube/permissions.ts';
import type { Cluster } from './cluster.ts';

/** Grants a ServiceAccount what the daemon declares that it needs: in the whole cluster, and in its own namespace. */
export async function grantPermissions(
  cluster: Cluster,
  {
    namespace,
    name,
    mirrors = false,
  }: { readonly namespace: string; readonly name: string; readonly mirrors?: boolean },
): Promise<void> {
  const api = 'rbac.authorization.k8s.io';
  const { watched, secrets, own, ...rest } = PERMISSIONS;
  const grant = (scope: 'ClusterRole' | 'Role', rules: readonly unknown[]): readonly unknown[] => {
    const metadata = { name: `plumbline-${name}`, ...(scope === 'Role' ? { namespace } : {}) };
    return [
      { apiVersion: `${api}/v1`, kind: scope, metadata, rules },
      {
        apiVersion: `${api}/v1`,
        kind: `${scope}Binding`,
        metadata,
        roleRef: { apiGroup: api, kind: scope, name: metadata.name },
        subjects: [{ kind: 'ServiceAccount', namespace, name }],
      },
    ];
  };
  const items = [
    ...grant('ClusterRole', [...watched, ...secrets, ...(mirrors ? rest.mirrors : [])]),
    ...grant('Role', own),
  ];
  await cluster.kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
}
