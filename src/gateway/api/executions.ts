import { z } from 'zod';
import type { Run } from '../../ledger/run.ts';
import type { Runs } from '../../ledger/runs.ts';
import type { ConnectedPlatforms } from './platforms.ts';
import { nothing, route } from './route.ts';
import type { Answer, Call, Caller, Route } from './route.ts';
import { covers } from './scopes.ts';
import type { ExecutionStatus } from './shapes.ts';
import { ExecutionJson, ExecutionList, PathName } from './shapes.ts';

export interface ExecutionParts {
  readonly runs: Runs;
  readonly platforms: ConnectedPlatforms;
  readonly signal: AbortSignal;
}

/** Milliseconds for asking the platform. */
const LONGEST = 15_000;

const OneParams = z.strictObject({ platform: PathName, id: z.string().regex(/^[\w.:@-]{1,200}$/) });
const AllParams = z.strictObject({ platform: PathName });
const Query = z.strictObject({
  workflow: PathName.optional().describe('Only runs of the workflow of that name.'),
  limit: z.coerce.number().int().min(1).max(500).default(50).describe('How many, newest first.'),
});

/** Runs that were asked for here, and those that were seen on the platform. */
export function executionRoutes(parts: ExecutionParts): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/platforms/:platform/executions/:id',
      id: 'getExecution',
      summary: 'What became of a run',
      description:
        "By the platform's id or by the correlation id. A token may always see the runs that it asked for itself; others as its read scopes say.",
      needs: ({ platform = '' }) => ({ right: 'read', platform, partly: true }),
      params: OneParams,
      answers: { 200: ExecutionJson },
      handle: (call) => one(call, parts),
    }),
    route({
      method: 'GET',
      path: '/platforms/:platform/executions',
      id: 'listExecutions',
      summary: 'Recent runs, newest first',
      needs: ({ platform = '' }, { workflow }) => ({
        right: 'read',
        platform,
        ...(workflow === undefined ? {} : { workflow }),
      }),
      params: AllParams,
      query: Query,
      answers: { 200: ExecutionList },
      handle: async ({ params: { platform }, query: { workflow, limit } }) => {
        if (!parts.platforms.names().includes(platform)) return nothing();
        const found = parts.runs.list({ platform, limit, ...(workflow === undefined ? {} : { workflow }) });
        return { status: 200, body: { executions: found.map(executionJson) } };
      },
    }),
  ];
}

async function one({ caller, params, about }: Call<typeof OneParams>, parts: ExecutionParts): Promise<Answer> {
  const { platform, id } = params;
  if (!parts.platforms.names().includes(platform)) return nothing();
  const kept = parts.runs.find(platform, id);
  // What this token may not see is answered as what is not there, and is not asked for on the platform either.
  if (kept !== undefined && !maySee(caller, kept)) return nothing();
  const run = kept !== undefined && hasSettled(kept) ? kept : ((await asked(id, kept, parts, platform)) ?? kept);
  if (run === undefined || !maySee(caller, run)) return nothing();
  if (run.correlation !== undefined) about(run.correlation);
  return { status: 200, body: executionJson(run) };
}

/** Asks the platform, and keeps what it says. */
async function asked(
  id: string,
  kept: Run | undefined,
  { platforms, runs, signal }: ExecutionParts,
  platform: string,
): Promise<Run | undefined> {
  // Until the platform tells of it, it can only be asked by its own id.
  if (kept !== undefined && kept.execution === undefined) return undefined;
  const within = AbortSignal.any([signal, AbortSignal.timeout(LONGEST)]);
  const driver = await platforms.driver(platform, within);
  const execution = await driver.execution?.(kept?.execution ?? id, within);
  if (execution === undefined) return undefined;
  runs.saw(platform, [execution]);
  return runs.find(platform, execution.id);
}

function hasSettled({ state, endedAt }: Run): boolean {
  return state === 'not-started' || endedAt !== undefined;
}

function maySee({ id, scopes }: Caller, { token, platform, workflow }: Run): boolean {
  if (token === id) return true;
  return covers(scopes, 'read', { platform, ...(workflow === undefined ? {} : { workflow }) });
}

function executionJson(run: Run): z.input<typeof ExecutionJson> {
  const { correlation, execution, workflow, state, at, startedAt, endedAt, error } = run;
  const status: ExecutionStatus = state === 'intended' ? 'accepted' : state;
  return {
    id: execution ?? correlation ?? '',
    ...(correlation === undefined ? {} : { correlationId: correlation, askedAt: iso(at) }),
    ...(workflow === undefined ? {} : { workflow }),
    status,
    ...(startedAt === undefined ? {} : { startedAt: iso(startedAt) }),
    ...(endedAt === undefined ? {} : { endedAt: iso(endedAt) }),
    ...(error === undefined ? {} : { error }),
  };
}

function iso(time: number): string {
  return new Date(time).toISOString();
}
