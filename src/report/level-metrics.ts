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

export interface LevelCounts {
  readonly good: number;
  readonly bad: number;
  readonly seconds: number;
}

/** The numbers of service levels: what the ledger has counted, as it has counted it. */
export class LevelMetrics {
  readonly #families: Families;
  readonly #shown = new Map<string, Labels>();

  constructor(families: Families) {
    this.#families = families;
    families.folded.metric.inc({ label: 'service_level_object' }, 0);
  }

  /** Shows exactly these series, each from where its counts stand; those that are there already go on. Times: milliseconds since 1970. */
  show(series: readonly (LevelSeries & LevelCounts & { since: number; lastGood?: number; target: number })[]): void {
    const wanted = new Map(series.map((one) => [wordOf(one), one]));
    for (const [word, labels] of this.#shown) {
      if (wanted.has(word)) continue;
      this.#shown.delete(word);
      for (const family of this.#all()) family.forget(labels);
    }
    const { levelTarget, levelLastGood } = this.#families;
    levelTarget.forget({});
    for (const [word, one] of wanted) {
      const { platform, level, objective, target, since, lastGood } = one;
      const labels = { platform, service_level: level, objective };
      levelTarget.metric.set(levelTarget.touch(labels), target);
      if (this.#shown.has(word)) continue;
      this.#shown.set(word, labelsOf(one));
      this.#add(one, one);
      const last = { ...labels, object: one.object };
      levelLastGood.metric.set(levelLastGood.touch(last), (lastGood ?? since) / 1000);
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
  return { platform, service_level: level, objective, object, within: bound === 0 ? '' : String(bound), window };
}

function withoutPromise(labels: Labels): Labels {
  return Object.fromEntries(Object.entries(labels).filter(([name]) => name !== 'within' && name !== 'window'));
}

function wordOf(series: LevelSeries): string {
  return JSON.stringify(labelsOf(series));
}
