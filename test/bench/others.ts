import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Benchmarks that are no passes over a repository, by the word that asks for them; what follows it is theirs. */
export const OTHERS: Readonly<
  Record<string, (args: readonly string[], nodeFlags: readonly string[]) => Promise<void>>
> = {
  /** 100,000 events through ten kills, beside a bare HTTP server. */
  events: (args) => script('events.ts', args),
  /** From a push to a real git server to the answer of the flow, beside the bare write. */
  push: async ([workflows = '1000'], nodeFlags) => {
    const { benchPush } = await import('./push.ts');
    console.log(JSON.stringify(await benchPush(Number(workflows), nodeFlags)));
  },
  /** A folder of raw exports onto a real n8n, file by file, beside bare requests: `n8n --corpus FOLDER`. */
  n8n: async (args) => {
    const { benchN8n } = await import('./n8n.ts');
    console.log(JSON.stringify(await benchN8n(args)));
  },
  /** 300 flows with 1,200 operations onto a real Directus, beside bare bulk requests, `@directus/cli` and `directus-sync`. */
  directus: async () => {
    const { benchDirectus } = await import('./directus.ts');
    console.log(JSON.stringify(await benchDirectus()));
  },
  /** Replicas killed, stopped, cut off and ended while they write: `failover [--rounds 100] [--platform mint|node-red] [--default-times]`. */
  failover: async (args) => {
    const { benchFailover } = await import('./failover.ts');
    await benchFailover(args);
  },
  /** A thousand Syncs and ten thousand resources in one API server: `kubernetes [--syncs 1000] [--resources 10000] [--rest SECONDS]`. */
  kubernetes: async (args, nodeFlags) => {
    const { benchKubernetes } = await import('./kubernetes.ts');
    await benchKubernetes(args, nodeFlags);
  },
  /** A thousand workflows with service levels: size and time of a scrape, and of evaluating the rules in a real Prometheus: `levels [--days 30]`. */
  levels: async (args) => {
    const { measureLevels } = await import('./levels.ts');
    await measureLevels(args);
  },
  /** What a call of a plugin costs. */
  plugins: async () => {
    const { benchPlugins } = await import('../plugins/bench.ts');
    console.log(JSON.stringify({ bench: 'plugins', ...(await benchPlugins()) }));
  },
};

async function script(name: string, args: readonly string[]): Promise<void> {
  const file = fileURLToPath(new URL(name, import.meta.url));
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', file, ...args], { stdio: 'inherit' });
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve));
  if (code !== 0) process.exitCode = 1;
}
