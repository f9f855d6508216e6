import { PERMISSIONS } from '../../../src/kube/permissions.ts';
import type { Cluster } from '../cluster.ts';

/** A ServiceAccount with exactly what a replica declares that it needs in its namespace to share platforms with others. @returns its kubeconfig file */
export async function replicaAccount(cluster: Cluster): Promise<string> {
  const name = 'plumbline';
  const metadata = { name, namespace: 'default' };
  const objects = [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata, rules: PERMISSIONS.own },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
      subjects: [{ kind: 'ServiceAccount', name, namespace: 'default' }],
    },
  ];
  await cluster.kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
  return cluster.kubeconfigOf({ namespace: 'default', name });
}
