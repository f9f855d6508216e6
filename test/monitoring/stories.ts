import { stringify } from 'yaml';
import type { Level } from '../../src/monitor/levels.ts';
import { rulesOf } from '../../src/monitor/rules/rules.ts';
import { Metrics } from '../../src/report/metrics.ts';
import { monitorOf } from '../monitor/levels.ts';
import type { Bench } from './prometheus.ts';

/** A series with its values in the notation of promtool, one a minute. */
export interface Given {
  readonly series: string;
  readonly values: string;
}

/** How many alerts of a name fire at which minute; `labels` in PromQL. */
export interface Firing {
  readonly alert: string;
  readonly at: number;
  readonly count: number;
  readonly labels?: string;
}

/** An expression and its samples at a minute. */
export interface Asked {
  readonly expr: string;
  readonly at: number;
  readonly samples: readonly { readonly labels: string; readonly value: number }[];
}

/** An alert as a whole. */
export interface Told {
  readonly alert: string;
  readonly at: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface Story {
  readonly name: string;
  readonly given: readonly Given[];
  readonly firing?: readonly Firing[];
  readonly asked?: readonly Asked[];
  readonly told?: readonly Told[];
}

/** Plumbline itself is scraped for as many minutes. */
export function scraped(minutes: number): Given {
  return { series: 'plumbline_build_info{version="1"}', values: `1x${minutes}` };
}

/** What Plumbline exports of the promises of these service levels, word for word, with these values. */
export async function termsOf(levels: readonly Level[], values: (value: string) => string): Promise<readonly Given[]> {
  const metrics = new Metrics({ version: '1' });
  using monitor = monitorOf(levels, metrics);
  monitor.monitor.refresh();
  const terms = /^(plumbline_service_level(?:s|_target|_budget_ratio|_minimum_traffic|_alert_info)\{.*\}) (\S+)$/;
  return (await metrics.text()).split('\n').flatMap((line) => {
    const [, series, value] = terms.exec(line) ?? [];
    return series === undefined || value === undefined ? [] : [{ series, values: values(value) }];
  });
}

/** Has promtool tell the stories with the rules of these service levels, a value `every` so often. @throws with what promtool found wrong */
export async function tell(
  bench: Bench,
  levels: readonly Level[],
  stories: readonly Story[],
  every = '1m',
): Promise<void> {
  const groups = rulesOf(levels);
  const rules = bench.write('rules.yaml', stringify({ groups }, { lineWidth: 0 }));
  // Otherwise in any order, and what one group records of a minute is or is not there for the next.
  const order = groups.map(({ name }) => name);
  const tests = stories.map(({ name, given, firing = [], asked = [], told = [] }) => ({
    name,
    interval: every,
    input_series: given,
    promql_expr_test: [
      ...firing.map(({ alert, at, count, labels = '' }) => ({
        expr: `count(ALERTS{alertname="${alert}",alertstate="firing",${labels}}) or vector(0)`,
        eval_time: `${at}m`,
        exp_samples: [{ labels: '{}', value: count }],
      })),
      ...asked.map(({ expr, at, samples }) => ({ expr, eval_time: `${at}m`, exp_samples: samples })),
    ],
    alert_rule_test: [...new Set(told.map(({ alert, at }) => `${alert} ${at}`))].map((one) => {
      const own = told.filter(({ alert, at }) => `${alert} ${at}` === one);
      return {
        eval_time: `${own[0]?.at}m`,
        alertname: own[0]?.alert,
        exp_alerts: own.map(({ labels, annotations }) => ({ exp_labels: labels, exp_annotations: annotations })),
      };
    }),
  }));
  const file = bench.write(
    'tests.yaml',
    stringify({ rule_files: [rules], evaluation_interval: every, group_eval_order: order, tests }, { lineWidth: 0 }),
  );
  await bench.promtool('test', 'rules', file);
}
