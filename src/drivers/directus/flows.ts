import { ReconcilerError } from '../../errors.ts';
import type { JsonObject } from '../../manifest/manifest.ts';
import type { RemoteObject } from '../../plan/types.ts';
import type { Look, Step } from '../driver.ts';
import type { Seen } from './changes.ts';
import type { DirectusClient } from './client.ts';
import { FlowNames, NAME_FIELDS, missingFlow } from './flow-names.ts';
import { type Naming, workflowOf } from './flow-rows.ts';
import type { Folders } from './folders.ts';
import { isUuid } from './ids.ts';
import { objectsOf, textOf, wordOf } from './json.ts';
import { flowOf, titleIn } from './references.ts';

/** A flow with all its operations; without the second, the server gives only the first hundred of them. */
export const FLOW = { fields: '*,operations.*', 'deep[operations][_limit]': '-1' } as const;

/** Reads flows as Workflows. */
export class Flows {
  readonly #client: DirectusClient;
  readonly #folders: Folders;

  constructor(client: DirectusClient, folders: Folders) {
    this.#client = client;
    this.#folders = folders;
  }

  /** All flows, or the named ones. @throws ReconcilerError when not every one of them could be read. */
  async observe(only: Look['only'], signal: AbortSignal): Promise<readonly Seen[]> {
    const filter = only === undefined ? {} : filterFor(only);
    if (filter === undefined) return [];
    const { rows, cap } = await this.#client.list('/flows', { ...FLOW, ...filter }, signal);
    if (cap !== undefined) for (const row of rows) expectWhole(row, cap);
    const names = await this.#names(rows, only, signal);
    const folder = await this.#folderNaming(rows, signal);
    const naming = { flow: names.toldAs, ...(folder === undefined ? {} : { folder }) };
    return rows.map((row) => {
      const object = { ...workflowOf(row, naming), ...lacksOf(row, names) };
      const operations = objectsOf(row['operations']).map(({ id }) => `directus_operations:${wordOf(id)}`);
      return { object, rows: [`directus_flows:${object.remote}`, ...operations] };
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

  /** Folders are read only if a flow lies in one. */
  async #folderNaming(rows: readonly JsonObject[], signal: AbortSignal): Promise<Naming['folder']> {
    if (!rows.some((row) => 'folder' in row)) return undefined;
    if (rows.every(({ folder }) => folder === null)) return () => undefined;
    const folders = await this.#folders.names(signal);
    return folders === undefined ? undefined : (id) => folders.applicationOf(id);
  }

  async #names(rows: readonly JsonObject[], only: Look['only'], signal: AbortSignal): Promise<FlowNames> {
    const refersToOthers = rows.some((row) => objectsOf(row['operations']).some((one) => flowOf(one) !== undefined));
    return only === undefined || !refersToOthers ? new FlowNames(rows) : await this.names([], signal);
  }
}

/** Flows that it runs by name only, because they were not there when it was written. */
function lacksOf(row: JsonObject, names: FlowNames): Pick<RemoteObject, 'lacks'> {
  const lacks = objectsOf(row['operations']).flatMap((operation) => {
    const title = titleIn(flowOf(operation) ?? '');
    if (title === undefined) return [];
    const [missing] = missingFlow(textOf(operation['key']) ?? '', title, names);
    return missing === undefined ? [] : [{ message: `${missing.because}.`, remedy: missing.remedy }];
  });
  return lacks.length === 0 ? {} : { lacks };
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
