import { z } from 'zod';
import { nothing, refused, route } from './route.ts';
import type { Answer, Given, Need, Route } from './route.ts';
import { ReconcilerError } from '../../errors.ts';
import { PathName } from './shapes.ts';

/** One thing that people can ask of Plumbline, as the API offers it. */
export interface OfferedOperation {
  /** What it takes. */
  readonly arguments: z.ZodType;
  /** It changes nothing, neither here nor on a platform. */
  readonly readOnly: boolean;
  readonly summary: string;
}

export interface OperationParts {
  /** By name; `status` and `reconcile` are among them. */
  readonly offered: Readonly<Record<string, OfferedOperation>>;
  /** Carries one out. @throws ReconcilerError */
  readonly run: (name: string, args: unknown) => Promise<unknown>;
}

const Result = z.strictObject({ result: z.unknown() });
const StatusJson = z
  .looseObject({
    version: z.string(),
    configuration: z.looseObject({ valid: z.boolean() }),
    syncs: z.array(z.looseObject({})),
  })
  .meta({ id: 'Status' });
const StatusQuery = z.strictObject({
  sync: z.string().min(1).max(253).optional().describe('Only this Sync.'),
  platform: z.string().min(1).max(253).optional().describe('Only this Platform.'),
});
const LevelsQuery = z.strictObject({
  platform: z.string().min(1).max(253).optional().describe('Only those of this Platform.'),
  name: z.string().min(1).max(253).optional().describe('Only this service level.'),
});
const LevelJson = z
  .strictObject({
    sync: z.string(),
    platform: z.string(),
    serviceLevel: z.string(),
    title: z.string(),
    objective: z.string(),
    object: z.string().describe('What it is measured on; _other for those that are counted together.'),
    target: z.string().describe('As it is written, such as > 99%.'),
    window: z.string(),
    state: z.enum(['met', 'burning', 'missed', 'few', 'no-data']),
    now: z.number().optional().describe('What stands against the target: a share between 0 and 1, or seconds.'),
    unit: z.enum(['share', 'seconds']),
    budgetLeft: z.number().optional().describe('1 untouched, 0 spent, below 0 overspent.'),
    good: z.int(),
    bad: z.int(),
    since: z.string().describe('Since when it stands so; RFC 3339.'),
    revision: z.string().optional().describe('The commit that was live when it turned bad.'),
  })
  .meta({ id: 'ServiceLevelStatus' });
const LevelsJson = z.strictObject({ serviceLevels: z.array(LevelJson) }).meta({ id: 'ServiceLevels' });
const Queued = z
  .strictObject({ queued: z.array(z.strictObject({ sync: z.string(), platform: z.string() })) })
  .meta({ id: 'Queued' });

/** What the command line uses too. */
export function operationRoutes({ offered, run }: OperationParts): readonly Route[] {
  const operations = Object.entries(offered).map(([name, { arguments: body, readOnly, summary }]) =>
    route({
      method: 'POST',
      path: `/operations/${name}`,
      id: `${name}Operation`,
      summary,
      needs: () => ({ right: readOnly ? 'read' : 'admin' }),
      body,
      answers: { 200: Result },
      handle: async (call) => ({ status: 200, body: { result: (await run(name, call.body)) ?? null } }),
    }),
  );
  return [statusRoute(run), serviceLevelsRoute(run), reconcileRoute(run), ...operations];
}

function statusRoute(run: OperationParts['run']): Route {
  return route({
    method: 'GET',
    path: '/status',
    id: 'getStatus',
    summary: 'How every Sync stands',
    description: 'A token that is limited to a platform names it.',
    needs: (_params: Given, { platform }: Given): Need =>
      platform === undefined ? { right: 'read' } : { right: 'read', platform },
    query: StatusQuery,
    answers: { 200: StatusJson },
    handle: async ({ query, caller: { scopes } }): Promise<Answer> => {
      const whole = scopes.includes('read') || scopes.includes('admin');
      try {
        const status = await run('status', query);
        return { status: 200, body: whole ? status : withoutConfiguration(status) };
      } catch (error) {
        // What is not there is told with the names of what is.
        if (!whole && error instanceof ReconcilerError && error.code === 'not-found') return nothing();
        throw error;
      }
    },
  });
}

function serviceLevelsRoute(run: OperationParts['run']): Route {
  return route({
    method: 'GET',
    path: '/service-levels',
    id: 'getServiceLevels',
    summary: 'How every objective of the service levels in force stands',
    description: 'A token that is limited to a platform names it.',
    needs: (_params: Given, { platform }: Given): Need =>
      platform === undefined ? { right: 'read' } : { right: 'read', platform },
    query: LevelsQuery,
    answers: { 200: LevelsJson },
    handle: async ({ query }) => ({ status: 200, body: { serviceLevels: await run('serviceLevels', query) } }),
  });
}

/** Problems of the configuration name other platforms. */
function withoutConfiguration(status: unknown): unknown {
  const { configuration, ...rest } = status as { readonly configuration: object };
  return { ...rest, configuration: { ...configuration, problems: [] } };
}

function reconcileRoute(run: OperationParts['run']): Route {
  return route({
    method: 'POST',
    path: '/syncs/:sync/reconcile',
    id: 'reconcileSync',
    summary: 'Look at a Sync now',
    needs: () => ({ right: 'admin' }),
    params: z.strictObject({ sync: PathName }),
    answers: { 202: Queued },
    handle: async ({ params: { sync } }) => {
      const queued = await run('reconcile', { sync });
      if (!Array.isArray(queued)) return refused(500, { code: 'internal', message: 'Nothing was queued.' });
      return { status: 202, body: { queued } };
    },
  });
}
