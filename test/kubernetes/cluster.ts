import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createWriteStream, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { KubeConfig } from '@kubernetes/client-node';
import { end, freePort } from '../platforms/processes.ts';
import { auditedIn } from './audit.ts';
import type { Audited } from './audit.ts';
import { installControllerManager, installKubernetes } from './install.ts';
import type { Programs } from './install.ts';

/** Milliseconds within which the control plane must stand, on a busy machine. */
const READY = 180_000;

/**
 * A real kube-apiserver and etcd on the loopback interface, with RBAC, admission and CRD validation as in production. There is no
 * scheduler or kubelet, and no controller manager until `collect`: namespaces that are deleted stay, owners are not followed, aggregated roles
 * such as `view` are empty, and no pod runs.
 */
export interface Cluster extends AsyncDisposable {
  readonly url: string;
  readonly programs: Programs;
  /** Of the administrator. */
  readonly kubeconfig: string;
  readonly config: KubeConfig;
  /** A kubeconfig file of a ServiceAccount, by a token as a pod gets it. Seconds that the token holds: at least 600. */
  kubeconfigOf(account: {
    readonly namespace: string;
    readonly name: string;
    readonly seconds?: number;
  }): Promise<string>;
  /** Runs kubectl as the administrator. @throws Error with what it said. */
  kubectl(args: readonly string[], input?: string): Promise<string>;
  /** Runs helm as the administrator. @throws Error with what it said. */
  helm(args: readonly string[]): Promise<string>;
  /** Ends the API server and starts it anew on the same port, with the same etcd: watches break as in an upgrade. */
  restart(): Promise<void>;
  /** From now on what is deleted takes with it what it owns, and a namespace what is in it: runs those controllers of a real kube-controller-manager. */
  collect(): Promise<void>;
  /** Ends the API server until `restart`. */
  stopApiServer(): Promise<void>;
  /** What the API server printed. */
  log(): string;
  /** Requests of ServiceAccounts that were answered 403, each as "account verb path". @throws Error unless the cluster keeps an audit */
  denied(): readonly string[];
  /** Everything that ServiceAccounts asked, a watch as soon as it is open. @throws Error unless the cluster keeps an audit */
  requests(): readonly Audited[];
}

/**
 * Starts a control plane of its own. `audit`: it writes down what ServiceAccounts ask and what they are answered.
 * @throws Error with the end of its output.
 */
