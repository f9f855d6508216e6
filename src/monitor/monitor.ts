import type { Ledger } from '../ledger/ledger.ts';
import type { Counts, Tally } from '../ledger/tallies.ts';
import type { LevelTerms } from '../report/level-metrics.ts';
import type { Metrics } from '../report/metrics.ts';
import { countOf, plus } from './happening.ts';
import type { Happening } from './happening.ts';
import { levelsOf, OTHER, seriesOf, syncOf } from './levels.ts';
import type { KnownPlatform, Level, Placed } from './levels.ts';
import { Judge } from './judge.ts';
import type { Numbered, Standing } from './judge.ts';
import type { SelectedKind } from '../manifest/objective.ts';

export interface MonitorParts {
  readonly ledger: Ledger;
  readonly metrics: Metrics;
  readonly now: () => number;
  /** As they are configured now. */
  readonly platforms: () => readonly KnownPlatform[];
  /** The revision of a Sync on a Platform that is live; undefined while no pass has read any. */
  readonly revisionOf: (sync: string, platform: string) => string | undefined;
  /** Whether a platform is this replica's, which shows the numbers of it; all are, when absent. */
  readonly holds?: (platform: string) => boolean;
  /** Whether it is known what is in force on a platform; always, when absent. */
  readonly settled?: (platform: string) => boolean;
  /** Series per platform that are counted by themselves. */
  readonly room?: number;
}

/** What happened to one object of a platform. */
export interface Seen {
  readonly kind: SelectedKind;
  readonly platform: string;
  readonly object: string;
  readonly happening: Happening;
}

/** What was counted of a platform's runs, not written yet. */
export type Weighed = ReadonlyMap<number, Counts>;

const ROOM = 5000;

/**
 * Measures the service levels in force: weighs what happens against each objective, keeps the counts in the ledger, and shows
 * the same numbers as metrics. What a metric shows has been written down before, so that a process that follows goes on
 * where this one was.
 */
export class Monitor {
  readonly #parts: MonitorParts;
  readonly #judge: Judge;
  #made = '';
  /** What the counting follows from, as of the last look: the registered service levels, and the platforms where there are any. */
  #counted: { readonly generation: number; readonly known: string | undefined } | undefined;
  #levels: readonly Level[] = [];
  #placed: readonly Numbered[] = [];
  readonly #byId = new Map<number, Numbered>();
  readonly #byObject = new Map<string, Numbered[]>();
  /** Requests and integrations come one by one: they are written together. */
  #waiting = new Map<number, Counts>();

  constructor(parts: MonitorParts) {
    this.#parts = parts;
    this.#judge = new Judge(parts);
  }

  /** The service levels in force, as of the last look. */
  get levels(): readonly Level[] {
    this.refresh();
    return this.#levels;
  }

  /** Those of platforms that this replica holds. */
  get held(): readonly Level[] {
    this.refresh();
    return this.#held();
  }

  /** Follows what is in force: new series begin at zero, those of what has gone are removed. Cheap when nothing has changed. */
  refresh(): void {
    const { ledger, platforms, now, room = ROOM } = this.#parts;
    const known = platforms();
    const made = JSON.stringify([
      ledger.serviceLevels.generation,
      known,
      known.map(({ name }) => [this.#holds(name), this.settled(name)]),
    ]);
    if (made === this.#made) return;
    const registered = ledger.serviceLevels.list();
    this.#counted = {
      generation: ledger.serviceLevels.generation,
      known: registered.length === 0 ? undefined : JSON.stringify(known),
    };
    this.#levels = levelsOf(registered, known);
    const placed = seriesOf(this.#levels, room);
    ledger.tallies.keep(placed, now());
    const tallies = new Map(ledger.tallies.all().map((tally) => [wordOf(tally), tally]));
    this.#placed = placed.flatMap((one) => {
      const tally = tallies.get(wordOf(one));
      return tally === undefined ? [] : [{ ...one, id: tally.id }];
    });
    this.#byId.clear();
    this.#byObject.clear();
    for (const one of this.#placed) {
      this.#byId.set(one.id, one);
      for (const object of one.objects) {
        const word = objectWord(one.of.spec.selector.kind, one.platform, object);
        const others = this.#byObject.get(word);
        if (others === undefined) this.#byObject.set(word, [one]);
        else others.push(one);
      }
    }
    // The ledger gives numbers of series that have gone to new ones.
    for (const id of this.#waiting.keys()) if (!this.#byId.has(id)) this.#waiting.delete(id);
    this.#show(tallies, known);
    this.#made = made;
  }

  /** Counts of platforms that another replica holds are kept, and not shown: they stand still, and would hide that none are told. */
  #show(tallies: ReadonlyMap<string, Tally>, known: readonly KnownPlatform[]): void {
    const { metrics } = this.#parts;
    metrics.levels.show(
      this.#placed.flatMap((one) => {
        const tally = tallies.get(wordOf(one));
        return tally === undefined || !this.#holds(one.platform) ? [] : [{ ...labelled(one), ...tally }];
      }),
    );
    const names = known.map(({ name }) => name);
    const settled = names.filter((name) => this.settled(name));
    metrics.levels.promise(this.#held().map(termsOf), { settled, known: names });
  }

