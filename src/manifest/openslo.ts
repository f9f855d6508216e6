import type { JsonValue } from './manifest.ts';
import { isObjective, OBJECTIVES } from './objective.ts';
import type { ObjectiveName, SelectedKind } from './objective.ts';
import { valueAt } from './pointer.ts';
import { slug } from './slug.ts';
import type { Selector } from './doc.ts';

/** Version of OpenSLO that is read and written. */
export const OPENSLO_VERSION = 'openslo/v1';

/** What is wrong with an OpenSLO document, where in it, and what to do. */
export interface OpenSloFlaw {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly remedy: string;
}

/** Where our own terms stand in documents that do not know them: annotations of the document. */
const SELECTS = 'plumbline.dev/selects';
const NAMES = 'plumbline.dev/names';
const LABELS = 'plumbline.dev/match-labels';
/** What becomes of the budget, as JSON, and the events that a span must have. */
const ALERTS = 'plumbline.dev/alerts';
const TRAFFIC = 'plumbline.dev/minimum-traffic';
/** `metricSource.type` of an indicator that Plumbline measures. */
const SOURCE = 'plumbline';

/** A ServiceLevel that an objective of an SLO amounts to. */
export interface ReadLevel {
  readonly name: string;
  readonly spec: Readonly<Record<string, JsonValue>>;
}

type SloDocument = Readonly<Record<string, JsonValue>>;

/**
 * The ServiceLevels that an SLO of OpenSLO v1 amounts to: one for each objective, by the name of the SLO where there is but one. The indicator,
 * of the SLO or of each objective, must be one that Plumbline measures (`metricSource.type: plumbline` with `spec.objective`): a query in
 * some other system's language would be accepted and ignored. With flaws: the names of what cannot be known.
 */
export function fromOpenSlo(
  document: SloDocument,
  name: string,
):
  | { readonly levels: readonly ReadLevel[] }
  | { readonly flaws: readonly OpenSloFlaw[]; readonly names: readonly string[] } {
  const given = valueAt(document, ['spec', 'objectives']);
  const objectives = Array.isArray(given) ? (given as readonly JsonValue[]) : [];
  const names = objectives.length < 2 ? [name] : objectives.map((objective, index) => partName(name, objective, index));
  const shared = sharedTerms(document);
  const flaws = [...shared.flaws];
  if (objectives.length === 0)
    flaws.push({ path: ['spec', 'objectives'], message: 'no objective is given.', remedy: 'Write at least one.' });
  const levels = objectives.flatMap((objective, index): ReadLevel[] => {
    const read = readObjective(document, objective, index);
    if ('path' in read) flaws.push(read);
    if ('path' in read || flaws.length > 0) return [];
    const kind = shared.kind ?? (OBJECTIVES[read.name].kinds[0] satisfies SelectedKind);
    const title = valueAt(objective, ['displayName']) ?? shared.title;
    return [
      {
        name: names[index] ?? name,
        spec: {
          ...(title === undefined ? {} : { title }),
          selector: { kind, ...shared.selector },
          window: shared.window,
          objectives: { [read.name]: read.target },
          ...shared.terms,
        },
      },
    ];
  });
  // An indicator of the SLO that cannot be measured is one flaw, however many objectives it has.
  const told = new Map(flaws.map((flaw) => [JSON.stringify([flaw.path, flaw.message]), flaw]));
  return flaws.length > 0 ? { flaws: [...told.values()], names } : { levels };
}

/** One of several: called by what people see, or by its place. */
function partName(name: string, objective: JsonValue | undefined, index: number): string {
  const title = valueAt(objective, ['displayName']);
  return slug(`${name}-${typeof title === 'string' && title !== '' ? title : index + 1}`);
}

