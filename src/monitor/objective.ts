import { OBJECTIVE_NAMES, readTarget } from '../manifest/objective.ts';
import type { ObjectiveName, Target } from '../manifest/objective.ts';

/**
 * One objective as it is measured. `events`: a share of events may be bad, which is its budget. `average`: a mean is held
 * against the target as it is. `age`: the last success must not lie further back than the target.
 */
export interface Objective {
  readonly name: ObjectiveName;
  /** As it is written: `> 99%`. */
  readonly text: string;
  readonly target: Target;
  readonly measure: 'events' | 'average' | 'age';
  /** Share of events that may be bad, between 0 and 1; nothing for averages and ages. */
  readonly budget?: number;
  /** Seconds that an event has to stay within to be good; 0 where it is good or bad by itself. */
  readonly bound: number;
}

/** Share of events that may miss a bound, for objectives that name a percentile. */
const BEYOND: Readonly<Partial<Record<ObjectiveName, number>>> = {
  durationP95: 0.05,
  latencyP99: 0.01,
  syncLatency: 0.01,
};

/** The objectives of a service level, in the order in which they are documented. */
export function objectivesOf(spec: {
  readonly objectives: Readonly<Partial<Record<ObjectiveName, string | undefined>>>;
}): readonly Objective[] {
  return OBJECTIVE_NAMES.flatMap((name): Objective[] => {
    const text = spec.objectives[name];
    const read = text === undefined ? undefined : readTarget(name, text);
    return read === undefined || !('target' in read) ? [] : [objectiveOf(name, read)];
  });
}

function objectiveOf(name: ObjectiveName, { target, text }: { target: Target; text: string }): Objective {
  const told = { name, text, target };
  const { value } = target;
  if (name === 'averageDuration') return { ...told, measure: 'average', bound: value };
  if (name === 'freshness') return { ...told, measure: 'age', bound: value };
  const beyond = BEYOND[name];
  if (beyond !== undefined) return { ...told, measure: 'events', budget: beyond, bound: value };
  // 1 - 0.99 is 0.010000000000000009 to a computer.
  const budget = target.operator.startsWith('>') ? round(1 - value) : value;
  return { ...told, measure: 'events', budget, bound: 0 };
}

/** Whether a time is within what an objective allows. */
export function within({ target }: Pick<Objective, 'target'>, seconds: number): boolean {
  return target.operator.endsWith('=') ? seconds <= target.value : seconds < target.value;
}

/** Whether a share of bad events breaks the promise: a target of `> 99%` is broken by exactly 1 %, one of `>= 99%` is not. */
export function broken(
  { target, budget = 0 }: Pick<Objective, 'target' | 'budget'>,
  bad: number,
  total: number,
): boolean {
  // Rounded before it is subtracted: 0.07 times 100 is 7.000000000000001, and 7 of 100 must be exactly 7 %.
  const excess = bad - round(budget * total);
  return target.operator.endsWith('=') ? excess > 0 : excess >= 0;
}

/** Twelve significant digits: what is beyond them is made by the computer. */
export function round(value: number): number {
  return Number(value.toPrecision(12));
}

/** A number as PromQL reads it, without what binary fractions add to it: 0.001, never 0.0009999999999999432 or 1e-7. */
export function decimal(value: number): string {
  const [mantissa = '0', exponent] = String(round(value)).split('e');
  if (exponent === undefined) return mantissa;
  return round(value)
    .toFixed(Math.min(100, Math.max(0, 12 - Number(exponent))))
    .replace(/\.?0+$/, '');
}