  /** Whether what is not in force on a platform has been taken back, instead of being not known yet. */
  settled(platform: string): boolean {
    return this.#parts.settled?.(platform) ?? this.#holds(platform);
  }

  #held(): readonly Level[] {
    return this.#levels.filter(({ platform }) => this.#holds(platform));
  }

  #holds(platform: string): boolean {
    return this.#parts.holds?.(platform) ?? true;
  }

  /** What happened, in counts; to be written together with the cursor behind it, and then given to `counted`. */
  weigh(seen: readonly Seen[]): Weighed {
    if (this.#countsOtherwise()) this.refresh();
    const counts = new Map<number, Counts>();
    for (const one of seen) this.#weigh(one, counts);
    return counts;
  }

  /** Asked for every request to a platform: what only decides about what is shown waits for the next look. */
  #countsOtherwise(): boolean {
    const { ledger, platforms } = this.#parts;
    if (this.#counted?.generation !== ledger.serviceLevels.generation) return true;
    return this.#counted.known !== undefined && this.#counted.known !== JSON.stringify(platforms());
  }

  /** Shows what has been written down. */
  counted(counts: Weighed): void {
    const { metrics, now } = this.#parts;
    for (const [id, count] of counts) {
      const placed = this.#byId.get(id);
      if (placed === undefined || !this.#holds(placed.platform)) continue;
      metrics.levels.count(labelled(placed), count, now());
      if (placed.object === OTHER) metrics.levels.fold(count.good + count.bad);
    }
  }

  /** Takes what happened; it is written down, and shown, by the next `flush`. */
  take(seen: Seen): void {
    for (const [id, count] of this.weigh([seen])) this.#waiting.set(id, plus(this.#waiting.get(id), count));
  }

  /** Writes down what was taken since the last time. @throws ReconcilerError; then it is tried again with the next call. */
  flush(): void {
    if (this.#waiting.size === 0) return;
    const counts = this.#waiting;
    this.#parts.ledger.tallies.add({ at: this.#parts.now(), counts });
    this.#waiting = new Map();
    this.counted(counts);
  }

  /** Looks at how everything stands, and writes down what has turned. */
  judge(): void {
    this.refresh();
    this.#judgeOnly(this.#placed);
  }

  /**
   * The same for what a Sync promises of a platform, with what was taken until now: before another revision of it counts as live, so that what
   * has turned bad is told of the one that it turned bad under.
   */
  judgeOf(sync: string, platform: string): void {
    this.refresh();
    const own = this.#placed.filter((one) => one.platform === platform && syncOf(one.of) === sync);
    if (own.length === 0) return;
    this.flush();
    this.#judgeOnly(own);
  }

  #judgeOnly(placed: readonly Numbered[]): void {
    for (const { placed: one, budgetLeft } of this.#judge.judge(placed))
      if (budgetLeft !== undefined && this.#holds(one.platform))
        this.#parts.metrics.levels.budget(labelled(one), budgetLeft);
  }

  /** How everything stands, as of now. */
  standings(): readonly Standing[] {
    this.refresh();
    return this.#judge.look(this.#placed);
  }

  #weigh({ kind, platform, object, happening }: Seen, counts: Map<number, Counts>): void {
    for (const { id, measures } of this.#byObject.get(objectWord(kind, platform, object)) ?? []) {
      const count = countOf(kind, measures, happening);
      if (count !== undefined) counts.set(id, plus(counts.get(id), count));
    }
  }
}

function wordOf({ platform, level, objective, bound, object }: Placed | Tally): string {
  return JSON.stringify([platform, level, objective, bound, object]);
}

function objectWord(kind: SelectedKind, platform: string, object: string): string {
  return `${kind}\n${platform}\n${object}`;
}

function termsOf({ platform, name, spec, parsed }: Level): LevelTerms {
  const { page, ticket, contacts, runbook } = spec.alerts;
  return {
    platform,
    level: name,
    window: spec.window,
    minimum: spec.minimumTraffic,
    severities: [...(page ? ['page'] : []), ...(ticket ? ['ticket'] : [])],
    contacts,
    ...(runbook === undefined ? {} : { runbook }),
    objectives: parsed.map(({ target, ...objective }) => ({ ...objective, target: target.value })),
  };
}

function labelled({ platform, level, objective, object, bound, of }: Placed) {
  return { platform, level, objective, object, bound, window: of.spec.window };
}
