import { ReconcilerError } from '../../errors.ts';
import type { JsonObject } from '../../manifest/manifest.ts';
import type { RemoteObject } from '../../plan/types.ts';
import type { Look, Step } from '../driver.ts';
import type { Changes } from './changes.ts';
import type { DirectusClient } from './client.ts';
import { FlowNames, NAME_FIELDS } from './flow-names.ts';
import { workflowOf } from './flow-rows.ts';
import { isUuid } from './ids.ts';
import { objectsOf, textOf } from './json.ts';
import { flowOf } from './references.ts';

/** A flow with all its operations; without the second, the server gives only the first hundred of them. */
export const FLOW = { fields: '*,operations.*', 'deep[operations][_limit]': '-1' } as const;

/** Reads flows as Workflows. */
export class Flows {
  readonly #client: DirectusClient;

  constructor(client: DirectusClient) {
    this.#client = client;
  }

  /** All flows, or the named ones. @throws ReconcilerError when not every one of them could be read. */
  async observe(only: Look['only'], changes: Changes, signal: AbortSignal): Promise<readonly RemoteObject[]> {
    const filter = only === undefined ? {} : filterFor(only);
    if (filter === undefined) return [];
    const { rows, cap } = await this.#client.list('/flows', { ...FLOW, ...filter }, signal);
    if (cap !== undefined) for (const row of rows) expectWhole(row, cap);
    const names = await this.#names(rows, only, signal);
    return rows.map((row) => {
      const flow = workflowOf(row, names.nameOf);
      const parts = objectsOf(row['operations']).flatMap(({ id }) => textOf(id) ?? []);
      return { ...flow, ...changes.of('directus_flows', flow.remote, parts) };
    });
  }

  /** Names of all flows, as they will be once these steps are done. */
  async names(steps: readonly Step[], signal: AbortSignal): Promise<FlowNames> {
    const { rows } = await this.#client.list('/flows', { fields: NAME_FIELDS }, signal);
    return new FlowNames(rows, steps);
  }

  async byIds(ids: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, JsonObject>> {
    const rows = await this.#client.byIds('/flows', FLOW, ids.filter(isUuid), signal);
    return new Map(rows.map((row) => [textOf(row['id']) ?? '', row]));
  }

  async #names(rows: readonly JsonObject[], only: Look['only'], signal: AbortSignal): Promise<FlowNames> {
    const runsOthers = rows.some((row) => objectsOf(row['operations']).some((one) => isUuid(flowOf(one) ?? '')));
    return only === undefined || !runsOthers ? new FlowNames(rows) : await this.names([], signal);
  }
}

/** A filter for the named flows; undefined where nothing can meet it, since an empty list of values is no condition. */
function filterFor({ remotes, titles }: NonNullable<Look['only']>): { readonly filter: string } | undefined {
  const ids = remotes.filter(isUuid);
  const any = [
    ...(ids.length === 0 ? [] : [{ id: { _in: ids } }]),
    ...(titles.length === 0 ? [] : [{ name: { _in: titles } }]),
  ];
  return any.length === 0 ? undefined : { filter: JSON.stringify({ _or: any }) };
}

function expectWhole(row: JsonObject, cap: number): void {
  if (objectsOf(row['operations']).length < cap) return;
  throw new ReconcilerError(
    `Flow "${textOf(row['name']) ?? ''}" may have more operations than the ${cap} that the server gives at once.`,
    'never',
    { code: 'listing-incomplete', remedy: 'Raise QUERY_LIMIT_MAX on the server.' },
  );
}
