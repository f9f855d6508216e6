import type { Families } from './metric-list.ts';
import type { Labels } from './series.ts';

/** One objective of a service level for one object. */
export interface LevelSeries {
  readonly platform: string;
  readonly level: string;
  readonly objective: string;
  readonly object: string;
  /** Seconds that an event has to stay within; 0 where there is no such bound. */
  readonly bound: number;
  readonly window: string;
}

/** What a service level promises, and who is told. */
export interface LevelTerms {
  readonly platform: string;
  readonly level: string;
  readonly window: string;
  /** Events below which alerts keep silent. */
  readonly minimum: number;
  readonly severities: readonly string[];
  readonly contacts: readonly string[];
  readonly runbook?: string;
  readonly objectives: readonly {
    readonly name: string;
    /** As it is written: `> 99%`. */
    readonly text: string;
    /** As in `LevelSeries`. */
    readonly bound: number;
    /** Share between 0 and 1, or seconds. */
    readonly target: number;
    /** Share of events that may be bad. */
    readonly budget?: number;
  }[];
}

export interface LevelCounts {
  readonly good: number;
  readonly bad: number;
  readonly seconds: number;
}

/** The numbers of service levels: what the ledger has counted, as it has counted it. */
export class LevelMetrics {
  readonly #families: Families;
  readonly #shown = new Map<string, Labels>();
  /** Platforms of which it was told how many service levels they have. */
  readonly #told = new Set<string>();

  constructor(families: Families) {
    this.#families = families;
    families.folded.metric.inc({ label: 'service_level_object' }, 0);
  }

  /** Shows exactly these series, each from where its counts stand; those that are there already go on. Times: milliseconds since 1970. */
  show(series: readonly (LevelSeries & LevelCounts & { since: number; lastGood?: number })[]): void {
    const wanted = new Map(series.map((one) => [wordOf(one), one]));
    for (const [word, labels] of this.#shown) {
      if (wanted.has(word)) continue;
      this.#shown.delete(word);
      for (const family of this.#all()) family.forget(labels);
    }
    const { levelLastGood } = this.#families;
    for (const [word, one] of wanted) {
      if (this.#shown.has(word)) continue;
      const { platform, level, objective, object, since, lastGood } = one;
      this.#shown.set(word, labelsOf(one));
      this.#add(one, one);
      const last = { platform, service_level: level, objective, object };
      levelLastGood.metric.set(levelLastGood.touch(last), (lastGood ?? since) / 1000);
    }
  }

  /**
   * Shows exactly these terms, which alerts are made of. `settled`: platforms of which these are all that there are; `known`: all that are
   * configured. One that is configured no more has none, which is told, lest they be missed.
   */
  promise(
    terms: readonly LevelTerms[],
    { settled, known }: { readonly settled: readonly string[]; readonly known: readonly string[] },
  ): void {
    const { levelTarget, levelBudgetShare, levelMinimum, levelAlert, levelCount } = this.#families;
    for (const family of [levelTarget, levelBudgetShare, levelMinimum, levelAlert, levelCount]) family.forget({});
    for (const platform of settled) this.#told.add(platform);
    for (const platform of this.#told)
      if (known.includes(platform) && !settled.includes(platform)) this.#told.delete(platform);
    for (const platform of this.#told) {
      const count = terms.filter((one) => one.platform === platform).length;
      levelCount.metric.set(levelCount.touch({ platform }), count);
    }
    for (const { platform, level, window, minimum, severities, contacts, runbook = '', objectives } of terms) {
      const own = { platform, service_level: level, window };
      levelMinimum.metric.set(levelMinimum.touch(own), minimum);
      for (const severity of severities)
        levelAlert.metric.set(levelAlert.touch({ ...own, severity, contacts: contacts.join(','), runbook }), 1);
      for (const { name, text, bound, target, budget } of objectives) {
        const promise = { objective: name, within: withinOf(bound), window, target: text };
        const labels = { platform, service_level: level, ...promise };
        levelTarget.metric.set(levelTarget.touch(labels), target);
        if (budget !== undefined) levelBudgetShare.metric.set(levelBudgetShare.touch(labels), budget);
      }
    }
  }

  /** Adds what has been counted at `at`. */
  count(series: LevelSeries, counts: LevelCounts, at: number): void {
    this.#add(series, counts);
    if (counts.good === 0) return;
    const { levelLastGood } = this.#families;
    const { platform, level, objective, object } = series;
    levelLastGood.metric.set(levelLastGood.touch({ platform, service_level: level, objective, object }), at / 1000);
  }

  /** The share of the budget that is left. */
  budget({ platform, level, objective, object }: LevelSeries, left: number): void {
    const { levelBudget } = this.#families;
    levelBudget.metric.set(levelBudget.touch({ platform, service_level: level, objective, object }), left);
  }

  /** Events that were counted together with those of other objects. */
  fold(events: number): void {
    this.#families.folded.metric.inc({ label: 'service_level_object' }, events);
  }

  #add(series: LevelSeries, { good, bad, seconds }: LevelCounts): void {
    const { levelEvents, levelSeconds } = this.#families;
    const labels = labelsOf(series);
    levelEvents.metric.inc(levelEvents.touch({ ...labels, result: 'good' }), good);
    levelEvents.metric.inc(levelEvents.touch({ ...labels, result: 'bad' }), bad);
    if (series.bound > 0) levelSeconds.metric.inc(levelSeconds.touch(labels), seconds);
  }

  #all() {
    const { levelEvents, levelSeconds, levelBudget, levelLastGood } = this.#families;
    return [
      { forget: (labels: Labels) => levelEvents.forget(labels) },
      { forget: (labels: Labels) => levelSeconds.forget(labels) },
      { forget: (labels: Labels) => levelBudget.forget(withoutPromise(labels)) },
      { forget: (labels: Labels) => levelLastGood.forget(withoutPromise(labels)) },
    ];
  }
}

function labelsOf({ platform, level, objective, object, bound, window }: LevelSeries): Labels {
  return { platform, service_level: level, objective, object, within: withinOf(bound), window };
}

function withinOf(bound: number): string {
  return bound === 0 ? '' : String(bound);
}

function withoutPromise(labels: Labels): Labels {
  return Object.fromEntries(Object.entries(labels).filter(([name]) => name !== 'within' && name !== 'window'));
}

function wordOf(series: LevelSeries): string {
  return JSON.stringify(labelsOf(series));
}
