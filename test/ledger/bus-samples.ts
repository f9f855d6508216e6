import type { Bus } from '../../src/ledger/bus.ts';
import type { DueDelivery } from '../../src/ledger/bus-deliveries.ts';
import type { BusEvent } from '../../src/ledger/bus-event.ts';

/** An event of the platform `automation`; `subject: null` leaves the subject out. */
export function event(
  id: string,
  more: Partial<Omit<BusEvent, 'subject'>> & { subject?: string | null } = {},
): BusEvent {
  const { subject = 'order/1', ...rest } = more;
  return {
    id,
    source: 'platforms/automation',
    type: 'order.created',
    time: 1000,
    platform: 'automation',
    data: { id },
    ...(subject === null ? {} : { subject }),
    ...rest,
  };
}

/** Enters handlers, and routes everything to all of them. @returns their numbers, in order. */
export function routeToAll(bus: Bus, ...names: readonly string[]): readonly number[] {
  const { ids } = bus.enlist(names);
  const numbers = names.map((name) => ids.get(name) ?? 0);
  while (bus.route(100, () => numbers) > 0);
  return numbers;
}

/** Ids of the events that a handler may be given now. */
export function dueIds(bus: Bus, handler: number): readonly string[] {
  return bus.due(handler, 100).map(({ event: seq }) => bus.event(seq)?.id ?? '');
}

function dueOf(bus: Bus, handler: number, id: string): DueDelivery {
  const found = bus.due(handler, 100).find(({ event: seq }) => bus.event(seq)?.id === id);
  if (found === undefined) throw new Error(`${id} is not due`);
  return found;
}

/** Settles one that is due. */
export function settle(
  bus: Bus,
  handler: number,
  id: string,
  how: 'done' | { nextAt: number } | { dead: string },
): void {
  const ref = { event: dueOf(bus, handler, id).event, handler };
  if (how === 'done') bus.settle([{ ...ref, outcome: 'done' }]);
  else if ('dead' in how) bus.settle([{ ...ref, outcome: 'dead', error: how.dead }]);
  else bus.settle([{ ...ref, outcome: 'failed', error: 'no', nextAt: how.nextAt }]);
}