/** What holds for every objective of an SLO. */
function sharedTerms(document: SloDocument) {
  const flaws: OpenSloFlaw[] = [];
  const refuse = (path: readonly PropertyKey[], message: string, remedy: string): void =>
    void flaws.push({ path, message, remedy });
  const method = valueAt(document, ['spec', 'budgetingMethod']);
  if (method !== 'Occurrences')
    refuse(
      ['spec', 'budgetingMethod'],
      `budgetingMethod ${JSON.stringify(method ?? null)} is not measured.`,
      'Write Occurrences.',
    );
  const duration = valueAt(document, ['spec', 'timeWindow', 0, 'duration']);
  if (typeof duration !== 'string' || valueAt(document, ['spec', 'timeWindow', 0, 'isRolling']) !== true)
    refuse(
      ['spec', 'timeWindow'],
      'the time window is not a rolling one with a duration.',
      'Write timeWindow: [{duration: 30d, isRolling: true}].',
    );
  const alerting = valueAt(document, ['spec', 'alertPolicies']);
  if (Array.isArray(alerting) && alerting.length > 0)
    refuse(
      ['spec', 'alertPolicies'],
      'alert policies of OpenSLO are not read.',
      'Remove them: alerts follow from the budget.',
    );
  if (valueAt(document, ['spec', 'timeWindow', 1]) !== undefined)
    refuse(['spec', 'timeWindow', 1], 'a second time window is not measured.', 'Write an SLO for each.');
  const annotation = (name: string): JsonValue | undefined => valueAt(document, ['metadata', 'annotations', name]);
  const [kind, names, labels] = [annotation(SELECTS), annotation(NAMES), annotation(LABELS)];
  const terms: Record<string, JsonValue> = {};
  for (const [field, name] of [
    ['alerts', ALERTS],
    ['minimumTraffic', TRAFFIC],
  ] as const) {
    const text = annotation(name);
    if (text === undefined) continue;
    const value = jsonIn(text);
    if (value === undefined)
      refuse(
        ['metadata', 'annotations', name],
        `${name} is not JSON.`,
        `Write what spec.${field} of a ServiceLevel holds.`,
      );
    else terms[field] = value;
  }
  return {
    flaws,
    terms,
    window: duration ?? '',
    title: valueAt(document, ['metadata', 'displayName']),
    kind: typeof kind === 'string' ? kind : undefined,
    selector: {
      ...(typeof names === 'string' ? { names: names.split(',').map((one) => one.trim()) } : {}),
      ...(typeof labels === 'string' ? { matchLabels: labelsIn(labels) } : {}),
    },
  };
}

/** What an objective is measured by and promises, or what is wrong with it. */
function readObjective(
  document: SloDocument,
  objective: JsonValue,
  index: number,
): { readonly name: ObjectiveName; readonly target: string } | OpenSloFlaw {
  const own = valueAt(objective, ['indicator']) ?? valueAt(objective, ['indicatorRef']);
  const place = own === undefined ? ['spec', 'indicator'] : ['spec', 'objectives', index, 'indicator'];
  if (own !== undefined && valueAt(document, ['spec', 'indicator']) !== undefined)
    return {
      path: place,
      message: 'the SLO and its objective both have an indicator.',
      remedy: 'Give one to the SLO, or one to each objective.',
    };
  const metric = [...place, 'spec', 'thresholdMetric', 'metricSource'];
  const name = valueAt(document, [...metric, 'spec', 'objective']);
  if (valueAt(document, [...metric, 'type']) !== SOURCE || typeof name !== 'string' || !isObjective(name))
    return {
      path: place,
      message: 'the indicator is not one that Plumbline measures.',
      remedy: `Give it inline, with thresholdMetric.metricSource {type: ${SOURCE}, spec: {objective: …}}, which is one of ${Object.keys(OBJECTIVES).join(', ')}.`,
    };
  const target = targetText(name, objective, valueAt(document, [...metric, 'spec', 'operator']));
  return typeof target === 'string' ? { name, target } : { path: ['spec', 'objectives', index], ...target };
}

const INCOMPLETE = {
  message: 'the objective has not what its indicator needs.',
  remedy: 'Give target or targetPercent for a share, and op with value (seconds) for a time.',
};

function jsonIn(text: JsonValue): JsonValue | undefined {
  try {
    return typeof text === 'string' ? (JSON.parse(text) as JsonValue) : undefined;
  } catch {
    return undefined;
  }
}

function labelsIn(text: string): Record<string, string> {
  return Object.fromEntries(text.split(',').map((label) => [label.split('=')[0] ?? '', label.split('=')[1] ?? '']));
}

/**
 * A target as a ServiceLevel has it, or what is wrong with it: what would be read and mean something else than it says is refused. `operator`
 * is ours, for a target that must not just be reached: in OpenSLO one that is just reached is met.
 */
