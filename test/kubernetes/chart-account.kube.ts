import { AuthorizationV1Api, KubeConfig } from '@kubernetes/client-node';
import { expect } from 'chai';
import { PERMISSIONS } from '../../src/kube/permissions.ts';
import type { PolicyRule } from '../../src/kube/permissions.ts';
import { CHART, podTemplateOf, render } from './chart.ts';
import type { Values } from './chart.ts';
import { startCluster } from './cluster.ts';
import type { Cluster } from './cluster.ts';

const HOME = 'home';
const { watched, secrets, own } = PERMISSIONS;

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

  it('may do nothing beyond what every account may, unless it is given rights', async () => {
    await install({});
    for (const namespace of [HOME, 'team']) expect(await granted(namespace)).to.deep.equal([]);
    const { spec } = podTemplateOf((await render(cluster, {})).objects);
    expect(spec).to.have.property('automountServiceAccountToken', false);
  });

  it('may do everywhere exactly what the daemon declares', async () => {
    await install({ 'rbac.create': true });
    expect(await granted(HOME)).to.have.members(spread([...watched, ...secrets, ...own]));
    expect(await granted('team')).to.have.members(spread([...watched, ...secrets]));
  });

  it('is kept to the namespaces that are named, and to the Secrets of those that are named for them', async () => {
    await install({ 'rbac.create': true, 'rbac.namespaces': ['team'] });
    expect(await granted(HOME)).to.have.members(spread(own));
    expect(await granted('team')).to.have.members(spread([...watched, ...secrets]));
    expect(await granted('other')).to.deep.equal([]);
    await install({ 'rbac.create': true, 'rbac.secretNamespaces': [HOME] });
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
