import { z } from 'zod';
import { clusterRules, Name, Pointer, refusal, Text } from './fields.ts';
import { ApiVersion, Metadata } from './metadata.ts';
import { isObjective, OBJECTIVE_NAMES, OBJECTIVES, readTarget, SELECTED_KINDS } from './objective.ts';
import type { ObjectiveName, SelectedKind } from './objective.ts';

/** Days over which a budget may be kept: below a week, the windows of the alerts are shorter than a scrape. */
const SHORTEST = 7;
const LONGEST = 90;

const Window = z.string().refine(
  (text) => {
    const days = Number(/^([1-9][0-9]{0,2})d$/.exec(text)?.[1] ?? 0);
    return days >= SHORTEST && days <= LONGEST;
  },
  { error: refusal('is not a window', `Write ${SHORTEST}d to ${LONGEST}d, such as 28d or 30d.`) },
);

function target(name: ObjectiveName) {
  return z
    .string()
    .transform((text, context): string => {
      const read = readTarget(name, text);
      if ('text' in read) return read.text;
      context.addIssue(refusal(read.message, read.remedy));
      return z.NEVER;
    })
    .describe(`${OBJECTIVES[name].about[0]?.toUpperCase()}${OBJECTIVES[name].about.slice(1)}.`)
    .optional();
}

const RunbookUrl = z.string().refine((text) => /^https?:$/.test(URL.parse(text)?.protocol ?? ''), {
  error: refusal('is not an http or https URL', 'Write it such as https://runbooks.example.com/orders.'),
});

const Selector = z
  .strictObject({
    kind: z.enum(SELECTED_KINDS).default('Workflow').describe('Kind of the objects.'),
    names: z.array(Name).min(1).max(1000).describe('Their names.').optional(),
    matchLabels: z.record(z.string(), z.string()).describe('Labels that all of them have.').optional(),
  })
  .check(({ value, issues }) => {
    if (value.names === undefined || value.matchLabels === undefined) return;
    const message = refusal('only one of names | matchLabels can be given', 'Give one of them, or neither for all.');
    issues.push({ code: 'custom', input: value, path: ['matchLabels'], message });
  })
  .meta(
    clusterRules({
      rule: '!(has(self.names) && has(self.matchLabels))',
      message: 'Give names or matchLabels, or neither for all.',
    }),
  )
  .prefault({})
  .describe(
    'What is measured, each object by itself; all objects of the kind when neither names nor labels are given.',
  );

const Alerts = z
  .strictObject({
    page: z.boolean().default(true).describe('Whether a budget that is being spent fast wakes somebody.'),
    ticket: z.boolean().default(true).describe('Whether a budget that is being spent slowly opens a ticket.'),
    contacts: z.array(Text).max(20).prefault([]).describe('Who is told; a label of the alerts.'),
    runbook: RunbookUrl.describe('What to do; an annotation of the alerts.').optional(),
  })
  .prefault({})
  .describe('What becomes of a budget that is being spent.');

/** Objectives that selected objects are held to. Plumbline measures them itself; no platform is sent anything. */
export const ServiceLevel = z.strictObject({
  apiVersion: ApiVersion,
  kind: z.literal('ServiceLevel').describe('Kind of the object.'),
  metadata: Metadata.describe('Identity, labels and annotations.'),
  spec: z
    .strictObject({
      title: Text.describe('What people see; the name when absent.').optional(),
      selector: Selector,
      window: Window.default('30d').describe('Days over which the budget is kept, rolling.'),
      objectives: z
        .strictObject(
          Object.fromEntries(OBJECTIVE_NAMES.map((name) => [name, target(name)])) as Record<
            ObjectiveName,
            ReturnType<typeof target>
          >,
        )
        .check(({ value, issues }) => {
          // A misspelt one is told by its name.
          if (issues.length > 0 || Object.values(value).some((text) => text !== undefined)) return;
          const message = refusal('is empty', `Give at least one of ${OBJECTIVE_NAMES.join(', ')}.`);
          issues.push({ code: 'custom', input: value, path: [], message });
        })
        .meta({ minProperties: 1 })
        .describe('What is promised, such as {successRate: "> 99%"}.'),
      alerts: Alerts,
      minimumTraffic: z
        .int()
        .min(1)
        .max(1_000_000)
        .default(10)
        .describe('Events in the longer window of an alert below which it keeps silent.'),
      ignoreFields: z.array(Pointer).prefault([]).describe('JSON pointers into spec whose differences are left alone.'),
    })
    .check(({ value, issues }) => {
      const { kind } = value.selector;
      for (const name of Object.keys(value.objectives)) {
        if (!isObjective(name) || value.objectives[name] === undefined) continue;
        const kinds: readonly SelectedKind[] = OBJECTIVES[name].kinds;
        if (kinds.includes(kind)) continue;
        const known = OBJECTIVE_NAMES.filter((one) => (OBJECTIVES[one].kinds as readonly string[]).includes(kind));
        const message = refusal(
          `is not measured of a ${kind}, but of ${kinds.join(' and ')}`,
          `Of a ${kind} there are ${known.join(', ')}.`,
        );
        issues.push({ code: 'custom', input: value, path: ['objectives', name], message });
      }
    })
    .describe('Desired state of the service level.'),
});
export type ServiceLevel = z.infer<typeof ServiceLevel>;

/** What `Manifest.spec()` holds for a ServiceLevel: its spec, and the objects of the source that are selected. */
export interface ServiceLevelSpec {
  readonly title: string;
  readonly selector: {
    readonly kind: SelectedKind;
    readonly names?: readonly string[];
    readonly matchLabels?: Readonly<Record<string, string>>;
  };
  /** Such as `30d`. */
  readonly window: string;
  /** Targets, each in its one way of being written (`> 99%`). */
  readonly objectives: Readonly<Partial<Record<ObjectiveName, string>>>;
  readonly alerts: {
    readonly page: boolean;
    readonly ticket: boolean;
    readonly contacts: readonly string[];
    readonly runbook?: string;
  };
  readonly minimumTraffic: number;
  /** Names of what the selector selects, sorted; empty for a Platform, which is the one that it is applied to. */
  readonly objects: readonly string[];
}
