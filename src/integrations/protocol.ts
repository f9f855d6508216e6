import { z } from 'zod';
import { ReconcilerError } from '../errors.ts';
import type { JsonValue } from '../manifest/manifest.ts';
import type { FreshRecord } from '../ledger/sync-states.ts';

/** Records that one page may hold. */
const MOST_RECORDS = 10_000;
/** Characters of one record. */
const LARGEST = 1_048_576;

const Collected = z.object({
  records: z.array(z.json()).default([]),
  cursor: z.json().optional(),
  more: z.boolean().default(false),
});

const Delivered = z.object({
  failed: z
    .array(z.object({ id: z.int(), message: z.string().min(1), retry: z.boolean().default(true) }))
    .max(MOST_RECORDS)
    .default([]),
});

const Record = z.strictObject({
  key: z.string().max(500).default(''),
  changedAt: z.union([z.iso.datetime({ offset: true }), z.number().min(0)]).optional(),
  data: z.json(),
});

/** One page that the code has read. */
export interface Page {
  readonly records: readonly JsonValue[];
  /** Where reading goes on; undefined when the code says nothing of it. */
  readonly cursor?: JsonValue;
  readonly more: boolean;
}

/** What the code answered when it was asked for records. @throws ReconcilerError `code-malformed` */
export function pageOf(answer: JsonValue): Page {
  const read = Collected.safeParse(answer);
  if (!read.success) throw malformed(`answered ${flawOf(read.error)}`);
  const { records, cursor, more } = read.data;
  if (records.length > MOST_RECORDS)
    throw malformed(`yielded ${records.length} records at once, more than ${MOST_RECORDS}`);
  return {
    records,
    more,
    ...(cursor === undefined ? {} : { cursor }),
  };
}

/** What could not be delivered, by record id. @throws ReconcilerError `code-malformed` */
export function failuresOf(answer: JsonValue, asked: ReadonlySet<number>) {
  const read = Delivered.safeParse(answer);
  if (!read.success) throw malformed(`answered ${flawOf(read.error)}`);
  const { failed } = read.data;
  if (failed.some(({ id }) => !asked.has(id))) throw malformed('told of a record that it was not asked to deliver');
  return new Map(failed.map(({ id, ...rest }) => [id, rest]));
}

/** One record as the code yields it, or why it is none. */
export function recordOf(raw: JsonValue): { readonly record: FreshRecord } | { readonly flaw: string } {
  const read = Record.safeParse(raw);
  if (!read.success) return { flaw: `it is no record: ${flawOf(read.error)}` };
  const { key, changedAt, data } = read.data;
  if (JSON.stringify(data).length > LARGEST) return { flaw: `it has more than ${LARGEST} characters` };
  const at = typeof changedAt === 'string' ? Date.parse(changedAt) : changedAt;
  return { record: { key, data, ...(at === undefined ? {} : { changedAt: Math.trunc(at) }) } };
}

/** Where something is wrong, and what; never the value. */
function flawOf({ issues: [issue] }: z.ZodError): string {
  const where = issue === undefined || issue.path.length === 0 ? '' : `${issue.path.join('.')}: `;
  return `${where}${(issue?.message ?? 'something else').toLowerCase()}`;
}

export function malformed(what: string): ReconcilerError {
  return new ReconcilerError(`The code ${what}.`, 'backoff', {
    code: 'code-malformed',
    remedy:
      'Let execute(context) answer {records: [{key?, changedAt?, data}], cursor?, more?} when context.about is collect, and {failed?: [{id, message, retry?}]} when it is deliver.',
  });
}
