import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where a pod finds the credentials of its ServiceAccount. */
export const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Milliseconds for which a token is used once it was read: kubelets renew it under the same name, long before it runs out. */
const FRESH = 60_000;

/** The ServiceAccount of a pod, as its files tell. */
export interface PodAccount {
  /** `https://10.0.0.1:443` */
  readonly server: string;
  /** `default` where no file says it. */
  readonly namespace: string;
  /** Certificates of the authority. */
  readonly ca: string;
  /** Read anew each minute. @throws Error of the file system */
  readonly token: () => string;
}

/** Whether this process is a pod with a ServiceAccount. */
export function hasAccount(environment: Readonly<Record<string, string | undefined>>, folder: string): boolean {
  return environment['KUBERNETES_SERVICE_HOST'] !== undefined && existsSync(join(folder, 'token'));
}

/**
 * Reads what the kubelet has put into a pod. A kubeconfig has its library; this is a host, three files, and all that a replica in a cluster needs.
 * @returns undefined in any other process
 * @throws Error of the file system
 */
export function podAccount(
  environment: Readonly<Record<string, string | undefined>>,
  folder: string,
  clock = (): number => performance.now(),
): PodAccount | undefined {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = environment;
  if (host === undefined || !hasAccount(environment, folder)) return undefined;
  const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
  let known: { readonly text: string; readonly at: number } | undefined;
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    namespace: existsSync(join(folder, 'namespace')) ? read('namespace').trim() : 'default',
    ca: read('ca.crt'),
    token: () => {
      const now = clock();
      if (known === undefined || now - known.at > FRESH) known = { text: read('token').trim(), at: now };
      return known.text;
    },
  };
}
