/** One rule of a Role or ClusterRole. */
export interface PolicyRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

const GROUP = 'plumbline.dev';

/**
 * Everything that the daemon asks of the API server, by where it is needed. The chart grants exactly this, and the tests run the
 * daemon with nothing more.
 */
export const PERMISSIONS: {
  /** In the namespaces that are watched, or in the whole cluster. */
  readonly watched: readonly PolicyRule[];
  /** In those, too, where Syncs may show what they own as mirrors: these kinds are otherwise written by others. */
  readonly mirrors: readonly PolicyRule[];
  /**
   * In the namespaces whose Secrets may be used. With `get` alone a Secret is read at each pass that needs it; with `list` and `watch`
   * it is followed, and nothing is asked at rest.
   */
  readonly secrets: readonly PolicyRule[];
  /**
   * In the daemon's own namespace, where it shares platforms with others by Leases. Replicas come and go and Syncs are many: names are
   * not known beforehand, but for those of `patch`, whose objects `update` reaches anyhow.
   */
  readonly own: readonly PolicyRule[];
  /** In its own namespace, where it keeps PrometheusRules in step: one for each window that a service level has. */
  readonly rules: readonly PolicyRule[];
} = {
  watched: [
    { apiGroups: [GROUP], resources: ['*'], verbs: ['get', 'list', 'watch'] },
    // Finalizers are metadata: they take the right to patch the object itself.
    { apiGroups: [GROUP], resources: ['syncs', 'platforms'], verbs: ['patch'] },
    { apiGroups: [GROUP], resources: ['*/status'], verbs: ['patch'] },
    { apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list', 'watch'] },
    { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create'] },
  ],
  mirrors: [
    {
      apiGroups: [GROUP],
      resources: [
        'applications',
        'accessroles',
        'integrations',
        'workflows',
        'accessgrants',
        'webhooks',
        'servicelevels',
      ],
      verbs: ['create', 'patch', 'delete'],
    },
  ],
  secrets: [{ apiGroups: [''], resources: ['secrets'], verbs: ['get', 'list', 'watch'] }],
  own: [
    {
      apiGroups: ['coordination.k8s.io'],
      resources: ['leases'],
      verbs: ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'],
    },
    // Inventories and suspensions.
    {
      apiGroups: [''],
      resources: ['configmaps'],
      verbs: ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'],
    },
  ],
  rules: [
    {
      apiGroups: ['monitoring.coreos.com'],
      resources: ['prometheusrules'],
      verbs: ['get', 'list', 'create', 'patch', 'delete'],
    },
  ],
};
