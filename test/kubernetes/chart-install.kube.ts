import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { CHART, podTemplateOf } from './chart.ts';
import type { KubeObject, Values } from './chart.ts';
import { startCluster } from './cluster.ts';
import type { Cluster } from './cluster.ts';

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

describe('the chart, installed', function () {
  this.timeout(300_000);
  let cluster: Cluster;
  let folder = '';
  before(async () => {
    cluster = await startCluster();
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
    await helm('upgrade', CHART, { 'crds.enabled': true });
    expect(await keys()).to.deep.equal(before);
    const at = await generation('deployment');
    await helm('upgrade', CHART, { 'crds.enabled': true });
    await helm('upgrade', CHART, { 'crds.enabled': true, 'configuration.documents': DOCUMENTS });
    expect(await generation('deployment'), 'the configuration is read again without a restart').to.equal(at);
    expect(await keys()).to.deep.equal(before);
  });

  it('runs: the program starts with exactly what the pod is given, and takes the token of the Secret', async () => {
    await helm('upgrade', CHART, {
      'configuration.documents': DOCUMENTS,
      'private.address': '127.0.0.1',
    });
    const { metrics, status, exitCode } = await runAsPod(await get('deployment', 'plumbline'), {
      folder,
      files: {
        '/etc/plumbline': (await get('configmap', 'plumbline')).data ?? {},
        '/etc/plumbline-keys': decoded((await keys()) ?? {}),
      },
    });
    expect(metrics).to.include('plumbline_build_info');
    expect(status.syncs.map(({ sync }) => sync)).to.deep.equal(['plant']);
    expect(exitCode).to.equal(0);
  });

  it('changes its state to a volume and back', async () => {
    await helm('upgrade', CHART, { 'persistence.enabled': true });
    expect(await names('deployments,statefulsets')).to.deep.equal(['StatefulSet/plumbline']);
    await helm('upgrade', CHART, { 'persistence.enabled': true, 'image.tag': 'next' });
    await helm('upgrade', CHART, { 'persistence.enabled': false });
    expect(await names('deployments,statefulsets')).to.deep.equal(['Deployment/plumbline']);
  });

  it('leaves behind what is precious when it is uninstalled, and finds it again', async () => {
    await helm('upgrade', CHART, { 'crds.enabled': true });
    await cluster.kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s']);
    const [platform] = DOCUMENTS;
    await cluster.kubectl(['apply', '-n', NAMESPACE, '-f', '-'], JSON.stringify(platform));
    const before = await keys();
    await uninstall();
    expect(await names('platforms.plumbline.dev')).to.deep.equal(['Platform/plant']);
    const left = await names(
      'secrets,configmaps,deployments,statefulsets,services,networkpolicies,serviceaccounts,ingresses',
    );
    expect(left).to.deep.equal(['Secret/plumbline-keys']);
    await helm('install', CHART, { 'crds.enabled': true });
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

function decoded(data: Readonly<Record<string, string>>): Readonly<Record<string, Buffer>> {
  return Object.fromEntries(Object.entries(data).map(([name, text]) => [name, Buffer.from(text, 'base64')]));
}

type Files = Readonly<Record<string, Readonly<Record<string, string | Buffer>>>>;

interface Observed {
  readonly metrics: string;
  readonly status: { readonly syncs: readonly { readonly sync: string }[] };
  readonly exitCode: number | null;
}

/** Runs the program as the container of a workload would run, with its mounts in a folder, and looks at it as a probe and a caller do. */
async function runAsPod(
  workload: KubeObject,
  { folder, files }: { readonly folder: string; readonly files: Files },
): Promise<Observed> {
  const { spec } = podTemplateOf([workload]);
  const [container] = spec.containers;
  const at = (path: string): string => join(folder, 'root', path);
  for (const { mountPath } of container?.volumeMounts ?? []) mkdirSync(at(mountPath), { recursive: true });
  for (const [path, entries] of Object.entries(files))
    for (const [name, content] of Object.entries(entries))
      writeFileSync(join(at(path), name), content, { mode: 0o440 });
  const env = Object.fromEntries(
    (container?.env ?? []).map(({ name, value = '' }) => [name, value.startsWith('/') ? at(value) : value]),
  );
  const args = ['--disable-warning=ExperimentalWarning', join(ROOT, 'src', 'main.ts'), ...(container?.args ?? [])];
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env['PATH'], ...env, PLUMBLINE_LISTEN: '127.0.0.1:0', PLUMBLINE_LISTEN_HOOKS: '127.0.0.1:0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit');
  const url = await addressOf(child);
  const token = files['/etc/plumbline-keys']?.['token']?.toString() ?? '';
  const ask = (path: string): Promise<Response> =>
    fetch(`${url}${path}`, { headers: { authorization: `Bearer ${token}` } });
  const metrics = await (await ask('/metrics')).text();
  const status = (await (await ask('/api/v1/status')).json()) as Observed['status'];
  child.kill('SIGTERM');
  await exited;
  return { metrics, status, exitCode: child.exitCode };
}

async function addressOf(child: ChildProcess): Promise<string> {
  let said = '';
  const heard = (chunk: Buffer): void => void (said += chunk.toString());
  child.stdout?.on('data', heard);
  child.stderr?.on('data', heard);
  while (child.exitCode === null) {
    const url = /"daemon started","url":"([^"]+)"/.exec(said)?.[1];
    if (url !== undefined && (await fetch(`${url}/readyz`)).status === 200) return url;
    await pause(100);
  }
  throw new Error(`it ended: ${said}`);
}
