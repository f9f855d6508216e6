import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, rm, symlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { startNodeRed } from '../drivers/node-red/server.ts';
import type { NodeRedServer } from '../drivers/node-red/server.ts';
import { Repository, serveGit, temporaryFolder } from '../source/git-fixture.ts';
import type { GitServer } from '../source/git-fixture.ts';
import { CHART } from './chart.ts';
import { startCluster } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { eventually } from './eventually.ts';
import { startPod } from './pod.ts';
import type { Pod } from './pod.ts';

const README = readFileSync(resolve(import.meta.dirname, '..', '..', 'README.md'), 'utf8');
const HOME = 'home';
const TOKEN = 'canary-Chart-77aa';
const WORKFLOW = [
  'apiVersion: plumbline.dev/v1alpha1',
  'kind: Workflow',
  'metadata: { name: orders }',
  'spec: { definitionFrom: { file: orders.json } }',
  '',
].join('\n');
const ENDED = /NotFound|not found/;

describe('the chart, as it is by default, and custom resources', function () {
  this.timeout(300_000);
  let cluster: Cluster;
  let nodeRed: NodeRedServer;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let git: GitServer;
  let pod: Pod;
  before(async () => {
    cluster = await startCluster({ audit: true });
    nodeRed = await startNodeRed();
    folder = await temporaryFolder();
    const repository = await Repository.create(join(folder.path, 'served/repo'));
    const flow = JSON.stringify([{ id: 'a1', type: 'tab', label: 'orders' }]);
    await repository.commit({ 'flows/orders.yaml': WORKFLOW, 'flows/orders.json': flow }, 'First');
    git = await serveGit(join(folder.path, 'served'), () => TOKEN);
    for (const namespace of [HOME, 'shop']) await cluster.kubectl(['create', 'namespace', namespace]);
    await cluster.helm(['install', 'plumbline', CHART, '-n', HOME, '--set', 'leases.duration=6s,leases.retry=1s']);
    await cluster.kubectl(['create', 'secret', 'generic', 'git', '-n', 'shop', `--from-literal=token=${TOKEN}`]);
    pod = await start();
  });
  afterEach(function () {
    if (this.currentTest?.state === 'failed') console.log(pod?.log().split('\n').slice(-40).join('\n'));
  });
  after(async () => {
    await pod?.stop();
    await git?.[Symbol.asyncDispose]();
    await nodeRed?.stop();
    await folder?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
  });

  const start = async (): Promise<Pod> => {
    const mounts = join(folder.path, 'pods');
    await rm(mounts, { recursive: true, force: true });
    await mkdir(mounts);
    return startPod(cluster, 'deployment/plumbline', { namespace: HOME, folder: mounts });
  };
  const shop = (...args: readonly string[]): Promise<string> => cluster.kubectl([...args, '-n', 'shop']);
  const apply = (kind: string, name: string, spec: object): Promise<string> =>
    cluster.kubectl(
      ['apply', '-f', '-'],
      JSON.stringify({ apiVersion: 'plumbline.dev/v1alpha1', kind, metadata: { name, namespace: 'shop' }, spec }),
    );
  const applySync = (): Promise<string> =>
    apply('Sync', 'orders', {
      source: {
        git: {
          url: `${git.origin}/repo/.git`,
          path: 'flows',
          auth: { token: { valueFrom: { secretKeyRef: { name: 'git', key: 'token' } } } },
        },
      },
      platform: 'plant',
      deletionPolicy: 'Delete',
    });
  const tabs = async (): Promise<readonly unknown[]> =>
    ((await (await fetch(`${nodeRed.url}/flows`)).json()) as readonly { type: string; label?: string }[]).flatMap(
      ({ type, label }) => (type === 'tab' ? [label] : []),
    );
  const ready = () => shop('wait', 'plsync/orders', '--for=condition=Ready', '--timeout=90s');
  /** Runs commands of the README as they stand there. */
  const asTheReadmeSays = async (which: string): Promise<void> => {
    const [, text = ''] = new RegExp(`^\`\`\`sh ${which}\\n([^]*?)^\`\`\`$`, 'm').exec(README) ?? [];
    expect(text).to.not.equal('');
    const programs = join(folder.path, 'programs');
    await rm(programs, { recursive: true, force: true });
    await mkdir(programs);
    await symlink(cluster.programs.kubectl, join(programs, 'kubectl'));
    await symlink(cluster.programs.helm, join(programs, 'helm'));
    const env = { PATH: `${programs}:${process.env['PATH']}`, HOME: folder.path, KUBECONFIG: cluster.kubeconfig };
    await promisify(execFile)('sh', ['-ec', text.replaceAll('-n plumbline', `-n ${HOME}`)], { env });
  };
  const expectGone = async (): Promise<void> => {
    const found = await shop('get', 'plsync', 'orders').catch((error: unknown) => String(error));
    expect(found).to.match(ENDED);
  };

  it('bring a Platform and a Sync to Ready, and nothing that the pod asks is forbidden to it', async () => {
    await apply('Platform', 'plant', { driver: 'node-red', url: nodeRed.url });
    await applySync();
    await ready();
    await shop('wait', 'platforms.plumbline.dev/plant', '--for=condition=Ready', '--timeout=90s');
    expect(await tabs()).to.include('orders');
    await eventually(async () => expect(await shop('describe', 'plsync', 'orders')).to.match(/Normal\s+Applied/));
    expect(cluster.denied()).to.deep.equal([]);
  });

  it('give up what a Sync owns when it is deleted, as its deletionPolicy says', async () => {
    await shop('delete', 'plsync', 'orders', '--timeout=90s');
    expect(await tabs()).to.not.include('orders');
    expect(cluster.denied()).to.deep.equal([]);
  });

  it('outlast the release, which finds them again with what was deleted meanwhile', async () => {
    await applySync();
    await ready();
    expect(await pod.stop()).to.equal(0);
    await cluster.helm(['uninstall', 'plumbline', '-n', HOME, '--wait']);
    await shop('delete', 'plsync', 'orders', '--wait=false');
    expect(await tabs()).to.include('orders');
    await cluster.helm(['install', 'plumbline', CHART, '-n', HOME, '--set', 'leases.duration=6s,leases.retry=1s']);
    pod = await start();
    await eventually(expectGone);
    expect(await tabs()).to.not.include('orders');
    expect(cluster.denied()).to.deep.equal([]);
  });

  it('go without the release as well: a finalizer is taken off as the README says', async () => {
    await applySync();
    await ready();
    expect(await pod.stop()).to.equal(0);
    await cluster.helm(['uninstall', 'plumbline', '-n', HOME, '--wait']);
    await shop('delete', 'plsync', 'orders', '--wait=false');
    await asTheReadmeSays('let go');
    await eventually(expectGone);
    expect(await tabs()).to.include('orders');
  });

  it('leave nothing behind that is held up when they go in the order that the README says', async () => {
    await cluster.helm(['install', 'plumbline', CHART, '-n', HOME, '--set', 'leases.duration=6s,leases.retry=1s']);
    pod = await start();
    await apply('Sync', 'empty', { source: { cluster: {} }, platform: 'plant' });
    await applySync();
    await ready();
    await asTheReadmeSays('uninstall in order');
    expect(await tabs()).to.not.include('orders');
    await eventually(async () =>
      expect(await cluster.kubectl(['get', 'crd', '-o', 'name'])).to.not.contain('plumbline'),
    );
    expect(await pod.stop()).to.equal(0);
  });
});
