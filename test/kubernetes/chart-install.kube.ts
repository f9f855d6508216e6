import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { startNodeRed } from '../drivers/node-red/server.ts';
import { CHART } from './chart.ts';
import type { KubeObject, Values } from './chart.ts';
import { startCluster } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { eventually } from './eventually.ts';
import { startPod } from './pod.ts';

const ROOT = resolve(import.meta.dirname, '..', '..');
const NAMESPACE = 'home';
const run = promisify(execFile);

const DOCUMENTS = [
  {
    apiVersion: 'plumbline.dev/v1alpha1',
    kind: 'Platform',
    metadata: { name: 'plant' },
    spec: { driver: 'node-red', url: 'http://127.0.0.1:9' },
  },
  {
    apiVersion: 'plumbline.dev/v1alpha1',
    kind: 'Sync',
    metadata: { name: 'plant' },
    spec: { source: { folder: { path: 'flows' } }, platform: 'plant' },
  },
];

const WORKFLOW = [
  'apiVersion: plumbline.dev/v1alpha1',
  'kind: Workflow',
  'metadata: { name: orders }',
  'spec: { definitionFrom: { file: orders.json } }',
  '',
].join('\n');

interface Lease {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly holderIdentity?: string };
}

describe('the chart, installed', function () {
  this.timeout(300_000);
  let cluster: Cluster;
  let folder = '';
  before(async () => {
    cluster = await startCluster({ audit: true });
    await cluster.kubectl(['create', 'namespace', NAMESPACE]);
    folder = mkdtempSync(join(tmpdir(), 'plumbline-chart-'));
  });
  after(async () => {
    rmSync(folder, { recursive: true, force: true });
    await cluster[Symbol.asyncDispose]();
  });

  const helm = (verb: string, chart: string, values: Values = {}): Promise<string> => {
    const settings = Object.entries(values).flatMap(([path, value]) => [
      '--set-json',
      `${path}=${JSON.stringify(value)}`,
    ]);
    return cluster.helm([verb, 'plumbline', chart, '-n', NAMESPACE, ...settings]);
  };
  const uninstall = (): Promise<string> => cluster.helm(['uninstall', 'plumbline', '-n', NAMESPACE, '--wait']);
  const get = async <T = KubeObject>(...what: readonly string[]): Promise<T> =>
    JSON.parse(await cluster.kubectl(['get', '-n', NAMESPACE, '-o', 'json', ...what])) as T;
  const names = async (kinds: string): Promise<readonly string[]> => {
    const { items } = await get<{ readonly items: readonly KubeObject[] }>(kinds);
    return items.map(({ kind, metadata }) => `${kind}/${metadata.name}`);
  };
  const keys = async () => (await get('secret', 'plumbline-keys')).data;
  const generation = async (kind: string) =>
    (await get<{ readonly metadata: { readonly generation: number } }>(kind, 'plumbline')).metadata.generation;

  it('is upgraded from the chart before it; the keys stay, and an upgrade that changes nothing restarts nothing', async () => {
    await helm('install', await previousChart(folder));
    const before = await keys();
    expect(Buffer.from(before?.['hash.key'] ?? '', 'base64')).to.have.length(32);
    expect(Buffer.from(before?.['token'] ?? '', 'base64').toString()).to.match(/^[A-Za-z0-9]{43}$/);
    await helm('upgrade', CHART);
    expect(await keys()).to.deep.equal(before);
    const at = await generation('deployment');
    await helm('upgrade', CHART);
    await helm('upgrade', CHART, { 'configuration.documents': DOCUMENTS });
    expect(await generation('deployment'), 'the configuration is read again without a restart').to.equal(at);
    expect(await keys()).to.deep.equal(before);
  });

  it('runs: the program starts with exactly what the pod is given, and takes the token of the Secret', async () => {
    await helm('upgrade', CHART, {
      'configuration.documents': DOCUMENTS,
      'private.address': '127.0.0.1',
    });
    await using pod = await startPod(cluster, 'deployment/plumbline', { namespace: NAMESPACE, folder });
    expect(await (await pod.ask('/metrics')).text()).to.include('plumbline_build_info');
    const status = (await (await pod.ask('/api/v1/status')).json()) as { syncs: readonly { sync: string }[] };
    expect(status.syncs.map(({ sync }) => sync)).to.deep.equal(['plant']);
    expect(await pod.stop()).to.equal(0);
    expect(cluster.denied()).to.deep.equal([]);
  });

  it('shares the platforms among pods: one writes, and another takes over as in a rolling update', async () => {
    await using nodeRed = await startNodeRed().then((server) => ({
      ...server,
      [Symbol.asyncDispose]: () => server.stop(),
    }));
    const flows = join(folder, 'flows');
    mkdirSync(flows);
    const commit = (name: string): void => {
      const tab = { id: 'a1', type: 'tab', label: 'orders' };
      const note = { id: 'a2', z: 'a1', type: 'comment', name, wires: [] };
      writeFileSync(join(flows, 'orders.json'), JSON.stringify([tab, note]));
      writeFileSync(join(flows, 'orders.yaml'), WORKFLOW);
    };
    const notes = async (): Promise<readonly unknown[]> =>
      ((await (await fetch(`${nodeRed.url}/flows`)).json()) as readonly { name?: string }[]).map(({ name }) => name);
    commit('first');
    await helm('upgrade', CHART, {
      replicas: 2,
      'customResources.enabled': false,
      'leases.duration': '6s',
      'leases.retry': '1s',
      'configuration.documents': [
        { ...DOCUMENTS[0], spec: { driver: 'node-red', url: nodeRed.url } },
        { ...DOCUMENTS[1], spec: { source: { folder: { path: flows } }, platform: 'plant', interval: '1s' } },
      ],
    });
    const start = () => startPod(cluster, 'deployment/plumbline', { namespace: NAMESPACE, folder });
    await using first = await start();
    await using second = await start();
    const held = async (): Promise<readonly string[]> => {
      const { items } = await get<{ readonly items: readonly Lease[] }>('leases');
      return items.flatMap(({ metadata, spec }) =>
        metadata.name.includes('-of-4') && spec.holderIdentity !== undefined ? [spec.holderIdentity] : [],
      );
    };
    await eventually(async () => expect(await notes()).to.include('first'));
    await eventually(async () => {
      const holders = await held();
      expect(holders).to.have.lengthOf(4);
      expect(new Set(holders).size, 'each has its share').to.equal(2);
    });
    expect(await first.stop()).to.equal(0);
    await eventually(async () => {
      const holders = await held();
      expect(holders).to.have.lengthOf(4);
      expect(new Set(holders).size).to.equal(1);
    });
    commit('second');
    await eventually(async () => expect(await notes()).to.include('second'));
    expect(await notes()).to.not.include('first');
    expect(await second.stop()).to.equal(0);
    expect(await held(), 'released when it ends').to.deep.equal([]);
    expect(cluster.denied()).to.deep.equal([]);
  });

  it('changes between Leases and none', async () => {
    const files = { 'customResources.enabled': false };
    await helm('upgrade', CHART, { ...files, replicas: 3 });
    expect(await names('poddisruptionbudgets,roles')).to.deep.equal([
      'PodDisruptionBudget/plumbline',
      'Role/plumbline',
    ]);
    await helm('upgrade', CHART, { ...files, 'leases.shards': 0 });
    expect(await names('poddisruptionbudgets,roles')).to.deep.equal([]);
    await using pod = await startPod(cluster, 'deployment/plumbline', { namespace: NAMESPACE, folder });
    expect(await pod.stop()).to.equal(0);
    await helm('upgrade', CHART, { ...files, 'leases.shards': 2 });
    expect(await names('poddisruptionbudgets,roles')).to.deep.equal(['Role/plumbline']);
  });

  it('changes its state to a volume and back', async () => {
    await helm('upgrade', CHART, { 'persistence.enabled': true });
    expect(await names('deployments,statefulsets')).to.deep.equal(['StatefulSet/plumbline']);
    await helm('upgrade', CHART, { 'persistence.enabled': true, 'image.tag': 'next' });
    await helm('upgrade', CHART, { 'persistence.enabled': false });
    expect(await names('deployments,statefulsets')).to.deep.equal(['Deployment/plumbline']);
  });

  it('leaves behind what is precious when it is uninstalled, and finds it again', async () => {
    await helm('upgrade', CHART);
    await cluster.kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s']);
    const [platform] = DOCUMENTS;
    await cluster.kubectl(['apply', '-n', NAMESPACE, '-f', '-'], JSON.stringify(platform));
    const before = await keys();
    await uninstall();
    expect(await names('platforms.plumbline.dev')).to.deep.equal(['Platform/plant']);
    const left = await names(
      'secrets,configmaps,deployments,statefulsets,services,networkpolicies,serviceaccounts,ingresses,roles,rolebindings,poddisruptionbudgets',
    );
    expect(left.filter((name) => !name.includes('-inventory-'))).to.deep.equal(['Secret/plumbline-keys']);
    await helm('install', CHART);
    expect(await keys()).to.deep.equal(before);
    await uninstall();
  });
});

/** The chart as it was before its last change: of the last release where there is one, else of the last commit that touched it. */
async function previousChart(folder: string): Promise<string> {
  const git = async (...args: readonly string[]): Promise<string> =>
    (await run('git', [...args], { cwd: ROOT }).catch(() => ({ stdout: '' }))).stdout.trim();
  const release = await git('describe', '--tags', '--match', 'v*', '--abbrev=0');
  const [, change] = (await git('log', '--format=%H', '-n', '2', '--', 'helm')).split('\n');
  const of = release === '' ? change : release;
  // A clone without history, or the first chart of all: then it is upgraded to itself.
  if (of === undefined || (await git('ls-tree', of, 'helm/Chart.yaml')) === '') return CHART;
  const archive = join(folder, 'previous.tar');
  await run('git', ['archive', '--output', archive, of, 'helm'], { cwd: ROOT });
  await run('tar', ['-xf', archive, '-C', folder]);
  return join(folder, 'helm');
}
