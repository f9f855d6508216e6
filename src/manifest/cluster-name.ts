/**
 * What a Platform or Sync that is a custom resource is called everywhere else, in owners, metrics, paths and logs: its namespace
 * and its name. Names in files have no dot and neither have namespaces, so that no two ever meet, and the name stays the same
 * for as long as the object is called the same.
 */
export function clusterName(namespace: string, name: string): string {
  return `${namespace}.${name}`;
}

/** The namespace of what `clusterName` named; undefined of what was configured in files. */
export function namespaceOf(name: string): string | undefined {
  const dot = name.indexOf('.');
  return dot < 0 ? undefined : name.slice(0, dot);
}
