import type { Ledger } from '../ledger/ledger.ts';
import type { Counts, Verdict } from '../ledger/tallies.ts';
import { burnsOf, periodOf } from './burn.ts';
import { syncOf } from './levels.ts';
import type { Placed } from './levels.ts';
import { budgetLeft, NOTHING, stateOf, valueOf } from './verdict.ts';
import type { State } from './verdict.ts';

export interface JudgeParts {
  readonly ledger: Ledger;
  readonly now: () => number;
  readonly revisionOf: (sync: string, platform: string) => string | undefined;
}

/** A series as the ledger numbers it. */
export type Numbered = Placed & { readonly id: number };

/** How one objective stands for one object. Times are milliseconds since 1970. */
export interface Standing {
  readonly placed: Numbered;
  readonly state: State;
  /** Share between 0 and 1, or seconds. */
  readonly value?: number;
  readonly budgetLeft?: number;
  readonly good: number;
  readonly bad: number;
  /** Since when it stands so. */
  readonly since: number;
  /** What the Sync was at when it turned bad. */
  readonly revision?: string;
}

const BAD: ReadonlySet<string> = new Set(['burning', 'missed'] satisfies State[]);

/** Holds what was counted against what was promised, and remembers since when it stands so. */
export class Judge {
  readonly #parts: JudgeParts;

  constructor(parts: JudgeParts) {
    this.#parts = parts;
  }

  /** Looks, and writes down what has turned; nothing when all is as before. */
  judge(placed: readonly Numbered[]): readonly Standing[] {
    const { ledger } = this.#parts;
    const known = ledger.tallies.verdicts();
    const standings = this.look(placed);
    const turned = standings.flatMap(({ placed: { id }, state, since, revision }): Verdict[] => {
      if (known.get(id)?.state === state) return [];
      return [{ tally: id, state, since, ...(revision === undefined ? {} : { revision }) }];
    });
    ledger.tallies.judge(turned);
    return standings;
  }

  /** How everything stands now; writes nothing. */
  look(placed: readonly Numbered[]): readonly Standing[] {
    const { ledger, now } = this.#parts;
    const at = now();
    const tallies = new Map(ledger.tallies.all().map((tally) => [tally.id, tally]));
    const verdicts = ledger.tallies.verdicts();
    const spans = new Map<number, ReadonlyMap<number, Counts>>();
    const counts = (id: number, seconds: number): Counts => {
      const known = spans.get(seconds) ?? ledger.tallies.since(at - seconds * 1000);
      spans.set(seconds, known);
      return known.get(id) ?? NOTHING;
    };
    return placed.map((one) => {
      const { id, measures, of } = one;
      const tally = tallies.get(id);
      const period = periodOf(of.spec.window);
      const evidence = {
        objective: measures,
        minimum: of.spec.minimumTraffic,
        window: counts(id, period),
        burns: burnsOf(period).map((burn) => ({
          burn,
          short: counts(id, burn.short),
          long: counts(id, burn.long),
        })),
        age: Math.max(0, at - (tally?.lastGood ?? tally?.since ?? at)) / 1000,
      };
      const [state, value, left] = [stateOf(evidence), valueOf(evidence), budgetLeft(evidence)];
      return {
        placed: one,
        state,
        ...(value === undefined ? {} : { value }),
        ...(left === undefined ? {} : { budgetLeft: left }),
        good: evidence.window.good,
        bad: evidence.window.bad,
        ...this.#turn(one, state, verdicts.get(id), at),
      };
    });
  }

  /** Since when it stands so. What goes from burning to missed went bad when it began to burn. */
  #turn(placed: Numbered, state: State, known: Verdict | undefined, at: number): Pick<Standing, 'since' | 'revision'> {
    const { of, platform } = placed;
    const same = known !== undefined && (known.state === state || (BAD.has(known.state) && BAD.has(state)));
    if (same) return { since: known.since, ...(known.revision === undefined ? {} : { revision: known.revision }) };
    const revision = BAD.has(state) ? this.#parts.revisionOf(syncOf(of), platform) : undefined;
    return { since: at, ...(revision === undefined ? {} : { revision }) };
  }
}
