import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { CHART as FOLDER } from '../docs/chart.ts';
import type { Cluster } from './cluster.ts';

export const CHART = fileURLToPath(FOLDER);

/** An object of Kubernetes, as far as the tests look at it. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: unknown;
  readonly data?: Readonly<Record<string, string>>;
}

/** Parts of a container that the tests look at. */
interface Container {
  readonly name: string;
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[];
}

interface Volume {
  readonly name: string;
  readonly configMap?: { readonly name: string };
  readonly secret?: { readonly secretName: string };
}

interface PodTemplate {
  readonly metadata: { readonly labels: Readonly<Record<string, string>> };
  readonly spec: {
    readonly serviceAccountName: string;
    readonly automountServiceAccountToken: boolean;
    readonly containers: readonly Container[];
    readonly volumes: readonly Volume[];
    readonly topologySpreadConstraints?: readonly {
      readonly labelSelector: { readonly matchLabels: Readonly<Record<string, string>> };
    }[];
  };
}

export type Values = Readonly<Record<string, unknown>>;

export interface Release {
  readonly name?: string;
  readonly namespace?: string;
  readonly chart?: string;
}

/** What the chart makes of some values. @throws Error with what helm says of them. */
export async function render(
  cluster: Cluster,
  values: Values,
  { name = 'test', namespace = 'default', chart = CHART }: Release = {},
): Promise<{ readonly text: string; readonly objects: readonly KubeObject[] }> {
  const settings = Object.entries(values).flatMap(([path, value]) => [
    '--set-json',
    `${path}=${JSON.stringify(value)}`,
  ]);
  const text = await cluster.helm(['template', name, chart, '--namespace', namespace, ...settings]);
  const documents = parseAllDocuments(text, { uniqueKeys: true });
  const wrong = documents.flatMap((document) => document.errors);
  if (wrong.length > 0) throw new Error(`${wrong.map(String).join('\n')}\n${text}`);
  const objects = documents.map((document) => document.toJS() as KubeObject | null).filter((one) => one !== null);
  return { text, objects };
}

/** The pod of the Deployment or StatefulSet among some objects. */
export function podTemplateOf(objects: readonly KubeObject[]): PodTemplate {
  const workload = objects.find(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet');
  if (workload === undefined) throw new Error('there is no workload');
  return (workload.spec as { readonly template: PodTemplate }).template;
}

/** The pod that a controller would make of a template; claims that a StatefulSet would add are there as well. */
export function podOf(objects: readonly KubeObject[], name: string): unknown {
  const { metadata, spec } = podTemplateOf(objects);
  const stateful = objects.some(({ kind }) => kind === 'StatefulSet');
  const claim = { name: 'state', persistentVolumeClaim: { claimName: `state-${name}-0` } };
  const volumes = stateful ? [...spec.volumes, claim] : spec.volumes;
  return { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, name }, spec: { ...spec, volumes } };
}

/**
 * Rows in which every two values of every two columns come together at least once, the first row being the first value of each.
 * Switches that break each other break in pairs; all combinations would be thousands.
 */
export function pairwise<T>(columns: readonly (readonly T[])[]): readonly (readonly T[])[] {
  const open = new Set<string>();
  const pair = (a: number, i: number, b: number, j: number): string => `${a}:${i}|${b}:${j}`;
  for (let a = 0; a < columns.length; a++)
    for (let b = a + 1; b < columns.length; b++)
      columns[a]?.forEach((_, i) => columns[b]?.forEach((__, j) => open.add(pair(a, i, b, j))));
  const cover = (row: readonly number[], take: boolean): number => {
    let count = 0;
    for (let a = 0; a < row.length; a++)
      for (let b = a + 1; b < row.length; b++) {
        const key = pair(a, row[a] ?? 0, b, row[b] ?? 0);
        if (open.has(key)) count++;
        if (take) open.delete(key);
      }
    return count;
  };
  const rows: number[][] = [columns.map(() => 0)];
  cover(rows[0] ?? [], true);
  for (let [next] = open; next !== undefined; [next] = open) {
    const fixed = new Map(next.split('|').map((half) => half.split(':').map(Number) as [number, number]));
    const row: number[] = columns.map((_, column) => fixed.get(column) ?? 0);
    columns.forEach((options, column) => {
      if (fixed.has(column)) return;
      const scores = options.map((_, option) => cover(row.with(column, option), false));
      row[column] = scores.indexOf(Math.max(...scores));
    });
    cover(row, true);
    rows.push(row);
  }
  return rows.map((row) => row.map((option, column) => columns[column]?.[option] as T));
}
