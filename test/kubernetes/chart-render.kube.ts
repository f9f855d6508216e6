import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { parse } from 'yaml';
import { VARIABLES } from '../../src/cli/environment.ts';
import { definitionFiles } from '../crds/definitions.ts';
import { chartValues } from '../docs/chart.ts';
import { CHART, pairwise, podOf, podTemplateOf, render } from './chart.ts';
import type { KubeObject, Values } from './chart.ts';
import { startCluster } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { MONITORING } from './monitoring.ts';

const DOCUMENTS = [
  {
    apiVersion: 'plumbline.dev/v1alpha1',
    kind: 'Platform',
    metadata: { name: 'plant' },
    spec: { driver: 'node-red', url: 'https://node-red.example.com' },
  },
];
const CONTAINER = {
  name: 'beside',
  image: 'busybox:1',
  securityContext: {
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
  },
};

const FILES = { 'customResources.enabled': false };

/** Every switch: values of which exactly one is taken, the first being the chart's default. */
const SWITCHES: readonly (readonly Values[])[] = [
  [
    {},
    { 'dashboards.enabled': true },
    {
      'dashboards.enabled': true,
      'dashboards.labels': { sidecar: 'yes' },
      'dashboards.annotations': { grafana_folder: 'Plumbline' },
    },
  ],
  [
    {},
    { 'customResources.namespace': 'other', 'rbac.secretNamespaces': ['other'] },
    { 'rbac.secretNamespaces': ['restricted'] },
    { 'rbac.create': false },
    { 'customResources.mirrors': true },
    { 'leases.shards': 0 },
    { 'leases.duration': '1m', 'leases.retry': '500ms' },
    { replicas: 2 },
    { ...FILES, replicas: 2 },
    { ...FILES, replicas: 3, 'podDisruptionBudget.enabled': false, topologySpreadConstraints: [] },
    {
      ...FILES,
      replicas: 3,
      'podDisruptionBudget.maxUnavailable': '50%',
      topologySpreadConstraints: [
        {
          maxSkew: 2,
          topologyKey: 'rack',
          whenUnsatisfiable: 'DoNotSchedule',
          labelSelector: { matchLabels: { a: 'b' } },
        },
      ],
    },
  ],
  [{}, { 'crds.enabled': false }, { 'crds.keep': false }],
  [
    {},
    { 'persistence.enabled': true },
    {
      'persistence.enabled': true,
      'persistence.storageClassName': 'fast',
      'persistence.annotations': { a: 'b' },
      'persistence.whenDeleted': 'Delete',
    },
  ],
  [{}, { 'configuration.documents': DOCUMENTS }, { 'configuration.existingConfigMap': 'mine' }],
  [{}, { 'keys.existingSecret': 'mine' }],
  [{}, { 'serviceAccount.create': false }, { 'serviceAccount.name': 'own', 'serviceAccount.annotations': { a: 'b' } }],
  [{}, { 'sshKnownHosts.text': 'git.example.com ssh-ed25519 AAAA\n' }, { 'sshKnownHosts.existingConfigMap': 'hosts' }],
  [
    {},
    { 'caBundle.text': '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n' },
    { 'caBundle.existingConfigMap': 'authorities', 'caBundle.key': 'bundle.pem' },
  ],
  [
    {},
    {
      'hooks.trustedProxies': ['10.0.0.0/8', '192.0.2.7'],
      'hooks.type': 'LoadBalancer',
      'hooks.annotations': { a: 'b' },
    },
  ],
  [
    {},
    { 'ingress.enabled': true, 'ingress.hosts': ['plumbline.example.com'] },
    {
      'ingress.enabled': true,
      'ingress.hosts': ['a.example.com', 'b.example.com'],
      'ingress.className': 'nginx',
      'ingress.annotations': { a: 'b' },
      'ingress.tls': [{ secretName: 'tls', hosts: ['a.example.com'] }],
    },
  ],
  [
    {},
    { 'networkPolicy.enabled': false },
    {
      'networkPolicy.privateFrom': [],
      'networkPolicy.hooksFrom': [{ ipBlock: { cidr: '192.0.2.0/24' } }],
      'networkPolicy.egress': [{ to: [{ ipBlock: { cidr: '10.0.0.0/8' } }] }],
    },
  ],
  [
    {},
    { 'serviceMonitor.enabled': true },
    {
      'serviceMonitor.enabled': true,
      'serviceMonitor.interval': '30s',
      'serviceMonitor.scrapeTimeout': '10s',
      'serviceMonitor.additionalLabels': { release: 'prometheus' },
      'serviceMonitor.relabelings': [{ action: 'labeldrop', regex: 'pod' }],
      'serviceMonitor.metricRelabelings': [{ action: 'drop', sourceLabels: ['__name__'], regex: 'x' }],
    },
  ],
  [
    {},
    { 'prometheusRule.enabled': true },
    {
      'prometheusRule.enabled': true,
      'prometheusRule.additionalLabels': { role: 'alerts' },
      'prometheusRule.alertLabels': { team: 'platform' },
      'prometheusRule.runbookUrl': 'https://runbooks.example.com',
      'prometheusRule.serviceLevels': false,
      'prometheusRule.disabled': ['PlumblineDriftPersists'],
      'prometheusRule.additionalRules': [{ alert: 'Mine', expr: 'vector(1)' }],
    },
  ],
  [
    {},
    {
      extraEnv: [{ name: 'A', value: 'b' }],
      envFrom: [{ secretRef: { name: 'tokens' } }],
      extraVolumes: [{ name: 'more', secret: { secretName: 'more' } }],
      extraVolumeMounts: [{ name: 'more', mountPath: '/run/secrets/more' }],
    },
  ],
  [
    {},
    {
      extraContainers: [CONTAINER],
      initContainers: [{ ...CONTAINER, name: 'before' }],
      imagePullSecrets: [{ name: 'registry' }],
      'image.digest': `sha256:${'0'.repeat(64)}`,
    },
  ],
  [
    {},
    {
      commonLabels: { team: 'platform' },
      podLabels: { team: 'other', a: 'b' },
      podAnnotations: { a: 'b' },
      annotations: { a: 'b' },
      nodeSelector: { a: 'b' },
      tolerations: [{ operator: 'Exists' }],
      affinity: { podAntiAffinity: {} },
      runtimeClassName: '',
      priorityClassName: 'system-cluster-critical',
    },
  ],
  [
    {},
    {
      nameOverride: 'other',
      extraObjects: [
        {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name: '{{ .Release.Name }}-extra', namespace: '{{ .Release.Namespace }}' },
        },
      ],
    },
    { fullnameOverride: 'a'.repeat(53) },
  ],
  [
    {},
    { 'podSecurityContext.runAsUser': null, 'podSecurityContext.runAsGroup': null, 'podSecurityContext.fsGroup': null },
  ],
];

