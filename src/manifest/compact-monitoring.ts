import type { JsonValue } from './manifest.ts';
import type { ObjectiveName, SelectedKind } from './objective.ts';

interface Section {
  /** Name of the service level that it becomes. */
  readonly name: string;
  readonly selects: SelectedKind;
  /** Objectives by what the section calls them. */
  readonly objectives: Readonly<Record<string, ObjectiveName>>;
}

/** Sections of `monitoring_config`: each is one service level over everything of a kind. */
export const MONITORING_SECTIONS: Readonly<Record<string, Section>> = {
  workflow_executions: {
    name: 'workflow-executions',
    selects: 'Workflow',
    objectives: {
      success_rate: 'successRate',
      error_rate: 'errorRate',
      avg_duration: 'averageDuration',
      duration_p95: 'durationP95',
      freshness: 'freshness',
    },
  },
  api_responses: {
    name: 'api-responses',
    selects: 'Platform',
    objectives: { latency_p99: 'latencyP99', error_rate: 'errorRate' },
  },
  custom_integrations: {
    name: 'custom-integrations',
    selects: 'Integration',
    objectives: {
      sync_latency: 'syncLatency',
      data_quality: 'dataQuality',
      success_rate: 'successRate',
      error_rate: 'errorRate',
      freshness: 'freshness',
    },
  },
};

/** Fields of a section, each with where it goes in the manifest; `error_alerts: false` switches both kinds of alerts off. */
export function monitoringFields({ objectives }: Section): Readonly<Record<string, readonly string[]>> {
  const fields: Record<string, readonly string[]> = {
    error_alerts: ['/spec/alerts/page', '/spec/alerts/ticket'],
    window: ['/spec/window'],
  };
  for (const [field, objective] of Object.entries(objectives)) fields[field] = [`/spec/objectives/${objective}`];
  return fields;
}

/** The spec that the fields of a section amount to. */
export function monitoringSpec(
  section: Section,
  fields: Readonly<Record<string, JsonValue>>,
): Readonly<Record<string, JsonValue>> {
  const { error_alerts: alerts, window } = fields;
  const objectives = Object.fromEntries(
    Object.entries(section.objectives).flatMap(([field, objective]): [string, JsonValue][] => {
      const value = fields[field];
      return value === undefined ? [] : [[objective, value]];
    }),
  );
  return {
    selector: { kind: section.selects },
    objectives,
    ...(alerts === undefined ? {} : { alerts: { page: alerts, ticket: alerts } }),
    ...(window === undefined ? {} : { window }),
  };
}