export async function startCluster({ audit = false } = {}): Promise<Cluster> {
  const programs = await installKubernetes();
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-cluster-'));
  const [etcdPort, peerPort, port] = [await freePort(), await freePort(), await freePort()];
  const url = `https://127.0.0.1:${port}`;
  const token = randomUUID();
  const files = writeCredentials(folder, token);
  const start = (program: string, args: readonly string[]): ChildProcess => {
    const child = spawn(program, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    const file = createWriteStream(join(folder, 'log'), { flags: 'a' });
    child.stdout?.pipe(file, { end: false });
    child.stderr?.pipe(file, { end: false });
    return child;
  };
  const log = (): string => readFileSync(join(folder, 'log'), 'utf8');
  const etcd = start(programs.etcd, etcdArguments(folder, etcdPort, peerPort));
  const startServer = async (): Promise<ChildProcess> => {
    const args = [...serverArguments(files, etcdPort, port), ...(audit ? auditArguments(folder) : [])];
    const child = start(programs.apiServer, args);
    try {
      await ready(url, token, { children: [child, etcd], log });
    } catch (error) {
      await end(child);
      throw error;
    }
    return child;
  };
  let server: ChildProcess | undefined;
  let collector: ChildProcess | undefined;
  const dispose = async (): Promise<void> => {
    await end(collector);
    await end(server);
    await end(etcd);
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  };
  try {
    server = await startServer();
    const kubeconfig = writeKubeconfig(join(folder, 'admin.kubeconfig'), url, { token, ca: files.ca });
    const config = new KubeConfig();
    config.loadFromFile(kubeconfig);
    const kubectl: Cluster['kubectl'] = (args, input) =>
      command(programs.kubectl, ['--kubeconfig', kubeconfig, ...args], input);
    return {
      url,
      programs,
      kubeconfig,
      config,
      log,
      kubectl,
      denied: () => deniedIn(readFileSync(join(folder, AUDIT), 'utf8')),
      requests: () => auditedIn(readFileSync(join(folder, AUDIT), 'utf8')),
      helm: (args) => command(programs.helm, ['--kubeconfig', kubeconfig, ...args]),
      kubeconfigOf: async ({ namespace, name, seconds = 3600 }) => {
        const granted = await kubectl(['create', 'token', name, '-n', namespace, `--duration=${seconds}s`]);
        const file = join(folder, `${namespace}-${name}.kubeconfig`);
        return writeKubeconfig(file, url, { token: granted.trim(), ca: files.ca, namespace });
      },
      collect: async () => {
        const controllers = '--controllers=namespace-controller,garbage-collector-controller';
        const own = [`--kubeconfig=${kubeconfig}`, '--leader-elect=false', '--secure-port=0'];
        collector = start(await installControllerManager(), [controllers, ...own]);
      },
      stopApiServer: async () => {
        await end(server);
        server = undefined;
      },
      restart: async () => {
        await end(server);
        server = await startServer();
      },
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

const AUDIT = 'audit.log';

function auditArguments(folder: string): readonly string[] {
  const policy = join(folder, 'audit.yaml');
  const rules = [{ level: 'Metadata', userGroups: ['system:serviceaccounts'] }, { level: 'None' }];
  const document = { apiVersion: 'audit.k8s.io/v1', kind: 'Policy', omitStages: ['RequestReceived'], rules };
  writeFileSync(policy, JSON.stringify(document));
  return [`--audit-policy-file=${policy}`, `--audit-log-path=${join(folder, AUDIT)}`, '--audit-log-mode=blocking'];
}

function deniedIn(audit: string): readonly string[] {
  return audit.split('\n').flatMap((line) => {
    if (line === '') return [];
    const { user, verb, requestURI, responseStatus } = JSON.parse(line) as {
      readonly user: { readonly username: string };
      readonly verb: string;
      readonly requestURI: string;
      readonly responseStatus?: { readonly code: number };
    };
    return responseStatus?.code === 403 ? [`${user.username} ${verb} ${requestURI}`] : [];
  });
}

interface Files {
  readonly folder: string;
  readonly tokens: string;
  readonly key: string;
  readonly publicKey: string;
  /** Of the serving certificate, which the server makes itself. */
  readonly ca: string;
}

function writeCredentials(folder: string, token: string): Files {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const files: Files = {
    folder,
    tokens: join(folder, 'tokens.csv'),
    key: join(folder, 'service-account.key'),
    publicKey: join(folder, 'service-account.pub'),
    ca: join(folder, 'pki', 'apiserver.crt'),
  };
  mkdirSync(join(folder, 'pki'));
  writeFileSync(files.tokens, `${token},admin,admin,"system:masters"\n`, { mode: 0o600 });
  writeFileSync(files.key, privateKey, { mode: 0o600 });
  writeFileSync(files.publicKey, publicKey);
  return files;
}

function etcdArguments(folder: string, port: number, peerPort: number): readonly string[] {
  const [client, peer] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${peerPort}`];
  return [
    `--data-dir=${join(folder, 'etcd')}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    '--unsafe-no-fsync',
    '--log-level=error',
  ];
}

function serverArguments({ folder, tokens, key, publicKey }: Files, etcdPort: number, port: number): readonly string[] {
  return [
    `--etcd-servers=http://127.0.0.1:${etcdPort}`,
    `--cert-dir=${join(folder, 'pki')}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${port}`,
    `--token-auth-file=${tokens}`,
    '--authorization-mode=RBAC',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${publicKey}`,
    `--service-account-signing-key-file=${key}`,
    '--service-cluster-ip-range=10.0.0.0/24',
    '--allow-privileged=true',
    '--profiling=false',
    // Relies on a newer etcd than Debian's; nothing here depends on it.
    '--feature-gates=SizeBasedListCostEstimate=false',
  ];
}

async function ready(
  url: string,
  token: string,
  { children, log }: { readonly children: readonly ChildProcess[]; readonly log: () => string },
): Promise<void> {
  const deadline = Date.now() + READY;
  // Asked by a program of the system: the certificate is the server's own and this process trusts no such thing. Not for long: while
  // it is waited for, nobody reads what the server prints, and a server that cannot print answers nobody.
  const args = ['-sk', '--max-time', '2', '-m', '5', '-H', `Authorization: Bearer ${token}`, `${url}/readyz`];
  while (Date.now() < deadline && children.every(({ exitCode }) => exitCode === null)) {
    if (spawnSync('curl', args, { encoding: 'utf8' }).stdout === 'ok') return;
    await pause(150);
  }
  throw new Error(`kube-apiserver did not become ready:\n${log().split('\n').slice(-40).join('\n')}`);
}

function writeKubeconfig(
  file: string,
  url: string,
  { token, ca, namespace = 'default' }: { readonly token: string; readonly ca: string; readonly namespace?: string },
): string {
  const certificate = readFileSync(ca).toString('base64');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    clusters: [{ name: 'test', cluster: { server: url, 'certificate-authority-data': certificate } }],
    users: [{ name: 'test', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test', namespace } }],
  };
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
  return file;
}

async function command(program: string, args: readonly string[], input?: string): Promise<string> {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  let output = '';
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  // Who ends without reading it has not failed: the exit code tells.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input ?? '');
  const code = await new Promise<number | null>((done, fail) => child.once('error', fail).once('close', done));
  if (code !== 0) throw new Error(`${args.slice(2).join(' ')} failed (${code}): ${said}${output}`);
  return output;
}
