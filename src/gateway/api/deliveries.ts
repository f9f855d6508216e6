import { z } from 'zod';
import type { DeliveryQuery, ListedDelivery } from '../../ledger/bus-list.ts';
import type { ReplaySelection } from '../../ledger/bus-replay.ts';
import { route } from './route.ts';
import type { Given, Need, Route } from './route.ts';
import { PathName } from './shapes.ts';

/** The bus, as far as people look into it. */
export interface Deliveries {
  list(query: DeliveryQuery): readonly ListedDelivery[];
  /** Delivers again; also what was delivered, so receivers have to know ids they have seen. */
  replay(selection: ReplaySelection): Promise<{ readonly replayed: number; readonly skipped: number }>;
}

const Time = z.iso.datetime();
const DeliveryJson = z
  .strictObject({
    id: z.string(),
    handler: z.string().describe('Who gets it: webhook/<id>, plugin/<name> or integration/<platform>/<name>.'),
    state: z.enum(['pending', 'done', 'dead']),
    attempts: z.int(),
    since: Time,
    nextAt: Time.optional(),
    endedAt: Time.optional(),
    error: z.string().optional().describe('Why the last attempt failed.'),
    event: z.strictObject({
      id: z.string(),
      source: z.string(),
      type: z.string(),
      subject: z.string().optional(),
      platform: z.string(),
    }),
  })
  .meta({ id: 'Delivery' });
export const DeliveryList = z.strictObject({ deliveries: z.array(DeliveryJson) }).meta({ id: 'DeliveryList' });
export const Replayed = z
  .strictObject({ replayed: z.int(), skipped: z.int().describe('Not kept any more, or nobody gets them now.') })
  .meta({ id: 'Replayed' });
const Ids = z.array(z.string().min(1).max(300)).min(1).max(1000);
const ReplayRequest = z
  .union([
    z.strictObject({ deliveries: Ids.describe('Deliveries of these ids.') }),
    z.strictObject({ events: Ids.describe('Events of these ids, to all who get them.') }),
    z.strictObject({ dead: z.string().min(1).max(300).describe('What was given up for this handler.') }),
    z.strictObject({ since: Time.describe('Everything that arrived since then.') }),
  ])
  .meta({ id: 'ReplayRequest' });

const Query = z.strictObject({
  platform: PathName.optional().describe('Only those of that platform.'),
  state: z.enum(['pending', 'done', 'dead']).optional(),
  handler: z.string().max(300).optional(),
  type: z.string().max(300).optional().describe('A type of events, or a pattern such as order.*'),
  limit: z.coerce.number().int().min(1).max(1000).default(100).describe('How many.'),
});

/** What the bus has still to deliver, what it delivered, and what it gave up. */
export function deliveryRoutes(deliveries: Deliveries): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/deliveries',
      id: 'listDeliveries',
      summary: 'Events that are delivered, are to be, or were given up',
      needs: (_params: Given, { platform }: Given): Need =>
        platform === undefined ? { right: 'admin' } : { right: 'admin', platform },
      query: Query,
      answers: { 200: DeliveryList },
      handle: async ({ query }) => {
        const which = Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined));
        return { status: 200, body: { deliveries: deliveries.list(which).map(deliveryJson) } };
      },
    }),
    route({
      method: 'POST',
      path: '/deliveries/replay',
      id: 'replayDeliveries',
      summary: 'Deliver again',
      needs: () => ({ right: 'admin' }),
      body: ReplayRequest,
      answers: { 200: Replayed },
      handle: async ({ body }) => {
        const selection = 'since' in body ? { since: Date.parse(body.since) } : body;
        const { replayed, skipped } = await deliveries.replay(selection);
        return { status: 200, body: { replayed, skipped } };
      },
    }),
  ];
}

function deliveryJson({ since, nextAt, endedAt, ...delivery }: ListedDelivery) {
  return {
    ...delivery,
    since: new Date(since).toISOString(),
    ...(nextAt === undefined ? {} : { nextAt: new Date(nextAt).toISOString() }),
    ...(endedAt === undefined ? {} : { endedAt: new Date(endedAt).toISOString() }),
  };
}
