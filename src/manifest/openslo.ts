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
  const annotation = (name: string): JsonValue | undefined => valueAt(document, ['metadata', 'annotations', name]);
  const [kind, names, labels] = [annotation(SELECTS), annotation(NAMES), annotation(LABELS)];
  return {
    flaws,
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
  const target = targetText(name, objective);
  if (target !== undefined) return { name, target };
  return {
    path: ['spec', 'objectives', index],
    message: 'the objective has not what its indicator needs.',
    remedy: 'Give target or targetPercent for a share, and op with value (seconds) for a time.',
  };
}

function labelsIn(text: string): Record<string, string> {
  return Object.fromEntries(text.split(',').map((label) => [label.split('=')[0] ?? '', label.split('=')[1] ?? '']));
}

function targetText(name: ObjectiveName, objective: JsonValue | undefined): string | undefined {
  const { side, unit } = OBJECTIVES[name];
  const value = valueAt(objective, ['value']);
  if (unit === 's')
    return typeof value === 'number' ? `${valueAt(objective, ['op']) === 'lte' ? '<=' : '<'} ${value}s` : undefined;
  const share = valueAt(objective, ['target']);
  const given = valueAt(objective, ['targetPercent']);
  const percent =
    typeof given === 'number' ? given : typeof share === 'number' ? Number((share * 100).toPrecision(12)) : undefined;
  if (percent === undefined) return undefined;
  // OpenSLO's targets say how much is good; a rate of errors says how much is bad. A target that is just reached is met there.
  return side === '>' ? `>= ${percent}%` : `<= ${Number((100 - percent).toPrecision(12))}%`;
}

/** What `toOpenSlo` writes down of a ServiceLevel. */
export interface Promised {
  readonly title: string;
  readonly selector: Selector;
  readonly window: string;
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
  const { selector, window, title, objectives } = promised;
  const { kind, names, matchLabels } = selector;
  const annotations: Record<string, JsonValue> = { [SELECTS]: kind };
  if (names !== undefined) annotations[NAMES] = names.join(',');
  if (matchLabels !== undefined)
    annotations[LABELS] = Object.entries(matchLabels)
      .map((label) => label.join('='))
      .join(',');
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
        spec: { thresholdMetric: { metricSource: { type: SOURCE, spec: { objective } } } },
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