/** Values that may be anything of their type: what a test of one switch shows nothing about. */
const ROWS = pairwise(SWITCHES).map((row) => Object.assign({}, ...row) as Values);

describe('the chart, rendered', () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await startCluster();
    const namespaces = ['restricted', 'other'].map((name) => ({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
    }));
    await apply([...namespaces, ...MONITORING]);
    await cluster.kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s']);
    const accounts = ['default', 'own', 'test-plumbline', 'test-other', 'a'.repeat(53)].map((name) => ({
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name, namespace: 'restricted' },
    }));
    await apply(accounts);
  });
  after(() => cluster[Symbol.asyncDispose]());

  const manifest = (objects: readonly unknown[]): string =>
    objects.map((object) => JSON.stringify(object)).join('\n---\n');
  const apply = (objects: readonly unknown[], ...more: readonly string[]): Promise<string> =>
    cluster.kubectl(['apply', '--validate=strict', ...more, '-f', '-'], manifest(objects));
  const refusal = async (values: Values): Promise<string> => {
    try {
      await render(cluster, values);
    } catch (error) {
      return String(error);
    }
    throw new Error(`helm took ${JSON.stringify(values)}`);
  };

  it('passes "helm lint --strict", with its defaults and with every switch', async () => {
    await cluster.helm(['lint', '--strict', CHART]);
    for (const options of SWITCHES)
      for (const values of options) {
        const settings = Object.entries(values).flatMap(([key, value]) => [
          '--set-json',
          `${key}=${JSON.stringify(value)}`,
        ]);
        await cluster.helm(['lint', '--strict', CHART, ...settings]);
      }
  });

  it(`is taken by the API server, whatever two switches come together (${ROWS.length} renderings)`, async () => {
    for (const values of ROWS) {
      const { objects } = await render(cluster, values, { namespace: 'restricted' });
      await apply(objects, '--dry-run=server').catch((error: unknown) => {
        throw new Error(`${JSON.stringify(values)}: ${String(error)}`);
      });
    }
  });

  it('makes pods that the Pod Security Standard "restricted" admits', async () => {
    for (const values of ROWS) {
      const { objects } = await render(cluster, values, { namespace: 'restricted' });
      const create = ['create', '--dry-run=server', '-n', 'restricted', '-f', '-'];
      await cluster.kubectl(create, JSON.stringify(podOf(objects, 'pod'))).catch((error: unknown) => {
        throw new Error(`${JSON.stringify(values)}: ${String(error)}`);
      });
    }
    // That the namespace refuses anything at all.
    const { objects } = await render(
      cluster,
      { 'securityContext.allowPrivilegeEscalation': true },
      { namespace: 'restricted' },
    );
    const pod = JSON.stringify(podOf(objects, 'pod'));
    const refused = await cluster.kubectl(['create', '--dry-run=server', '-n', 'restricted', '-f', '-'], pod).then(
      () => 'taken',
      (error: unknown) => String(error),
    );
    expect(refused).to.include('violates PodSecurity "restricted:latest"');
  });

  it('puts every object into the namespace of the release, with the labels of the release and the common ones', async () => {
    for (const values of ROWS) {
      const { objects } = await render(
        cluster,
        { ...values, commonLabels: { team: 'platform' } },
        { namespace: 'other' },
      );
      for (const { kind, metadata } of own(objects)) {
        const home = /^(CustomResourceDefinition|ClusterRole)/.test(kind) ? undefined : 'other';
        if (!kind.startsWith('Role')) expect(metadata.namespace, `${kind} ${metadata.name}`).to.equal(home);
        expect(metadata.labels, `${kind} ${metadata.name}`).to.include({
          'app.kubernetes.io/instance': 'test',
          'app.kubernetes.io/managed-by': 'Helm',
          team: 'platform',
        });
      }
      const names = objects.map(({ kind, metadata }) => `${kind}/${metadata.namespace}/${metadata.name}`);
      expect(new Set(names).size).to.equal(names.length);
    }
  });

  it('sets nothing that the program does not know, and mounts whatever it points to', async () => {
    const known = new Set<string>([...Object.values(VARIABLES), 'NODE_EXTRA_CA_CERTS', 'A']);
    for (const values of ROWS) {
      const { spec } = podTemplateOf((await render(cluster, values)).objects);
      const container = spec.containers.find(({ name }) => name === 'plumbline');
      expect(container?.args).to.deep.equal(['start']);
      expect((container?.env ?? []).map(({ name }) => name).filter((name) => !known.has(name))).to.deep.equal([]);
      const mounted = container?.volumeMounts.map(({ mountPath }) => mountPath) ?? [];
      for (const { value = '' } of container?.env ?? [])
        if (value.startsWith('/'))
          expect(
            mounted.some((path) => value.startsWith(path)),
            value,
          ).to.equal(true);
      const written = container?.volumeMounts.filter(({ readOnly, name }) => readOnly !== true && name !== 'more');
      expect(written?.map(({ mountPath }) => mountPath)).to.have.members(['/var/lib/plumbline', '/tmp']);
    }
  });

  it('refuses what is unknown or of the wrong type, and says where', async () => {
    expect(await refusal({ replicaz: 2 })).to.include("additional properties 'replicaz' not allowed");
    for (const { path, fallback } of chartValues()) {
      const parent = path.slice(0, -1).join('.');
      if (parent !== '') expect(await refusal({ [`${parent}.unknown`]: 1 })).to.include("'unknown' not allowed");
      const wrong = typeof fallback === 'object' ? 'text' : { not: 'this' };
      expect(await refusal({ [path.join('.')]: wrong })).to.include(`at '/${path.join('/')}'`);
    }
    expect(await refusal({ 'image.pullPolicy': 'Sometimes' })).to.include('pullPolicy');
    expect(await refusal({ installation: 'Upper Case' })).to.include('installation');
  });

  it('refuses what contradicts itself, and says what to do', async () => {
    const both = { 'configuration.documents': DOCUMENTS, 'configuration.existingConfigMap': 'mine' };
    expect(await refusal(both)).to.include('leave one of them empty');
    for (const part of ['sshKnownHosts', 'caBundle']) {
      const twice = { [`${part}.text`]: 'x', [`${part}.existingConfigMap`]: 'mine' };
      expect(await refusal(twice)).to.include(`${part}.text and ${part}.existingConfigMap are both set`);
    }
    expect(await refusal({ ...FILES, replicas: 2, 'leases.shards': 0 })).to.include(
      'Set leases.shards to the number of replicas',
    );
    expect(await refusal({ ...FILES, 'customResources.namespace': 'x' })).to.include('no custom resources count');
    expect(await refusal({ ...FILES, 'customResources.mirrors': true })).to.include('mirrors are custom resources');
    expect(await refusal({ 'ingress.enabled': true })).to.include('ingress.hosts={plumbline.example.com}');
  });

  it('installs the definitions as they are in crds/, and has them stay unless told otherwise', async () => {
    const keep = async (values: Values) => {
      const { objects } = await render(cluster, { 'crds.enabled': true, ...values });
      const definitions = objects.filter(({ kind }) => kind === 'CustomResourceDefinition');
      const bare = definitions.map(({ metadata: { name }, ...rest }) => ({ ...rest, metadata: { name } }));
      expect(bare).to.have.deep.members([...definitionFiles().values()].map((text) => parse(text) as unknown));
      return new Set(definitions.map(({ metadata }) => metadata.annotations?.['helm.sh/resource-policy']));
    };
    expect([...(await keep({}))]).to.deep.equal(['keep']);
    expect([...(await keep({ 'crds.keep': false }))]).to.deep.equal([undefined]);
  });

  it('counts the pods of the release where they are spread, unless a constraint says which', async () => {
    const selectors = async (values: Values) => {
      const { spec } = podTemplateOf((await render(cluster, values)).objects);
      return (spec.topologySpreadConstraints ?? []).map(({ labelSelector }) => labelSelector.matchLabels);
    };
    const release = { 'app.kubernetes.io/name': 'plumbline', 'app.kubernetes.io/instance': 'test' };
    expect(await selectors({})).to.deep.equal([]);
    expect(await selectors({ ...FILES, replicas: 2 })).to.deep.equal([release, release]);
    const labelSelector = { matchLabels: { a: 'b' } };
    const own = [{ maxSkew: 1, topologyKey: 'rack', whenUnsatisfiable: 'ScheduleAnyway', labelSelector }];
    expect(await selectors({ ...FILES, replicas: 2, topologySpreadConstraints: own })).to.deep.equal([{ a: 'b' }]);
  });

  it('hands every dashboard to Grafana as it is', async () => {
    const { objects } = await render(cluster, { 'dashboards.enabled': true, 'dashboards.namespace': 'grafana' });
    const maps = objects.filter(({ metadata }) => metadata.labels?.['grafana_dashboard'] === '1');
    expect(new Set(maps.map(({ metadata }) => metadata.namespace))).to.deep.equal(new Set(['grafana']));
    const folder = join(CHART, 'dashboards');
    const files = readdirSync(folder).map((name) => [name, JSON.parse(readFileSync(join(folder, name), 'utf8'))]);
    const handed = maps
      .flatMap(({ data = {} }) => Object.entries(data))
      .map(([name, text]) => [name, JSON.parse(text)]);
    expect(Object.fromEntries(handed)).to.deep.equal(Object.fromEntries(files)).and.not.deep.equal({});
  });

  it('takes the values that the README shows', async () => {
    const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
    const shown = [...readme.matchAll(/^```yaml values\n([^]*?)^```$/gm)].map(([, text = '']) => parse(text) as Values);
    expect(shown).to.not.have.lengthOf(0);
    for (const values of shown) await apply((await render(cluster, values)).objects, '--dry-run=server');
  });

  it('exposes the hooks by the ingress, and nothing else', async () => {
    const { objects } = await render(cluster, { 'ingress.enabled': true, 'ingress.hosts': ['plumbline.example.com'] });
    const { spec } = objects.find(({ kind }) => kind === 'Ingress') ?? {};
    const text = JSON.stringify(spec);
    expect([...text.matchAll(/"service":\{"name":"([^"]+)"/g)].map(([, name]) => name)).to.deep.equal([
      'test-plumbline-hooks',
      'test-plumbline-hooks',
    ]);
  });
});

/** Without what extraObjects bring along. */
function own(objects: readonly KubeObject[]): readonly KubeObject[] {
  return objects.filter(({ metadata }) => !metadata.name.endsWith('-extra'));
}
