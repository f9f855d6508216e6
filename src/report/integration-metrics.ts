import type { Families } from './metric-list.ts';
import type { LabelBound } from './series.ts';

/** What integrations count; results are the words of the ledger's counts. */
export interface IntegrationCount {
  readonly what: 'run' | 'record' | 'delivery';
  readonly result: string;
  readonly count: number;
}

/** Every result that can come of something: counters exist from the start, at zero. */
const RESULTS: Readonly<Record<IntegrationCount['what'], readonly string[]>> = {
  run: ['success', 'failed'],
  record: ['valid', 'invalid', 'unchecked'],
  delivery: ['applied', 'failed', 'dead'],
};

/** The numbers of Integrations that run code. Times are milliseconds since 1970, durations seconds. */
export class IntegrationMetrics {
  readonly #families: Families;
  readonly #names: LabelBound;
  /** Names that are shown, by platform. */
  readonly #shown = new Map<string, Set<string>>();

  constructor(families: Families, names: LabelBound) {
    this.#families = families;
    this.#names = names;
  }

  /** Shows exactly these; the others' series go. */
  keep(wanted: readonly { readonly platform: string; readonly name: string }[]): void {
    const word = (platform: string, name: string): string => `${platform}\n${name}`;
    const words = new Set(wanted.map(({ platform, name }) => word(platform, name)));
    for (const [platform, names] of this.#shown)
      for (const name of names) if (!words.has(word(platform, name))) this.#forget(platform, name);
    for (const { platform, name } of wanted) {
      const names = this.#shown.get(platform) ?? new Set<string>();
      this.#shown.set(platform, names);
      if (names.has(name)) continue;
      names.add(name);
      for (const what of Object.keys(RESULTS) as (keyof typeof RESULTS)[])
        for (const result of RESULTS[what]) this.count(platform, name, { what, result, count: 0 });
    }
  }

  count(platform: string, name: string, { what, result, count }: IntegrationCount): void {
    const { integrationRuns, integrationRecords, integrationDeliveries } = this.#families;
    const family = { run: integrationRuns, record: integrationRecords, delivery: integrationDeliveries }[what];
    family.metric.inc(family.touch({ ...this.#labels(platform, name), result }), count);
  }

  latency(platform: string, name: string, seconds: number): void {
    const { syncLatency } = this.#families;
    syncLatency.metric.observe(syncLatency.touch(this.#labels(platform, name)), seconds);
  }

  ran(platform: string, name: string, seconds: number): void {
    const { integrationSeconds } = this.#families;
    integrationSeconds.metric.observe(integrationSeconds.touch(this.#labels(platform, name)), seconds);
  }

  stands(platform: string, name: string, { waiting, lastSuccess }: { waiting: number; lastSuccess?: number }): void {
    const { integrationWaiting, integrationSuccess } = this.#families;
    const labels = this.#labels(platform, name);
    integrationWaiting.metric.set(integrationWaiting.touch(labels), waiting);
    if (lastSuccess !== undefined) integrationSuccess.metric.set(integrationSuccess.touch(labels), lastSuccess / 1000);
  }

  #labels(platform: string, name: string): { readonly platform: string; readonly integration: string } {
    return { platform, integration: this.#names.admit(platform, name) };
  }

  #forget(platform: string, name: string): void {
    const labels = { platform, integration: name };
    const { integrationRuns, integrationRecords, integrationDeliveries, syncLatency } = this.#families;
    const { integrationSeconds, integrationWaiting, integrationSuccess } = this.#families;
    for (const family of [integrationRuns, integrationRecords, integrationDeliveries]) family.forget(labels);
    for (const family of [syncLatency, integrationSeconds]) family.forget(labels);
    for (const family of [integrationWaiting, integrationSuccess]) family.forget(labels);
    this.#names.forget(platform, name);
    this.#shown.get(platform)?.delete(name);
  }
}
