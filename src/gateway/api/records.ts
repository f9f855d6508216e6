import { z } from 'zod';
import type { Audit, AuditRecord } from '../../ledger/audit.ts';
import { route } from './route.ts';
import type { Route } from './route.ts';
import { AuditList } from './shapes.ts';
import type { AuditTrail } from './trail.ts';

export interface RecordParts {
  readonly audit: Audit;
  readonly trail: AuditTrail;
}

const Query = z.strictObject({
  token: z.string().max(40).optional().describe('Only calls with the token of this id.'),
  platform: z.string().max(63).optional(),
  refused: z.enum(['true', 'false']).optional().describe('Only calls that were turned away, or only the others.'),
  before: z.coerce.number().int().min(1).optional().describe('Only records older than the one with this id.'),
  limit: z.coerce.number().int().min(1).max(1000).default(100).describe('How many, newest first.'),
});

/** Who called the API, and what came of it. */
export function auditRoute({ audit, trail }: RecordParts): Route {
  return route({
    method: 'GET',
    path: '/audit',
    id: 'listAudit',
    summary: 'Calls of this API, newest first',
    needs: () => ({ right: 'admin' }),
    query: Query,
    answers: { 200: AuditList },
    handle: async ({ query: { refused, limit, ...query } }) => {
      trail.flush();
      const given = Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined));
      const which = refused === undefined ? {} : { refused: refused === 'true' };
      return { status: 200, body: { records: audit.list({ ...given, ...which, limit }).map(recordJson) } };
    },
  });
}

function recordJson({ correlation, at, ...record }: AuditRecord & { readonly id: number }) {
  return {
    ...record,
    at: new Date(at).toISOString(),
    ...(correlation === undefined ? {} : { correlationId: correlation }),
  };
}
