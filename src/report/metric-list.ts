import { Counter, Gauge, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';
import { Family } from './series.ts';

/** Seconds. 0.5, 30 and 60 are boundaries that people set objectives at ("< 30s"): a bucket must end exactly there. */
const REQUEST_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const LONG_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800];

/** Every metric of ours, created in `registry`. The README's table is made from what this makes. */
export function createFamilies(registry: Registry) {
  const registers = [registry];
  const counter = (name: string, labelNames: readonly string[], help: string): Family<Counter> =>
    new Family(new Counter({ name: `plumbline_${name}`, help, labelNames: [...labelNames], registers }));
  const gauge = (name: string, labelNames: readonly string[], help: string): Family<Gauge> =>
    new Family(new Gauge({ name: `plumbline_${name}`, help, labelNames: [...labelNames], registers }));
  const histogram = (
    name: string,
    labelNames: readonly string[],
    help: string,
    buckets = LONG_SECONDS,
  ): Family<Histogram> =>
    new Family(new Histogram({ name: `plumbline_${name}`, help, labelNames: [...labelNames], buckets, registers }));
  const here = ['sync', 'platform'];
  return {
    build: gauge('build_info', ['version', 'node'], 'Always 1; the labels say what is running.'),
    passes: counter(
      'passes_total',
      [...here, 'trigger', 'result'],
      'Passes that have ended, by why they ran and how they ended.',
    ),
    passSeconds: histogram(
      'pass_duration_seconds',
      here,
      'Duration of passes, from reading the source to the last outcome.',
    ),
    lastPass: gauge('last_pass_timestamp_seconds', here, 'When the last pass ended, whatever its result (Unix time).'),
    lastSuccess: gauge(
      'last_success_timestamp_seconds',
      here,
      'When the last pass ended with nothing failed or withheld (Unix time).',
    ),
    changes: counter(
      'changes_total',
      [...here, 'kind', 'verb', 'result'],
      'Changes of objects on platforms, by what came of them.',
    ),
    owned: gauge('owned_objects', here, 'Objects that the Sync owns on the platform, as of the last pass.'),
    drifted: gauge(
      'drifted_objects',
      here,
      'Owned objects that differ although git did not change, as of the last pass.',
    ),
    problems: gauge('problems', [...here, 'severity'], 'Problems in what the source says, as of the last pass.'),
    withheld: gauge(
      'withheld_changes',
      [...here, 'code'],
      'Changes that are wanted and were not made, by reason, as of the last pass.',
    ),
    revision: gauge(
      'source_revision_info',
      [...here, 'revision'],
      'Always 1; the label names the revision that the last pass worked from.',
    ),
    stale: gauge(
      'source_stale',
      here,
      '1 while an old revision is served because the source cannot be read or looks wrong.',
    ),
    suspended: gauge('sync_suspended', ['sync'], '1 while the Sync is suspended.'),
    queue: gauge('queue_passes', ['state'], 'Passes that wait for their turn, run, or are due later.'),
    queueAge: gauge('queue_oldest_seconds', [], 'How long the pass that has waited longest has been waiting.'),
    retries: counter('retries_total', here, 'Passes that were put back because one before them failed.'),
    requests: counter(
      'platform_requests_total',
      ['platform', 'method', 'route', 'code'],
      'HTTP requests sent to platforms; the code is `error` where there was no answer.',
    ),
    requestSeconds: histogram(
      'platform_request_duration_seconds',
      ['platform', 'method', 'route'],
      'Duration of HTTP requests sent to platforms.',
      REQUEST_SECONDS,
    ),
    platformUp: gauge('platform_up', ['platform'], '1 when the platform answered the last pass or look.'),
    circuitOpen: gauge(
      'platform_circuit_open',
      ['platform'],
      '1 while requests are held back because the platform failed several times in a row.',
    ),
    shardHeld: gauge(
      'shard_held',
      ['shard'],
      '1 while this replica holds the Lease of the shard and writes to its platforms; there with Leases only.',
    ),
    executions: counter(
      'workflow_executions_total',
      ['platform', 'workflow', 'result'],
      'Runs of workflows that have ended, as the platform tells; the workflow is `_unmanaged` where git does not know it.',
    ),
    executionSeconds: histogram(
      'workflow_execution_duration_seconds',
      ['platform', 'workflow', 'result'],
      'Duration of runs of workflows.',
    ),
    executionsLost: counter(
      'workflow_executions_lost_total',
      ['platform'],
      'Runs that the platform had dropped before they could be counted, as far as it tells.',
    ),
    executionsGaps: counter(
      'workflow_executions_gaps_total',
      ['platform'],
      'Times that the platform forgot, because it was started anew, what it had not told yet: how many runs those were cannot be known.',
    ),
    reads: counter(
      'source_reads_total',
      ['sync', 'result'],
      'Reads of the source (for git: fetches): fresh, stale (an old revision is served) or failed.',
    ),
    readSeconds: histogram(
      'source_read_duration_seconds',
      ['sync'],
      'Duration of reads of the source (for git: fetches).',
      REQUEST_SECONDS,
    ),
    gatewayRequests: counter(
      'gateway_requests_total',
      ['listener', 'route', 'code'],
      'HTTP requests to the public listener (hooks) and the private one (API, metrics).',
    ),
    gatewaySeconds: histogram(
      'gateway_request_duration_seconds',
      ['listener', 'route'],
      'Duration of HTTP requests to the listeners.',
      REQUEST_SECONDS,
    ),
    gatewayRefused: counter(
      'gateway_refused_total',
      ['listener', 'reason'],
      'Requests that were turned away, by reason, such as signature, stale, unknown, token, scope, rate or size.',
    ),
    eventsReceived: counter(
      'events_received_total',
      ['source', 'result'],
      'Events handed to the bus: stored, duplicate, refused or overload.',
    ),
    eventsPending: gauge(
      'events_queued',
      ['state'],
      'Deliveries on the bus that are pending, and that are dead-lettered.',
    ),
    eventsOldest: gauge(
      'events_oldest_seconds',
      [],
      'How long the oldest event that is not handled has been on the bus.',
    ),
    deliveries: counter(
      'deliveries_total',
      ['kind', 'handler', 'result'],
      'Attempts to hand an event to a webhook, plugin or integration; dead after the last one failed.',
    ),
    deliverySeconds: histogram(
      'delivery_duration_seconds',
      ['kind', 'handler'],
      'Duration of attempts to hand an event to a webhook, plugin or integration.',
      REQUEST_SECONDS,
    ),
    pluginCalls: counter('plugin_calls_total', ['plugin', 'result'], 'Calls of plugins: answered, refused or failed.'),
    pluginSeconds: histogram(
      'plugin_call_duration_seconds',
      ['plugin'],
      'Duration of calls of plugins, waiting for a free process included.',
      REQUEST_SECONDS,
    ),
    triggers: counter(
      'triggers_total',
      ['platform', 'workflow', 'result'],
      'Wishes to run a workflow: accepted, refused, not-triggerable, failed or unknown.',
    ),
    executionsSkipped: counter(
      'workflow_executions_skipped_total',
      ['platform'],
      'Runs that were there already when counting began on a platform: whether they were counted before the ledger was lost cannot be known, so they are not.',
    ),
    countedSince: gauge(
      'workflow_executions_counted_since_timestamp_seconds',
      ['platform'],
      'When counting of runs began on the platform (Unix time); what ended before, and after the ledger was lost, is a gap.',
    ),
    levelEvents: counter(
      'service_level_events_total',
      ['platform', 'service_level', 'objective', 'object', 'within', 'window', 'result'],
      'Events that a service level is measured by, good or bad for the objective; goes on after a restart.',
    ),
    levelSeconds: counter(
      'service_level_seconds_total',
      ['platform', 'service_level', 'objective', 'object', 'within', 'window'],
      'What those events took together, for objectives about time.',
    ),
    levelTarget: gauge(
      'service_level_target',
      ['platform', 'service_level', 'objective', 'within', 'window', 'target'],
      'What is promised: a share between 0 and 1, or seconds; the label says how it is written.',
    ),
    levelBudgetShare: gauge(
      'service_level_budget_ratio',
      ['platform', 'service_level', 'objective', 'within', 'window', 'target'],
      'Share of events that may be bad, for objectives that have a budget.',
    ),
    levelMinimum: gauge(
      'service_level_minimum_traffic',
      ['platform', 'service_level', 'window'],
      'Events below which alerts keep silent.',
    ),
    levelAlert: gauge(
      'service_level_alert_info',
      ['platform', 'service_level', 'window', 'severity', 'contacts', 'runbook'],
      'Always 1; the labels say who is told of a budget that is being spent, and where it says what to do.',
    ),
    levelCount: gauge(
      'service_levels',
      ['platform'],
      'Service levels in force on the platform, as told by the replica that holds it.',
    ),
    levelBudget: gauge(
      'service_level_budget_left_ratio',
      ['platform', 'service_level', 'objective', 'object'],
      'Share of the error budget that is left in the window: 1 untouched, 0 spent, below 0 overspent.',
    ),
    levelLastGood: gauge(
      'service_level_last_good_timestamp_seconds',
      ['platform', 'service_level', 'objective', 'object'],
      'When the last good event was counted, or counting began where there was none (Unix time).',
    ),
    integrationRuns: counter(
      'integration_runs_total',
      ['platform', 'integration', 'result'],
      "Runs of an Integration's code that have ended; goes on after a restart.",
    ),
    integrationSeconds: histogram(
      'integration_run_duration_seconds',
      ['platform', 'integration'],
      "Duration of runs of an Integration's code.",
    ),
    integrationRecords: counter(
      'integration_records_total',
      ['platform', 'integration', 'result'],
      'Records that an Integration yielded, by what checking them against its schema said: valid, invalid, or unchecked where it has none; goes on after a restart.',
    ),
    integrationDeliveries: counter(
      'integration_deliveries_total',
      ['platform', 'integration', 'result'],
      'Attempts to deliver a record: applied, failed (it is tried again) or dead (it is given up); goes on after a restart.',
    ),
    syncLatency: histogram(
      'integration_sync_latency_seconds',
      ['platform', 'integration'],
      'From the change of a record in its source until it was applied.',
    ),
    integrationWaiting: gauge(
      'integration_waiting_records',
      ['platform', 'integration'],
      'Records that were read and are not delivered yet.',
    ),
    integrationSuccess: gauge(
      'integration_last_success_timestamp_seconds',
      ['platform', 'integration'],
      'When the last run ended with nothing failed (Unix time).',
    ),
    configuration: gauge(
      'configuration_valid',
      [],
      '1 when the configuration as it stands on disk is in force; 0 while the last good one is.',
    ),
    folded: counter(
      'label_values_folded_total',
      ['label'],
      'Observations counted under `_other` because a label had reached its bound.',
    ),
  };
}

export type Families = ReturnType<typeof createFamilies>;
