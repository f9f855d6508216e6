import { AuthorizationV1Api, KubeConfig } from '@kubernetes/client-node';
import { expect } from 'chai';
import { PERMISSIONS } from '../../src/kube/permissions.ts';
import type { PolicyRule } from '../../src/kube/permissions.ts';
import { CHART, podTemplateOf, render } from './chart.ts';
import type { Values } from './chart.ts';
import { startCluster } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { MONITORING } from './monitoring.ts';

const HOME = 'home';
const FILES = { 'customResources.enabled': false };
const { watched, secrets, own, mirrors, rules } = PERMISSIONS;

describe("the chart's ServiceAccount", function () {
  this.timeout(300_000);
  let cluster: Cluster;
  let basic: readonly string[] = [];
  before(async () => {
    cluster = await startCluster();
    for (const namespace of [HOME, 'team', 'other']) await cluster.kubectl(['create', 'namespace', namespace]);
    await cluster.kubectl(['create', 'serviceaccount', 'nobody', '-n', HOME]);
    basic = await rights('nobody', HOME);
  });
  after(() => cluster[Symbol.asyncDispose]());

  /** What the API server says that an account may do in a namespace, one right a line. */
  const rights = async (name: string, namespace: string): Promise<readonly string[]> => {
    const config = new KubeConfig();
    config.loadFromFile(await cluster.kubeconfigOf({ namespace: HOME, name }));
    const review = await config
      .makeApiClient(AuthorizationV1Api)
      .createSelfSubjectRulesReview({ body: { spec: { namespace } } });
    return spread(
      (review.status?.resourceRules ?? []).map(({ apiGroups = [], resources = [], resourceNames = [], verbs }) => ({
        apiGroups,
        resources,
        verbs,
        ...(resourceNames.length === 0 ? {} : { resourceNames }),
      })),
    );
  };
  const install = async (values: Values): Promise<void> => {
    const settings = Object.entries(values).flatMap(([path, value]) => [
      '--set-json',
      `${path}=${JSON.stringify(value)}`,
    ]);
    await cluster.helm(['upgrade', '--install', 'plumbline', CHART, '-n', HOME, '--reset-values', ...settings]);
  };
  const granted = async (namespace: string): Promise<readonly string[]> => {
    const all = await rights('plumbline', namespace);
    return all.filter((right) => !basic.includes(right));
  };

  const hasToken = async (values: Values): Promise<boolean> =>
    podTemplateOf((await render(cluster, values)).objects).spec.automountServiceAccountToken;

  it('may do nothing beyond what every account may, and has no token, when the pod asks the API server nothing', async () => {
    await install({ ...FILES, 'leases.shards': 0 });
    for (const namespace of [HOME, 'team']) expect(await granted(namespace)).to.deep.equal([]);
    expect(await hasToken({ ...FILES, 'leases.shards': 0 })).to.equal(false);
  });

  it('may do what Leases take in its own namespace, and nothing elsewhere', async () => {
    await install(FILES);
    expect(await granted(HOME)).to.have.members(spread(own));
    expect(await granted('team')).to.deep.equal([]);
    expect(await hasToken(FILES)).to.equal(true);
    await install({ ...FILES, 'rbac.create': false });
    expect(await granted(HOME)).to.deep.equal([]);
    expect(await hasToken({ ...FILES, 'rbac.create': false }), 'rights may be granted by hand').to.equal(true);
  });

  it('may keep PrometheusRules in its own namespace where they are switched on, and has a token for that', async () => {
    const definitions = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: MONITORING });
    await cluster.kubectl(['apply', '-f', '-'], definitions);
    await cluster.kubectl(['wait', 'crd/prometheusrules.monitoring.coreos.com', '--for=condition=Established']);
    const alone = { ...FILES, 'leases.shards': 0, 'prometheusRule.enabled': true };
    await install(alone);
    expect(await granted(HOME)).to.have.members(spread(rules));
    expect(await granted('team')).to.deep.equal([]);
    expect(await hasToken(alone)).to.equal(true);
    const switchedOff = { ...alone, 'prometheusRule.serviceLevels': false };
    await install(switchedOff);
    expect(await granted(HOME)).to.deep.equal([]);
    expect(await hasToken(switchedOff)).to.equal(false);
    await install({ ...FILES, 'prometheusRule.enabled': true });
    expect(await granted(HOME)).to.have.members(spread([...own, ...rules]));
  });

  it('may do everywhere exactly what the daemon declares', async () => {
    await install({});
    expect(await granted(HOME)).to.have.members(spread([...watched, ...secrets, ...own]));
    expect(await granted('team')).to.have.members(spread([...watched, ...secrets]));
  });

  it('may write mirrors where they are switched on, and nowhere else', async () => {
    await install({ 'customResources.mirrors': true });
    expect(await granted('team')).to.have.members(spread([...watched, ...mirrors, ...secrets]));
    await install({ 'customResources.mirrors': true, 'customResources.namespace': 'team' });
    expect(await granted('team')).to.have.members(spread([...watched, ...mirrors, ...secrets]));
    expect(await granted('other')).to.deep.equal([]);
    expect(await granted(HOME)).to.have.members(spread(own));
  });

  it('is kept to the namespace that is named, and to the Secrets of those that are named for them', async () => {
    await install({ 'customResources.namespace': 'team' });
    expect(await granted(HOME)).to.have.members(spread(own));
    expect(await granted('team')).to.have.members(spread([...watched, ...secrets]));
    expect(await granted('other')).to.deep.equal([]);
    await install({ 'rbac.secretNamespaces': [HOME] });
    expect(await granted(HOME)).to.have.members(spread([...watched, ...secrets, ...own]));
    expect(await granted('team')).to.have.members(spread(watched));
  });
});

/** Rules as single rights, so that it does not matter how they are put together. */
function spread(rules: readonly (PolicyRule & { readonly resourceNames?: readonly string[] })[]): readonly string[] {
  const all = rules.flatMap(({ apiGroups, resources, verbs, resourceNames = ['*'] }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) =>
        verbs.flatMap((verb) => resourceNames.map((name) => `${verb} ${group}/${resource} ${name}`)),
      ),
    ),
  );
  return [...new Set(all)];
}
