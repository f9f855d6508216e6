import { ReconcilerError } from '../../errors.ts';
import type { JsonObject } from '../../manifest/manifest.ts';
import type { Execution, ExecutionPage } from '../driver.ts';
import type { DirectusClient } from './client.ts';
import { isObject, objectOf, objectsOf, textOf, wordOf } from './json.ts';

/** Runs in one page: each brings along everything that its steps said. */
const PAGE = 100;
/** Milliseconds in which entries may still appear before others: transactions do not end in the order of their ids. */
const SETTLING = 30_000;
const FIELDS = 'id,item,timestamp,revisions.data';
const RUNS = { action: { _eq: 'run' }, collection: { _eq: 'directus_flows' } };
/** Header by which a run carries our id; Directus keeps the headers of what set it off. */
export const CORRELATION = 'x-plumbline-run';

/** Where reading goes on: after this entry, without those that were read already although others may come before them. */
interface Cursor {
  readonly after: number;
  readonly seen: readonly number[];
}

/** Runs of flows from Directus' activity. It has no durations: a run is noted when it has ended. */
export class Executions {
  readonly #client: DirectusClient;

  constructor(client: DirectusClient) {
    this.#client = client;
  }

  async since(cursor: string | undefined, signal: AbortSignal): Promise<ExecutionPage> {
    const { after, seen } = cursorIn(cursor);
    const filter = JSON.stringify({ ...RUNS, id: { _gt: after } });
    const query = { fields: FIELDS, filter, sort: 'id', limit: wordOf(PAGE + seen.length) };
    const rows = objectsOf(await this.#client.data({ method: 'GET', route: '/activity', query, signal }));
    const known = new Set(seen);
    const fresh = rows.filter((row) => !known.has(idOf(row)));
    const next = following({ after, seen: [...seen, ...fresh.map(idOf)] }, rows);
    return {
      executions: await this.#read(fresh, signal),
      cursor: JSON.stringify(next),
      more: rows.length >= PAGE + seen.length,
    };
  }

  async one(id: string, signal: AbortSignal): Promise<Execution | undefined> {
    if (!/^\d+$/.test(id)) return undefined;
    const filter = JSON.stringify({ ...RUNS, id: { _eq: Number(id) } });
    const query = { fields: FIELDS, filter, limit: '1' };
    const rows = objectsOf(await this.#client.data({ method: 'GET', route: '/activity', query, signal }));
    return (await this.#read(rows, signal))[0];
  }

  async #read(rows: readonly JsonObject[], signal: AbortSignal): Promise<readonly Execution[]> {
    const ended = rows.filter((row) => lastStep(row)?.['status'] === 'reject');
    const conditions = ended.length === 0 ? new Set<string>() : await this.#conditions(signal);
    return rows.map((row) => executionOf(row, conditions));
  }

  /** Operations that say no by rejecting: a flow that ends with one has not failed. */
  async #conditions(signal: AbortSignal): Promise<ReadonlySet<string>> {
    const filter = JSON.stringify({ type: { _eq: 'condition' } });
    const { rows } = await this.#client.list('/operations', { fields: 'id', filter }, signal);
    return new Set(rows.flatMap(({ id }) => textOf(id) ?? []));
  }
}

function executionOf(row: JsonObject, conditions: ReadonlySet<string>): Execution {
  const at = Date.parse(textOf(row['timestamp']) ?? '');
  const last = lastStep(row);
  const failed = last?.['status'] === 'reject' && !conditions.has(textOf(last['operation']) ?? '');
  const data = objectOf(revisionOf(row)['data']);
  const said = objectOf(data[textOf(last?.['key']) ?? ''])['message'];
  const correlation = textOf(objectOf(objectOf(data['$trigger'])['headers'])[CORRELATION]);
  return {
    id: String(idOf(row)),
    workflow: textOf(row['item']) ?? '',
    status: failed ? 'error' : 'success',
    startedAt: at,
    endedAt: at,
    ...(failed ? { error: errorText(textOf(last?.['key']), textOf(said)) } : {}),
    ...(correlation === undefined ? {} : { correlation }),
  };
}

function errorText(operation: string | undefined, said: string | undefined): string {
  const where = `Operation "${operation ?? '?'}" failed`;
  return said === undefined ? `${where}.` : `${where}: ${said.slice(0, 500)}`;
}

function lastStep(row: JsonObject): JsonObject | undefined {
  return objectsOf(revisionOf(row)['steps']).at(-1);
}

/** What the run left; nothing where the flow keeps only its activity. */
function revisionOf(row: JsonObject): JsonObject {
  const data = objectsOf(row['revisions'])[0]?.['data'];
  return isObject(data) ? data : {};
}

function idOf(row: JsonObject): number {
  const { id } = row;
  return typeof id === 'number' ? id : Number(id ?? 0);
}

/** Moves on as far as nothing can come in before any more. */
function following({ after, seen }: Cursor, rows: readonly JsonObject[]): Cursor {
  const newest = Math.max(0, ...rows.map((row) => Date.parse(textOf(row['timestamp']) ?? '') || 0));
  const settled = rows.filter((row) => (Date.parse(textOf(row['timestamp']) ?? '') || 0) < newest - SETTLING);
  const floor = Math.max(after, ...settled.map(idOf));
  // A full page moves on whatever its age is, or the list of what was seen would grow without end.
  const bound = rows.length > 2 * PAGE ? Math.max(floor, ...rows.slice(0, PAGE).map(idOf)) : floor;
  return { after: bound, seen: seen.filter((id) => id > bound) };
}

function cursorIn(text: string | undefined): Cursor {
  if (text === undefined || text === '') return { after: 0, seen: [] };
  try {
    const { after, seen } = JSON.parse(text) as Partial<Cursor>;
    if (typeof after === 'number' && Array.isArray(seen)) return { after, seen };
  } catch {
    // Falls through: a cursor of another kind is as good as none that can be read.
  }
  throw new ReconcilerError('The cursor of executions is not one of the directus driver.', 'never', {
    code: 'bad-cursor',
    remedy: 'Read the executions from the beginning.',
  });
}
