/** What a ServiceLevel may promise of the objects that it selects. */
export const OBJECTIVES = {
  successRate: { about: 'share of runs that succeed', kinds: ['Workflow', 'Integration'], side: '>', unit: '%' },
  errorRate: {
    about: 'share of runs that fail; of a Platform: of API requests that get a server error or no answer',
    kinds: ['Workflow', 'Integration', 'Platform'],
    side: '<',
    unit: '%',
  },
  averageDuration: { about: 'average duration of runs', kinds: ['Workflow'], side: '<', unit: 's' },
  durationP95: { about: 'duration that 95 % of runs stay within', kinds: ['Workflow'], side: '<', unit: 's' },
  latencyP99: { about: 'duration that 99 % of API requests stay within', kinds: ['Platform'], side: '<', unit: 's' },
  syncLatency: {
    about: 'time from a change in the source to its arrival that 99 % of synced records stay within',
    kinds: ['Integration'],
    side: '<',
    unit: 's',
  },
  dataQuality: { about: 'share of records that are valid', kinds: ['Integration'], side: '>', unit: '%' },
  freshness: { about: 'time since the last success', kinds: ['Workflow', 'Integration'], side: '<', unit: 's' },
} as const satisfies Record<string, ObjectiveShape>;

interface ObjectiveShape {
  readonly about: string;
  /** Kinds of objects that it can be promised of. */
  readonly kinds: readonly SelectedKind[];
  /** Which side of the number is good. */
  readonly side: '>' | '<';
  readonly unit: '%' | 's';
}

/** What a ServiceLevel can be about. */
export const SELECTED_KINDS = ['Workflow', 'Integration', 'Platform'] as const;
export type SelectedKind = (typeof SELECTED_KINDS)[number];

export type ObjectiveName = keyof typeof OBJECTIVES;
export const OBJECTIVE_NAMES = Object.keys(OBJECTIVES) as ObjectiveName[];

export function isObjective(word: string): word is ObjectiveName {
  return Object.hasOwn(OBJECTIVES, word);
}

/** A promise as a number. Shares are between 0 and 1, times are seconds. */
export interface Target {
  readonly operator: '>' | '>=' | '<' | '<=';
  readonly value: number;
}

const SECONDS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600 };
const PATTERN = /^(?:target\s+)?(>=|<=|>|<)\s*([0-9]+(?:\.[0-9]+)?)\s*(%|ms|s|m|h)$/;

/** What is wrong with a target, and what to do. */
export interface TargetFlaw {
  readonly message: string;
  readonly remedy: string;
}

/**
 * Reads a target such as `> 99%`, `< 30s` or, as the compact form writes it, `target > 99%`.
 * @returns it and its one way of being written (`> 99%`), or what is wrong with it.
 */
export function readTarget(
  name: ObjectiveName,
  text: string,
): { readonly target: Target; readonly text: string } | TargetFlaw {
  const { side, unit } = OBJECTIVES[name];
  const example = unit === '%' ? `"${side} ${side === '>' ? '99' : '0.1'}%"` : `"${side} 30s"`;
  const found = text.length > 64 ? null : PATTERN.exec(text.trim());
  if (found === null)
    return { message: 'is not a target', remedy: `Write a comparison with a unit, such as ${example}.` };
  const [, operator = '', amount = '', suffix = ''] = found;
  if (!operator.startsWith(side))
    return { message: `is on the wrong side: ${name} is good when it is ${side}`, remedy: `Write ${example}.` };
  if ((suffix === '%') !== (unit === '%'))
    return { message: `has a unit that ${name} is not measured in`, remedy: `Write ${example}.` };
  const value = suffix === '%' ? percent(amount) : seconds(amount, suffix);
  const outside = suffix === '%' ? value <= 0 || value >= 1 : value <= 0;
  if (outside) return { message: whyOutside(unit, value), remedy: `Write ${example}.` };
  return { target: { operator: operator as Target['operator'], value }, text: `${operator} ${amount}${suffix}` };
}

/** 0.7 s are 0.7000000000000001 s to a computer that multiplies; twelve digits are meant. */
function seconds(amount: string, unit: string): number {
  return Number((Number(amount) * (SECONDS[unit] ?? 1)).toPrecision(12));
}

function percent(amount: string): number {
  return Number((Number(amount) / 100).toPrecision(12));
}

function whyOutside(unit: '%' | 's', value: number): string {
  if (unit === 's') return 'is a time in which nothing can happen';
  return value >= 1
    ? 'leaves no room: a target of 100 % (or more) has no budget that could be spent'
    : 'is no promise: a share of 0 % says nothing';
}
