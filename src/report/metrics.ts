import { Registry, collectDefaultMetrics } from 'prom-client';
import type { Execution, RequestObserver } from '../drivers/driver.ts';
import type { RunCount } from '../ledger/tallies.ts';
import type { Kind } from '../manifest/manifest.ts';
import type { PassReport } from './pass-report.ts';
import { GatewayMetrics } from './gateway-metrics.ts';
import { createFamilies } from './metric-list.ts';
import type { Families } from './metric-list.ts';
import { zeroes, zeroesOfKinds } from './metric-zeroes.ts';
import { countsOf } from './counts.ts';
import { IntegrationMetrics } from './integration-metrics.ts';
import { LevelMetrics } from './level-metrics.ts';
import { LabelBound } from './series.ts';
import type { Labels } from './series.ts';

/** One metric, as the README's table shows it. */
export interface MetricDescription {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
  readonly help: string;
}

export interface MetricsOptions {
  readonly version: string;
  /** Distinct values that the label `workflow` may have per platform; more are counted under `_other`. */
  readonly maxWorkflows?: number;
  /** Likewise the label `route`. */
  readonly maxRoutes?: number;
}

export interface QueueNumbers {
  readonly waiting: number;
  readonly running: number;
  readonly delayed: number;
  /** Milliseconds. */
  readonly oldest: number;
}

/** Label value for runs of workflows that no Sync owns: anybody can make any number of those. */
const UNMANAGED = '_unmanaged';

