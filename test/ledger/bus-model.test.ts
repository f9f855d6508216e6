import { DatabaseSync } from 'node:sqlite';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { Bus } from '../../src/ledger/bus.ts';
import { Database } from '../../src/ledger/database.ts';
import { BUS } from '../../src/ledger/schema-bus.ts';
import { event } from './bus-samples.ts';

type Step =
  | { readonly does: 'append'; readonly subjects: readonly number[] }
  | { readonly does: 'settle'; readonly pick: number; readonly how: 'done' | 'failed' | 'dead' }
  | { readonly does: 'replay'; readonly pick: number }
  | { readonly does: 'bury' | 'prune' | 'wait' };

const STEP: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ does: fc.constant('append' as const), subjects: fc.array(fc.nat(3), { minLength: 1, maxLength: 6 }) }),
  {
    weight: 3,
    arbitrary: fc.record({
      does: fc.constant('settle' as const),
      pick: fc.nat(),
      how: fc.constantFrom('done', 'failed', 'dead'),
    }),
  },
  fc.record({ does: fc.constant('replay' as const), pick: fc.nat() }),
  fc.record({ does: fc.constantFrom('bury' as const, 'prune' as const, 'wait' as const) }),
);

/** Longer than any pause that a step makes. */
const LONG = 1000;

describe('The bus, whatever happens to it', () => {
  it('has of every subject exactly one delivery under way, loses none, and counts right', () => {
    fc.assert(
      fc.property(fc.array(STEP, { maxLength: 40 }), (steps) => {
        let now = 1_000_000;
        const sqlite = new DatabaseSync(':memory:');
        sqlite.exec(BUS);
        const database = new Database(sqlite, ':memory:');
        const bus = new Bus(database, { redact: (text) => text, now: () => now, limits: { kept: 8 } });
        const handlers = [...bus.enlist(['plugin/a', 'plugin/b']).ids.values()];
        const finished = new Set<string>();
        let known: readonly string[] = [];
        let number = 0;
        for (const step of steps) {
          if (step.does === 'append') {
            bus.append(step.subjects.map((s) => event(`e${number++}`, { subject: s === 0 ? null : `order/${s}` })));
            while (bus.route(3, () => handlers) > 0);
          } else if (step.does === 'settle') settle(bus, step, finished, handlers);
          else if (step.does === 'replay') {
            const listed = bus.list({ limit: 1000 });
            const one = listed[step.pick % Math.max(1, listed.length)];
            if (one !== undefined) bus.replay({ deliveries: [one.id] });
            if (one !== undefined) finished.delete(one.id);
          } else if (step.does === 'bury') {
            while (bus.bury(handlers[0] ?? 0, 'gone', 2));
            for (const { id, handler } of bus.list({ limit: 1000 })) if (handler === 'plugin/a') finished.add(id);
          } else if (step.does === 'prune') while (bus.prune());
          else now += 100;
          now += 1;
          known = check(bus, { handlers, finished, known });
        }
        now += LONG;
        drain(bus, handlers);
        expect(bus.standing().pending).to.equal(0);
        sqlite.close();
      }),
      { numRuns: 300 },
    );
  }).timeout(60_000);
});

function settle(
  bus: Bus,
  { pick, how }: { pick: number; how: 'done' | 'failed' | 'dead' },
  finished: Set<string>,
  handlers: readonly number[],
): void {
  const due = handlers.flatMap((handler) => bus.due(handler, 100));
  const one = due[pick % Math.max(1, due.length)];
  if (one === undefined) return;
  const { event, handler } = one;
  if (how === 'failed')
    bus.settle([{ event, handler, outcome: 'failed', error: 'no', nextAt: 1_000_000 + (pick % LONG) }]);
  else {
    bus.settle([
      how === 'done' ? { event, handler, outcome: 'done' } : { event, handler, outcome: 'dead', error: 'no' },
    ]);
    finished.add(`${event}-${handler}`);
  }
}

/** @returns every delivery that is known. */
function check(
  bus: Bus,
  { handlers, finished, known }: { handlers: readonly number[]; finished: Set<string>; known: readonly string[] },
): readonly string[] {
  const all = bus.list({ limit: 1000 });
  const pending = all.filter(({ state }) => state === 'pending');
  expect(bus.standing(), 'counts').to.include({
    pending: pending.length,
    dead: all.filter(({ state }) => state === 'dead').length,
  });
  const left = new Set(all.map(({ id }) => id));
  expect(
    known.filter((id) => !left.has(id) && !finished.has(id)),
    'nothing that is pending is dropped',
  ).to.deep.equal([]);
  expect(
    pending.filter(({ id }) => finished.has(id)),
    'nothing comes back by itself',
  ).to.deep.equal([]);
  for (const handler of handlers) {
    const own = pending.filter(({ id }) => id.endsWith(`-${handler}`));
    for (const subject of new Set(own.map(({ event }) => event.subject))) {
      const ready = own.filter(({ event, nextAt }) => event.subject === subject && nextAt !== undefined);
      const wanted = subject === undefined ? own.filter(({ event }) => event.subject === undefined).length : 1;
      expect(ready, `of ${subject ?? 'no subject'} for ${handler}`).to.have.lengthOf(wanted);
    }
  }
  return [...left];
}

function drain(bus: Bus, handlers: readonly number[]): void {
  for (const handler of handlers) {
    for (;;) {
      const due = bus.due(handler, 100);
      if (due.length === 0) break;
      bus.settle(due.map(({ event }) => ({ event, handler, outcome: 'done' })));
    }
  }
}
