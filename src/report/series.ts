import type { Counter, Gauge, Histogram } from 'prom-client';

export type Labels = Readonly<Record<string, string>>;
type Metric = Counter | Gauge | Histogram;

/** What stands in a label when there is no room for more values. */
const OTHER = '_other';

/**
 * One metric and the label sets it has, so that a series can be removed when its object goes: a scraper would take the
 * last value of an object long gone for the present.
 */
export class Family<M extends Metric> {
  readonly metric: M;
  readonly #sets = new Map<string, Labels>();

  constructor(metric: M) {
    this.metric = metric;
  }

  /** Remembers the label set; returns it, to be handed on to the metric. */
  touch(labels: Labels): Labels {
    this.#sets.set(identity(labels), labels);
    return labels;
  }

  /** Removes every series whose labels include `match`. */
  forget(match: Labels): void {
    const wanted = Object.entries(match);
    for (const [id, labels] of this.#sets) {
      if (!wanted.every(([name, value]) => labels[name] === value)) continue;
      this.metric.remove(labels);
      this.#sets.delete(id);
    }
  }
}

/** Sorted, because labels that are equal may have been written in another order. */
function identity(labels: Labels): string {
  return JSON.stringify(Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * Keeps a label from having any number of values: a scope (a platform) gets `limit` of them, the rest is counted under
 * `_other`, and `onFold` is told each time.
 */
export class LabelBound {
  readonly #limit: number;
  readonly #onFold: () => void;
  readonly #known = new Map<string, Set<string>>();

  constructor(limit: number, onFold: () => void) {
    this.#limit = limit;
    this.#onFold = onFold;
  }

  /** The value itself while there is room in its scope, else `_other`. */
  admit(scope: string, value: string): string {
    const known = this.#known.get(scope) ?? new Set<string>();
    this.#known.set(scope, known);
    if (known.has(value)) return value;
    if (known.size >= this.#limit) {
      this.#onFold();
      return OTHER;
    }
    known.add(value);
    return value;
  }

  forget(scope: string, value?: string): void {
    if (value === undefined) this.#known.delete(scope);
    else this.#known.get(scope)?.delete(value);
  }
}