/** Every number that Plumbline tells about itself, in a registry of its own. Knows no secret: labels are names, counts are counts. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #families: Families;
  readonly #workflows: LabelBound;
  readonly #routes: LabelBound;
  readonly gateway: GatewayMetrics;
  /** Service levels. */
  readonly levels: LevelMetrics;
  /** Code of Integrations. */
  readonly integrations: IntegrationMetrics;
  /** Read at each scrape, because an age grows without anything happening. */
  #queue: () => QueueNumbers = () => ({ waiting: 0, running: 0, delayed: 0, oldest: 0 });

  constructor(options: MetricsOptions) {
    this.#families = createFamilies(this.#registry);
    collectDefaultMetrics({ register: this.#registry, prefix: 'plumbline_' });
    const { folded, build, queueAge, configuration } = this.#families;
    const bound = (label: string, limit: number): LabelBound => {
      folded.metric.inc({ label }, 0);
      return new LabelBound(limit, () => folded.metric.inc({ label }));
    };
    this.#workflows = bound('workflow', options.maxWorkflows ?? 500);
    this.#routes = bound('route', options.maxRoutes ?? 100);
    this.gateway = new GatewayMetrics(this.#families, bound);
    this.levels = new LevelMetrics(this.#families);
    this.integrations = new IntegrationMetrics(this.#families, bound('integration', 500));
    build.metric.set({ version: options.version, node: process.version }, 1);
    queueAge.metric.set(0);
    configuration.metric.set(1);
  }

  /** Media type of what `text()` gives. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The exposition that Prometheus reads. */
  async text(): Promise<string> {
    const { waiting, running, delayed, oldest } = this.#queue();
    const { queue, queueAge } = this.#families;
    for (const [state, count] of Object.entries({ waiting, running, delayed })) queue.metric.set({ state }, count);
    queueAge.metric.set(oldest / 1000);
    this.gateway.refresh();
    return this.#registry.metrics();
  }

  /** Every metric there is, sorted by name. */
  describe(): readonly MetricDescription[] {
    return this.#registry
      .getMetricsAsArray()
      .map((metric) => {
        const { name, help } = metric;
        const labels = 'labelNames' in metric && Array.isArray(metric.labelNames) ? metric.labelNames.map(String) : [];
        return { name, type: 'type' in metric ? String(metric.type) : 'untyped', labels, help };
      })
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Sets the series of a Sync on a Platform to zero, so that the first failure is an increase that an alert can see. */
  expectSync(sync: string, platform: string): void {
    zeroes(this.#families, sync, platform);
    this.suspended(sync, false);
  }

  /** The same for changes of these kinds, once it is known that a Sync has objects of them. */
  expectKinds(sync: string, platform: string, kinds: Iterable<Kind>): void {
    zeroesOfKinds(this.#families, { sync, platform }, kinds);
  }

  expectPlatform(platform: string): void {
    const { executionsLost, executionsGaps } = this.#families;
    for (const family of [executionsLost, executionsGaps]) family.metric.inc(family.touch({ platform }), 0);
    this.circuitOpen(platform, false);
  }

  /** `owned`: objects that the Sync owns after the pass; as the plan had it when absent. */
  pass(report: PassReport, owned = report.plan?.counts.owned): void {
    if (report.result === 'planned') return;
    const { sync, platform, trigger, result } = report;
    const here = { sync, platform };
    const families = this.#families;
    families.passes.metric.inc(families.passes.touch({ ...here, trigger, result }));
    families.passSeconds.metric.observe(families.passSeconds.touch(here), (report.endedAt - report.startedAt) / 1000);
    set(families.lastPass, here, report.endedAt / 1000);
    if (result === 'in-sync' || result === 'applied') set(families.lastSuccess, here, report.endedAt / 1000);
    // What is only there to be deleted is in no source.
    this.expectKinds(sync, platform, new Set(report.outcomes.map(({ change }) => change.kind)));
    for (const outcome of report.outcomes) {
      const { kind, verb } = outcome.change;
      families.changes.metric.inc(families.changes.touch({ ...here, kind, verb, result: outcome.status }));
    }
    if (owned !== undefined) set(families.owned, here, owned);
    this.#passGauges(report, here);
  }

  #passGauges(report: PassReport, here: { readonly sync: string; readonly platform: string }): void {
    const families = this.#families;
    const counts = countsOf(report);
    set(families.problems, { ...here, severity: 'error' }, counts.problems.error);
    set(families.problems, { ...here, severity: 'warning' }, counts.problems.warning);
    set(families.stale, here, report.stale === undefined ? 0 : 1);
    if (report.revision !== undefined) {
      families.revision.forget(here);
      set(families.revision, { ...here, revision: report.revision }, 1);
    }
    if (report.plan === undefined) return;
    set(families.drifted, here, report.plan.counts.drifted);
    families.withheld.forget(here);
    for (const [code, count] of counts.withheld) set(families.withheld, { ...here, code }, count);
  }

  /** Tells of one HTTP request; `seconds` in seconds, `route` a template without ids. */
  observer(platform: string): RequestObserver {
    const { requests, requestSeconds } = this.#families;
    return ({ method, route, code, seconds }) => {
      const labels = { platform, method, route: this.#routes.admit(platform, route) };
      requests.metric.inc(requests.touch({ ...labels, code: String(code) }));
      requestSeconds.metric.observe(requestSeconds.touch(labels), seconds);
    };
  }

  platformUp(platform: string, up: boolean): void {
    set(this.#families.platformUp, { platform }, up ? 1 : 0);
  }

  /** Whether requests to the platform are held back because it failed several times in a row. */
  circuitOpen(platform: string, open: boolean): void {
    set(this.#families.circuitOpen, { platform }, open ? 1 : 0);
  }

  shardHeld(shard: number, held: boolean): void {
    set(this.#families.shardHeld, { shard: String(shard) }, held ? 1 : 0);
  }

  /** One run that has ended; `workflow` is the manifest's name, or undefined when no Sync owns the workflow. */
  execution(platform: string, workflow: string | undefined, execution: Execution): void {
    if (execution.status === 'running') return;
    const { executions, executionSeconds } = this.#families;
    const labels = { platform, workflow: this.workflowLabel(platform, workflow), result: execution.status };
    this.expectWorkflow(platform, labels.workflow);
    executions.metric.inc(executions.touch(labels));
    if (execution.endedAt === undefined) return;
    const seconds = Math.max(0, execution.endedAt - execution.startedAt) / 1000;
    executionSeconds.metric.observe(executionSeconds.touch(labels), seconds);
  }

  /** What a workflow is called in labels: its name, `_unmanaged` where git does not know it, `_other` where there is no room. */
  workflowLabel(platform: string, workflow: string | undefined): string {
    return workflow === undefined ? UNMANAGED : this.#workflows.admit(platform, workflow);
  }

  /** Goes on from what a process before this one has counted, as it was labelled then. */
  restoreExecutions(counts: readonly RunCount[]): void {
    const { executions } = this.#families;
    for (const { platform, workflow, result, count } of counts) {
      if (!workflow.startsWith('_')) this.#workflows.admit(platform, workflow);
      this.expectWorkflow(platform, workflow);
      executions.metric.inc(executions.touch({ platform, workflow, result }), count);
    }
  }

  /**
   * When counting of runs began on a platform (milliseconds since 1970); how many more were there already and left out, were dropped
   * unread, and how often it forgot nobody knows how many.
   */
  countedSince(
    platform: string,
    since: number,
    {
      skipped,
      lost = 0,
      gaps = 0,
    }: { readonly skipped: number; readonly lost?: number | undefined; readonly gaps?: number | undefined },
  ): void {
    const { countedSince, executionsSkipped, executionsLost, executionsGaps } = this.#families;
    set(countedSince, { platform }, since / 1000);
    for (const [family, more] of [
      [executionsSkipped, skipped],
      [executionsLost, lost],
      [executionsGaps, gaps],
    ] as const)
      family.metric.inc(family.touch({ platform }), more);
  }

  /** The success and error counts of a workflow exist together: a rate of errors needs both. */
  expectWorkflow(platform: string, workflow: string): void {
    const { executions } = this.#families;
    for (const result of ['success', 'error'])
      executions.metric.inc(executions.touch({ platform, workflow, result }), 0);
  }

  /** One read of a source, in seconds. */
  sourceRead(sync: string, result: 'fresh' | 'stale' | 'failed', seconds: number): void {
    const { reads, readSeconds } = this.#families;
    for (const each of ['fresh', 'stale', 'failed'])
      reads.metric.inc(reads.touch({ sync, result: each }), each === result ? 1 : 0);
    readSeconds.metric.observe(readSeconds.touch({ sync }), seconds);
  }

  retried(sync: string, platform: string): void {
    this.#families.retries.metric.inc(this.#families.retries.touch({ sync, platform }));
  }

  suspended(sync: string, suspended: boolean): void {
    set(this.#families.suspended, { sync }, suspended ? 1 : 0);
  }

  configurationValid(valid: boolean): void {
    this.#families.configuration.metric.set(valid ? 1 : 0);
  }

  watchQueue(numbers: () => QueueNumbers): void {
    this.#queue = numbers;
  }

  /** Removes the series of a Sync that is gone, or only those on one platform when the Sync left that. */
  forgetSync(sync: string, platform?: string): void {
    this.#forget(platform === undefined ? { sync } : { sync, platform });
  }

  /** Removes every series of a Platform that is gone. */
  forgetPlatform(platform: string): void {
    this.#forget({ platform });
    this.#workflows.forget(platform);
    this.#routes.forget(platform);
  }

  forgetWorkflow(platform: string, workflow: string): void {
    this.#forget({ platform, workflow });
    this.#workflows.forget(platform, workflow);
  }

  #forget(match: Labels): void {
    for (const family of Object.values(this.#families)) family.forget(match);
  }
}

function set(family: Families['owned'], labels: Labels, value: number): void {
  family.metric.set(family.touch(labels), value);
}
