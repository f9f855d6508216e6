import type { JsonValue } from './manifest.ts';
import { isObjective, OBJECTIVES } from './objective.ts';
import type { ObjectiveName, SelectedKind } from './objective.ts';
import { valueAt } from './pointer.ts';
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

/**
 * The spec of a ServiceLevel that an SLO of OpenSLO v1 amounts to. Its indicator must be one that Plumbline measures
 * (`metricSource.type: plumbline` with `spec.objective`): a query in some other system's language would be accepted and ignored.
 */
export function fromOpenSlo(
  document: Readonly<Record<string, JsonValue>>,
): { readonly spec: Readonly<Record<string, JsonValue>> } | { readonly flaws: readonly OpenSloFlaw[] } {
  const flaws: OpenSloFlaw[] = [];
  const refuse = (path: readonly PropertyKey[], message: string, remedy: string): void =>
    void flaws.push({ path, message, remedy });
  const metric = ['spec', 'indicator', 'spec', 'thresholdMetric', 'metricSource'];
  const name = valueAt(document, [...metric, 'spec', 'objective']);
  const known = Object.keys(OBJECTIVES).join(', ');
  if (valueAt(document, [...metric, 'type']) !== SOURCE || typeof name !== 'string' || !isObjective(name))
    refuse(
      ['spec', 'indicator'],
      'the indicator is not one that Plumbline measures.',
      `Give it inline, with thresholdMetric.metricSource {type: ${SOURCE}, spec: {objective: …}}, which is one of ${known}.`,
    );
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
  const objectives = valueAt(document, ['spec', 'objectives']);
  const [objective] = Array.isArray(objectives) ? (objectives as readonly JsonValue[]) : [];
  if (!Array.isArray(objectives) || objectives.length !== 1)
    refuse(['spec', 'objectives'], 'not exactly one objective is given.', 'Write one SLO for each.');
  const alerting = valueAt(document, ['spec', 'alertPolicies']);
  if (Array.isArray(alerting) && alerting.length > 0)
    refuse(
      ['spec', 'alertPolicies'],
      'alert policies of OpenSLO are not read.',
      'Remove them: alerts follow from the budget.',
    );
  if (flaws.length > 0 || typeof name !== 'string' || !isObjective(name)) return { flaws };
  const target = targetText(name, objective);
  if (target === undefined)
    return {
      flaws: [
        {
          path: ['spec', 'objectives', 0],
          message: 'the objective has not what its indicator needs.',
          remedy: 'Give target or targetPercent for a share, and op with value (seconds) for a time.',
        },
      ],
    };
  const selects = valueAt(document, ['metadata', 'annotations', SELECTS]);
  const names = valueAt(document, ['metadata', 'annotations', NAMES]);
  const labels = valueAt(document, ['metadata', 'annotations', LABELS]);
  const title = valueAt(document, ['metadata', 'displayName']);
  return {
    spec: {
      ...(title === undefined ? {} : { title }),
      selector: {
        kind: typeof selects === 'string' ? selects : (OBJECTIVES[name].kinds[0] satisfies SelectedKind),
        ...(typeof names === 'string' ? { names: names.split(',').map((one) => one.trim()) } : {}),
        ...(typeof labels === 'string' ? { matchLabels: labelsIn(labels) } : {}),
      },
      window: duration ?? '',
      objectives: { [name]: target },
    },
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
