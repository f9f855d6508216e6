import { userInfo } from 'node:os';
import { isatty } from 'node:tty';

/** File descriptors. */
const STDIN = 0;
const STDOUT = 1;

/** What the process was given by its surroundings. The only place that reads `process.env`. */
export interface Environment {
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Whether standard output and standard input are a person's terminal. */
  readonly terminal: boolean;
  readonly colour: boolean;
  /** Columns of the terminal; 100 elsewhere. */
  readonly columns: number;
  /** Who is asking, for the record of suspensions. */
  readonly user: string;
}

/** Environment variables that set a flag's default, by flag. */
export const VARIABLES = {
  config: 'PLUMBLINE_CONFIG',
  stateDir: 'PLUMBLINE_STATE_DIR',
  keysDir: 'PLUMBLINE_KEYS_DIR',
  listen: 'PLUMBLINE_LISTEN',
  listenHooks: 'PLUMBLINE_LISTEN_HOOKS',
  trustProxy: 'PLUMBLINE_TRUST_PROXY',
  installation: 'PLUMBLINE_INSTALLATION',
  kubeconfig: 'PLUMBLINE_KUBECONFIG',
  namespace: 'PLUMBLINE_NAMESPACE',
  customResources: 'PLUMBLINE_CUSTOM_RESOURCES',
  watchNamespace: 'PLUMBLINE_WATCH_NAMESPACE',
  shards: 'PLUMBLINE_SHARDS',
  leaseDuration: 'PLUMBLINE_LEASE_DURATION',
  leaseRetry: 'PLUMBLINE_LEASE_RETRY',
  prometheusRule: 'PLUMBLINE_PROMETHEUS_RULE',
  logFormat: 'PLUMBLINE_LOG_FORMAT',
  logLevel: 'PLUMBLINE_LOG_LEVEL',
} as const;

export function readEnvironment(): Environment {
  const variables = { ...process.env };
  const terminal = isatty(STDOUT) && isatty(STDIN);
  const wanted = variables['FORCE_COLOR'] !== undefined && variables['FORCE_COLOR'] !== '0';
  const refused = variables['NO_COLOR'] !== undefined && variables['NO_COLOR'] !== '';
  return {
    variables,
    cwd: process.cwd(),
    terminal,
    colour: !refused && (wanted || isatty(STDOUT)),
    columns: process.stdout.columns ?? 100,
    user: userName(),
  };
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return 'unknown';
  }
}
