import { z } from 'zod';
import type { Execution, ExecutionPage } from '../driver.ts';
import type { N8nApi } from './api.ts';

const Row = z.object({
  id: z.coerce.string(),
  workflowId: z.string(),
  status: z.string(),
  mode: z.string().nullish(),
  startedAt: z.string().nullish(),
  createdAt: z.string().nullish(),
  stoppedAt: z.string().nullish(),
});
type Row = z.infer<typeof Row>;
const Rows = z.object({ data: z.array(Row), nextCursor: z.string().nullish() });
const Cursor = z.object({ last: z.number(), open: z.array(z.number()) });
type Cursor = z.infer<typeof Cursor>;

const PAGE = '250';
/** A first look does not go back further than this: n8n keeps ten thousand by default, and nobody waits for those. */
const FIRST_PAGES = 4;

/**
 * Runs that ended after the cursor, and those that run, oldest first. n8n lists the newest first, by ascending id, and leaves out
 * what runs: so what ended is read, then what runs, then what ended once more: a run that was in neither of the first two ended
 * between them. What runs is asked for by its id until it has ended. Ids page by themselves: deletions shift nothing.
 */
export async function executionsSince(
  cursor: string | undefined,
  api: N8nApi,
  signal: AbortSignal,
): Promise<ExecutionPage> {
  const from = readCursor(cursor);
  const pages = from === undefined ? FIRST_PAGES : Number.POSITIVE_INFINITY;
  const last = from?.last ?? 0;
  const ended = await newerThan(last, pages, { api, signal });
  const running = await page({ status: 'running' }, { api, signal });
  if (ended.length > 0) ended.push(...(await newerThan(last, pages, { api, signal })));
  const rows = new Map<number, Row>();
  for (const row of [...running.data, ...ended]) rows.set(Number(row.id), row);
  const top = Math.max(last, ...ended.map(({ id }) => Number(id)));
  const missing = (from?.open ?? []).filter((id) => !rows.has(id));
  let lost = 0;
  for (const id of missing) {
    const row = await oneRow(String(id), { api, signal });
    if (row === undefined) lost += 1;
    else rows.set(id, row);
  }
  const seen = [...rows].toSorted(([a], [b]) => a - b);
  const isOpen = ([, row]: readonly [number, Row]): boolean => statusOf(row) === 'running';
  const fresh = seen.filter((one) => !isOpen(one) || from?.open.includes(one[0]) !== true);
  // A run with a higher id than any that ended is found again by its id: it need not be kept, but it may be.
  const open = seen.filter(isOpen).map(([id]) => id);
  const next: Cursor = { last: top, open };
  return {
    executions: fresh.filter(([id, row]) => id > last || !isOpen([id, row])).map(([, row]) => asExecution(row)),
    cursor: JSON.stringify(next),
    ...(lost === 0 ? {} : { lost }),
  };
}

/** One run; with what it was called with, where a webhook began it. */
export async function executionOf(id: string, api: N8nApi, signal: AbortSignal): Promise<Execution | undefined> {
  const route = '/api/v1/executions/:id';
  const query = { includeData: 'true' };
  const answer = await api.send({ method: 'GET', route, params: { id }, query, accept: [404] }, signal);
  const row = answer.status === 404 ? undefined : Row.safeParse(answer.json);
  if (row?.success !== true) return undefined;
  // The data is n8n's own; two things are looked for in it, wherever they stand.
  const correlation = /"x-plumbline-correlation":"([\w-]{1,64})"/.exec(answer.text)?.[1];
  const message = statusOf(row.data) === 'error' ? messageIn(answer.json) : undefined;
  return {
    ...asExecution(row.data),
    ...(message === undefined ? {} : { error: message }),
    ...(correlation === undefined ? {} : { correlation }),
  };
}

interface Aids {
  readonly api: N8nApi;
  readonly signal: AbortSignal;
}

async function newerThan(last: number, pages: number, aids: Aids): Promise<Row[]> {
  const rows: Row[] = [];
  let cursor: string | undefined;
  for (let count = 0; count < pages; count++) {
    const { data, nextCursor } = await page(cursor === undefined ? {} : { cursor }, aids);
    const fresh = data.filter(({ id }) => Number(id) > last);
    rows.push(...fresh);
    if (fresh.length < data.length || data.length === 0 || typeof nextCursor !== 'string') break;
    cursor = nextCursor;
  }
  return rows;
}

async function page(query: Readonly<Record<string, string>>, { api, signal }: Aids): Promise<z.infer<typeof Rows>> {
  const all = { limit: PAGE, ...query };
  const { json } = await api.send({ method: 'GET', route: '/api/v1/executions', query: all }, signal);
  return Rows.parse(json);
}

async function oneRow(id: string, { api, signal }: Aids): Promise<Row | undefined> {
  const route = '/api/v1/executions/:id';
  const answer = await api.send({ method: 'GET', route, params: { id }, accept: [404] }, signal);
  return answer.status === 404 ? undefined : Row.parse(answer.json);
}

function readCursor(text: string | undefined): Cursor | undefined {
  if (text === undefined) return undefined;
  try {
    return Cursor.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function statusOf({ status }: Row): Execution['status'] {
  if (status === 'success') return 'success';
  return status === 'error' || status === 'crashed' || status === 'canceled' ? 'error' : 'running';
}

function asExecution(row: Row): Execution {
  const status = statusOf(row);
  const startedAt = Date.parse(row.startedAt ?? row.createdAt ?? '');
  const ended = row.stoppedAt ?? undefined;
  return {
    id: row.id,
    workflow: row.workflowId,
    status,
    startedAt: Number.isNaN(startedAt) ? 0 : startedAt,
    ...(status === 'running' || ended === undefined ? {} : { endedAt: Date.parse(ended) }),
    ...(status !== 'error' ? {} : { error: row.status }),
    // What stands in the editor, published or not, often with data that is pinned there: n8n's own figures leave it out, too.
    ...(row.mode === 'manual' ? { trial: true } : {}),
  };
}

function messageIn(json: unknown): string | undefined {
  const found = z
    .object({ data: z.object({ resultData: z.object({ error: z.object({ message: z.string() }) }) }) })
    .safeParse(json);
  return found.success ? found.data.data.resultData.error.message.slice(0, 500) : undefined;
}