function targetText(
  name: ObjectiveName,
  objective: JsonValue | undefined,
  operator: JsonValue | undefined,
): string | Pick<OpenSloFlaw, 'message' | 'remedy'> {
  const { side, unit } = OBJECTIVES[name];
  const [value, op] = [valueAt(objective, ['value']), valueAt(objective, ['op'])];
  const given = [valueAt(objective, ['target']), valueAt(objective, ['targetPercent'])];
  if (given[0] !== undefined && given[1] !== undefined)
    return { message: 'both target and targetPercent are given.', remedy: 'Give one of them.' };
  const percent = percentOf(given);
  if (unit === '%')
    // OpenSLO's targets say how much is good; a rate of errors says how much is bad.
    return percent === undefined
      ? INCOMPLETE
      : `${operator === side ? side : `${side}=`} ${side === '>' ? percent : rounded(100 - percent)}%`;
  if (typeof value !== 'number') return INCOMPLETE;
  if (op !== 'lt' && op !== 'lte')
    return { message: `op ${JSON.stringify(op ?? null)} is not measured of a time.`, remedy: 'Write lt or lte.' };
  const share = rounded(shareOf(name) * 100);
  if (percent !== undefined && percent !== share)
    return {
      message: `${name} is measured as ${share} % of events, not ${percent} %.`,
      remedy: `Write target: ${shareOf(name)}.`,
    };
  return `${op === 'lte' ? '<=' : '<'} ${value}s`;
}

/** Share of events that an objective of a time is about; what OpenSLO is told of those that are about none. */
function shareOf(name: ObjectiveName): number {
  return name === 'durationP95' ? 0.95 : 0.99;
}

function percentOf([share, percent]: readonly (JsonValue | undefined)[]): number | undefined {
  if (typeof percent === 'number') return percent;
  return typeof share === 'number' ? rounded(share * 100) : undefined;
}

function rounded(value: number): number {
  return Number(value.toPrecision(12));
}

/** What `toOpenSlo` writes down of a ServiceLevel. */
export interface Promised {
  readonly title: string;
  readonly selector: Selector;
  readonly window: string;
  /** As in a ServiceLevel; what it has by default is not written down. */
  readonly alerts?: JsonValue;
  readonly minimumTraffic?: number;
  readonly objectives: readonly {
    readonly name: ObjectiveName;
    readonly operator: string;
    readonly value: number;
    /** Share of events that has to be good. */
    readonly share: number;
  }[];
}

/** Documents of OpenSLO v1 that say the same as a ServiceLevel: one SLO per objective, because OpenSLO has one indicator in each. */
export function toOpenSlo(name: string, promised: Promised): readonly Readonly<Record<string, JsonValue>>[] {
  const { selector, window, title, objectives, alerts, minimumTraffic } = promised;
  const { kind, names, matchLabels } = selector;
  const annotations: Record<string, JsonValue> = { [SELECTS]: kind };
  if (names !== undefined) annotations[NAMES] = names.join(',');
  if (matchLabels !== undefined)
    annotations[LABELS] = Object.entries(matchLabels)
      .map((label) => label.join('='))
      .join(',');
  if (alerts !== undefined) annotations[ALERTS] = JSON.stringify(alerts);
  if (minimumTraffic !== undefined) annotations[TRAFFIC] = String(minimumTraffic);
  return objectives.map(({ name: objective, operator, value, share }) => ({
    apiVersion: OPENSLO_VERSION,
    kind: 'SLO',
    metadata: {
      name: objectives.length === 1 ? name : `${name.slice(0, 45)}-${objective.toLowerCase()}`,
      displayName: title,
      annotations,
    },
    spec: {
      description: OBJECTIVES[objective].about,
      service: name,
      indicator: {
        metadata: { name: objective.toLowerCase() },
        spec: { thresholdMetric: { metricSource: { type: SOURCE, spec: sourceOf(objective, operator) } } },
      },
      budgetingMethod: 'Occurrences',
      timeWindow: [{ duration: window, isRolling: true }],
      objectives: [
        OBJECTIVES[objective].unit === 's'
          ? { op: operator === '<=' ? 'lte' : 'lt', value, target: share }
          : { target: share },
      ],
    },
  }));
}

function sourceOf(objective: ObjectiveName, operator: string): Readonly<Record<string, JsonValue>> {
  const strict = OBJECTIVES[objective].unit === '%' && !operator.endsWith('=');
  return { objective, ...(strict ? { operator } : {}) };
}
