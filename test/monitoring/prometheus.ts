import { execFile, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../platforms/processes.ts';

const run = promisify(execFile);

/** Sees to it that `prometheus` and `promtool` are there: installs Debian's package where this process may. @throws what to do where it may not. */
export function requirePrometheus(): void {
  const present = (name: string): boolean => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0;
  if (present('prometheus') && present('promtool')) return;
  if (process.getuid?.() === 0 && present('apt-get')) {
    process.stderr.write('Installing prometheus (apt-get); this happens once per machine …\n');
    const options = {
      stdio: ['ignore', 2, 2] as ['ignore', 2, 2],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    };
    spawnSync('apt-get', ['update', '-qq'], options);
    spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'prometheus'], options);
  }
  if (present('prometheus') && present('promtool')) return;
  throw new Error(
    'prometheus and promtool are not installed, and cannot be by this process. Install them (on Debian, as root: apt-get update && apt-get install -y prometheus), and run the tests again.',
  );
}

/** A folder for rules and tests, removed when disposed. */
export class Bench implements Disposable {
  readonly dir = mkdtempSync(join(tmpdir(), 'plumbline-promtool-'));

  write(name: string, text: string): string {
    const file = join(this.dir, name);
    writeFileSync(file, text);
    return file;
  }

  /** What promtool says; @throws with it when it finds fault. */
  async promtool(...args: readonly string[]): Promise<string> {
    try {
      const { stdout, stderr } = await run('promtool', [...args], { maxBuffer: 64 * 1024 * 1024 });
      return stdout + stderr;
    } catch (error) {
      const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
      throw new Error(`promtool ${args.slice(0, 2).join(' ')}:\n${(stdout + stderr).slice(0, 8000)}`, { cause: error });
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** A configuration that scrapes one target (`host:port`), and evaluates its rules, so often. */
export function scraping(
  target: string,
  { scrape, evaluate }: { readonly scrape: string; readonly evaluate: string },
): string {
  return `global: {scrape_interval: ${scrape}, evaluation_interval: ${evaluate}}\nscrape_configs: [{job_name: plumbline, static_configs: [{targets: ["${target}"]}]}]`;
}

/** A running Prometheus. */
export class Prometheus implements AsyncDisposable {
  readonly url: string;
  readonly #process: ReturnType<typeof spawn>;
  readonly #bench: Bench;

  private constructor(url: string, process: ReturnType<typeof spawn>, bench: Bench) {
    this.url = url;
    this.#process = process;
    this.#bench = bench;
  }

  /**
   * Starts one on a free port with this configuration and these rules, in a folder that may have samples already and that goes with it.
   * @throws with what it printed when it does not get ready.
   */
  static async start(configuration: string, rules: string, bench = new Bench()): Promise<Prometheus> {
    bench.write('rules.yaml', rules);
    const config = bench.write('prometheus.yaml', `${configuration}\nrule_files: [${join(bench.dir, 'rules.yaml')}]\n`);
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const child = spawn(
      'prometheus',
      [
        `--config.file=${config}`,
        `--storage.tsdb.path=${join(bench.dir, 'data')}`,
        '--storage.tsdb.retention.time=100d',
        `--web.listen-address=127.0.0.1:${port}`,
        '--log.level=warn',
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const prometheus = new Prometheus(url, child, bench);
    for (let time = 0; time < 300; time++) {
      const ready = await fetch(`${url}/-/ready`).then(
        (answer) => answer.ok,
        () => false,
      );
      if (ready) return prometheus;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await prometheus[Symbol.asyncDispose]();
    throw new Error(`Prometheus did not get ready: ${said.slice(0, 4000)}`);
  }

  async get(path: string): Promise<unknown> {
    const answer = await fetch(`${this.url}/api/v1/${path}`);
    const body = (await answer.json()) as { status: string; data: unknown; error?: string };
    if (body.status !== 'success') throw new Error(`Prometheus refused ${path}: ${body.error ?? ''}`);
    return body.data;
  }

  /** What an instant query at a time (seconds since 1970) costs: seconds of evaluating it, and samples that it reads. */
  async cost(expression: string, at: number): Promise<{ readonly seconds: number; readonly samples: number }> {
    const data = (await this.get(`query?query=${encodeURIComponent(expression)}&time=${at}&stats=all`)) as {
      stats: { timings: { evalTotalTime: number }; samples: { totalQueryableSamples: number } };
    };
    const { timings, samples } = data.stats;
    return { seconds: timings.evalTotalTime, samples: samples.totalQueryableSamples };
  }

  /** Evaluates no rule from now on. */
  async dropRules(): Promise<void> {
    this.#bench.write('rules.yaml', 'groups: []');
    this.#process.kill('SIGHUP');
    for (let time = 0; time < 600; time++) {
      const { groups } = (await this.get('rules')) as { groups: readonly unknown[] };
      if (groups.length === 0) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error('Prometheus goes on with its rules');
  }

  /** The result of an instant query, by its labels as JSON. */
  async query(expression: string): Promise<readonly { metric: Record<string, string>; value: number }[]> {
    const data = (await this.get(`query?query=${encodeURIComponent(expression)}`)) as {
      result: readonly { metric: Record<string, string>; value: [number, string] }[];
    };
    return data.result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
  }

  /** Alerts that are pending or firing. */
  async alerts(): Promise<
    readonly { labels: Record<string, string>; annotations: Record<string, string>; state: string }[]
  > {
    const data = (await this.get('alerts')) as {
      alerts: readonly { labels: Record<string, string>; annotations: Record<string, string>; state: string }[];
    };
    return data.alerts;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    if (this.#process.exitCode === null && this.#process.kill('SIGTERM')) await ended;
    this.#bench[Symbol.dispose]();
  }
}
