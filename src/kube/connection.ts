import { existsSync, readFileSync } from 'node:fs';
import type { RequestOptions } from 'node:https';
import { join, resolve } from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node';
import { Agent } from 'undici';
import type { Dispatcher } from 'undici';
import { ReconcilerError, messageOf } from '../errors.ts';

/** Where a pod finds the credentials of its ServiceAccount. */
const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/** How the cluster is found: a kubeconfig file, or the pod's own ServiceAccount. */
export interface ClusterOptions {
  /** A kubeconfig file; the ServiceAccount of this pod when absent. */
  readonly kubeconfig?: string;
  /** A context of that file other than its current one. */
  readonly context?: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** For tests; where a ServiceAccount's files are mounted. */
  readonly accountFolder?: string;
}

/** Where the API server is, and with what to ask it. */
export interface Connection {
  /** `https://10.0.0.1:443` */
  readonly server: string;
  /** Of the context, or of the pod; `default` where neither says. */
  readonly namespace: string;
  readonly dispatcher: Dispatcher;
  /** Headers that authenticate; asked for at each request, because tokens expire. */
  readonly headers: () => Promise<Readonly<Record<string, string>>>;
}

/** Whether this process runs as a pod of a cluster, with a ServiceAccount. */
export function inCluster({ environment, accountFolder = ACCOUNT }: ClusterOptions): boolean {
  return environment['KUBERNETES_SERVICE_HOST'] !== undefined && existsSync(join(accountFolder, 'token'));
}

/**
 * Reads the credentials of a cluster. Nothing is asked of it yet.
 * @throws ReconcilerError 'never' (`kubeconfig-invalid`, `not-in-cluster`) that says what to do.
 */
export async function openConnection(options: ClusterOptions): Promise<Connection> {
  // Loaded here only: it is large, and most commands need no cluster.
  const library = await import('@kubernetes/client-node');
  const config = new library.KubeConfig();
  if (options.kubeconfig === undefined) loadAccount(config, options);
  else loadFile(config, resolve(options.kubeconfig), options.context);
  const server = config.getCurrentCluster()?.server;
  if (server === undefined) throw noSuchContext(options, config);
  const dispatcher = await dispatcherOf(config, library).catch((cause: unknown) => {
    throw unusable(options.kubeconfig ?? ACCOUNT, cause);
  });
  return {
    server: server.replace(/\/+$/, ''),
    namespace: config.getContextObject(config.getCurrentContext())?.namespace?.trim() || 'default',
    dispatcher,
    headers: async () => {
      const wanted: { headers?: Record<string, string>; auth?: string } = {};
      await config.applyToHTTPSOptions(wanted);
      const basic = wanted.auth === undefined ? {} : { Authorization: `Basic ${btoa(wanted.auth)}` };
      return { ...basic, ...wanted.headers };
    },
  };
}

async function dispatcherOf(
  config: KubeConfig,
  library: typeof import('@kubernetes/client-node'),
): Promise<Dispatcher> {
  if (config.getCurrentCluster()?.proxyUrl !== undefined) {
    const probe = new library.RequestContext(config.getCurrentCluster()?.server ?? '', library.HttpMethod.GET);
    await config.applySecurityAuthentication(probe);
    return probe.getDispatcher() ?? new Agent();
  }
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  const { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername } = options;
  const given = Object.entries({ ca, cert, key, pfx, passphrase, rejectUnauthorized, servername });
  const tls = Object.fromEntries(given.filter(([, value]) => value !== undefined));
  // One connection for each watch: over HTTP/2 all of them would wait for one another's turn, and break together.
  return new Agent({ allowH2: false, connect: { ...tls, keepAlive: true, keepAliveInitialDelay: 30_000 } });
}

function loadAccount(config: KubeConfig, options: ClusterOptions): void {
  const { environment, accountFolder = ACCOUNT } = options;
  const host = environment['KUBERNETES_SERVICE_HOST'];
  if (host === undefined || !inCluster(options)) {
    throw new ReconcilerError('This process does not run in a cluster.', 'never', {
      code: 'not-in-cluster',
      remedy: 'Name a kubeconfig file with --kubeconfig, or run it as a pod with a ServiceAccount.',
    });
  }
  const address = host.includes(':') ? `[${host}]` : host;
  const port = environment['KUBERNETES_SERVICE_PORT'] ?? '443';
  const name = 'pod';
  config.loadFromOptions({
    clusters: [
      { name, server: `https://${address}:${port}`, caFile: join(accountFolder, 'ca.crt'), skipTLSVerify: false },
    ],
    // Kubelets renew the token under the same name; this provider reads it anew every minute.
    users: [{ name, authProvider: { name: 'tokenFile', config: { tokenFile: join(accountFolder, 'token') } } }],
    contexts: [{ name, cluster: name, user: name, namespace: textOf(join(accountFolder, 'namespace')) }],
    currentContext: name,
  });
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return 'default';
  }
}

function loadFile(config: KubeConfig, file: string, context: string | undefined): void {
  try {
    config.loadFromFile(file);
  } catch (cause) {
    throw unusable(file, cause);
  }
  if (context !== undefined) config.setCurrentContext(context);
}

function unusable(file: string, cause: unknown): ReconcilerError {
  return new ReconcilerError(`The credentials in ${file} cannot be used: ${messageOf(cause)}`, 'never', {
    cause,
    code: 'kubeconfig-invalid',
    remedy: 'Correct the file; "kubectl --kubeconfig FILE version" shows whether it works.',
  });
}

function noSuchContext({ kubeconfig, context }: ClusterOptions, config: KubeConfig): ReconcilerError {
  const known = config.getContexts().map(({ name }) => name);
  const what = context === undefined ? 'no current context' : `no usable context "${context}"`;
  return new ReconcilerError(`${kubeconfig ?? 'The kubeconfig'} has ${what}.`, 'never', {
    code: 'kubeconfig-invalid',
    remedy:
      known.length === 0
        ? 'Name a file that has one.'
        : `Name one of its contexts with --context: ${known.join(', ')}.`,
  });
}
