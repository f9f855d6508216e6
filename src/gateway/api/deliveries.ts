import { z } from 'zod';
import { route } from './route.ts';
import type { Given, Need, Route } from './route.ts';
import { PathName } from './shapes.ts';

/** An event on its way to a webhook or a plugin. Times are milliseconds since 1970. */
export interface Delivery {
  readonly id: string;
  readonly platform: string;
  /** Id of the event, its source and its type. */
  readonly event: string;
  readonly source: string;
  readonly type: string;
  readonly subject?: string;
  /** Who gets it: `webhook/<id>` or `plugin/<name>`. */
  readonly handler: string;
  readonly state: 'pending' | 'dead';
  readonly attempts: number;
  readonly since: number;
  readonly nextAt?: number;
  /** Why the last attempt failed. */
  readonly because?: string;
}

/** Which deliveries are meant. */
export interface DeliveryQuery {
  readonly platform?: string;
  readonly state?: 'pending' | 'dead';
  readonly limit: number;
}

/** The bus, as far as people look into it. */
export interface Deliveries {
  list(query: DeliveryQuery): Promise<readonly Delivery[]> | readonly Delivery[];
  /** Delivers dead ones again: those of these ids, or all of the platform, or all. @returns how many. */
  replay(which: { readonly platform?: string; readonly ids?: readonly string[] }): Promise<number> | number;
}

const DeliveryJson = z
  .strictObject({
    id: z.string(),
    platform: z.string(),
    event: z.string(),
    source: z.string(),
    type: z.string(),
    subject: z.string().optional(),
    handler: z.string(),
    state: z.enum(['pending', 'dead']),
    attempts: z.int(),
    since: z.iso.datetime(),
    nextAt: z.iso.datetime().optional(),
    because: z.string().optional(),
  })
  .meta({ id: 'Delivery' });
const DeliveryList = z.strictObject({ deliveries: z.array(DeliveryJson) }).meta({ id: 'DeliveryList' });
const Replayed = z.strictObject({ replayed: z.int() }).meta({ id: 'Replayed' });
const ReplayRequest = z
  .strictObject({
    ids: z.array(z.string().min(1).max(200)).min(1).max(1000).optional().describe('All dead ones when absent.'),
  })
  .meta({ id: 'ReplayRequest' });

const Platform = z.strictObject({ platform: PathName.optional().describe('Only those of that platform.') });
const Query = Platform.extend({
  state: z.enum(['pending', 'dead']).optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(100).describe('How many.'),
});

/** What the bus has still to deliver, and what it gave up. */
export function deliveryRoutes(deliveries: Deliveries): readonly Route[] {
  const needs = (_params: Given, { platform }: Given): Need =>
    platform === undefined ? { right: 'admin' } : { right: 'admin', platform };
  return [
    route({
      method: 'GET',
      path: '/deliveries',
      id: 'listDeliveries',
      summary: 'Events that are not delivered yet, or were given up',
      needs,
      query: Query,
      answers: { 200: DeliveryList },
      handle: async ({ query: { platform, state, limit } }) => {
        const which = { ...(platform === undefined ? {} : { platform }), ...(state === undefined ? {} : { state }) };
        const found = await deliveries.list({ ...which, limit });
        return { status: 200, body: { deliveries: found.map(deliveryJson) } };
      },
    }),
    route({
      method: 'POST',
      path: '/deliveries/replay',
      id: 'replayDeliveries',
      summary: 'Deliver again what was given up',
      needs,
      query: Platform,
      body: ReplayRequest,
      answers: { 200: Replayed },
      handle: async ({ query: { platform }, body: { ids } }) => {
        const which = { ...(platform === undefined ? {} : { platform }), ...(ids === undefined ? {} : { ids }) };
        return { status: 200, body: { replayed: await deliveries.replay(which) } };
      },
    }),
  ];
}

function deliveryJson({ since, nextAt, ...delivery }: Delivery) {
  return {
    ...delivery,
    since: new Date(since).toISOString(),
    ...(nextAt === undefined ? {} : { nextAt: new Date(nextAt).toISOString() }),
  };
}
