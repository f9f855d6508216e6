/**
 * CustomResourceDefinitions of the Prometheus operator, as far as the chart uses them: the operator's own are not here. A field that is
 * not named in them is refused under `--validate=strict`, as the operator's would.
 */
export const MONITORING = [
  definition('ServiceMonitor', 'servicemonitors', {
    selector: map({ matchLabels: labels() }),
    namespaceSelector: map({ matchNames: list({ type: 'string' }) }),
    endpoints: list(
      map({
        port: { type: 'string' },
        path: { type: 'string' },
        interval: { type: 'string', pattern: duration() },
        scrapeTimeout: { type: 'string', pattern: duration() },
        relabelings: list(relabeling()),
        metricRelabelings: list(relabeling()),
      }),
    ),
  }),
  definition('PrometheusRule', 'prometheusrules', {
    groups: list({
      ...map({
        name: { type: 'string', minLength: 1 },
        interval: { type: 'string', pattern: duration() },
        rules: list({
          ...map({
            alert: { type: 'string' },
            record: { type: 'string' },
            expr: { type: 'string', minLength: 1 },
            for: { type: 'string', pattern: duration() },
            labels: labels(),
            annotations: labels(),
          }),
          required: ['expr'],
        }),
      }),
      required: ['name'],
    }),
  }),
];

function definition(kind: string, plural: string, properties: Readonly<Record<string, unknown>>): unknown {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${plural}.monitoring.coreos.com`,
      annotations: { 'api-approved.kubernetes.io': 'unapproved, for tests' },
    },
    spec: {
      group: 'monitoring.coreos.com',
      scope: 'Namespaced',
      names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: map({ spec: map(properties) }) },
        },
      ],
    },
  };
}

function map(properties: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return { type: 'object', properties };
}

function list(items: unknown): Readonly<Record<string, unknown>> {
  return { type: 'array', items };
}

function labels(): unknown {
  return { type: 'object', additionalProperties: { type: 'string' } };
}

function duration(): string {
  return '^(0|(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?)$';
}

function relabeling(): unknown {
  return map({
    sourceLabels: list({ type: 'string' }),
    action: { type: 'string' },
    regex: { type: 'string' },
    targetLabel: { type: 'string' },
    replacement: { type: 'string' },
  });
}
