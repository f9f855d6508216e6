import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ReconcilerError } from '../../../src/errors.ts';
import { BusIntake, LARGEST_EVENT } from '../../../src/gateway/bus/intake.ts';
import { Bus } from '../../../src/ledger/bus.ts';
import { connect, Database } from '../../../src/ledger/database.ts';
import type { JsonValue } from '../../../src/manifest/manifest.ts';
import { settled } from '../../daemon/manual-timers.ts';
import { event } from '../../ledger/bus-samples.ts';
import { BusPlace } from './bus-place.ts';

/** What a promise is rejected with. */
async function refusal(promise: Promise<unknown>): Promise<ReconcilerError> {
  const error = await promise.then(
    () => new Error('it was taken'),
    (error: unknown) => error,
  );
  if (error instanceof ReconcilerError) return error;
  throw error;
}

/** A bus over a connection that the test holds too. */
function bare() {
  const directory = mkdtempSync(join(tmpdir(), 'plumbline-full-'));
  const file = join(directory, 'ledger.db');
  const sqlite = connect(file);
  const bus = new Bus(new Database(sqlite, file), { redact: (text) => text, now: Date.now });
  const intake = new BusIntake({ bus, onStored: () => undefined });
  const close = (): void => {
    sqlite.close();
    rmSync(directory, { recursive: true, force: true });
  };
  return { sqlite, bus, intake, close };
}

describe('The intake of events', () => {
  it('keeps in one transaction what is handed in during one turn, and has kept it when it resolves', async () => {
    await using place = new BusPlace();
    const { bus } = place.ledger;
    const append = bus.append.bind(bus);
    const batches: number[] = [];
    bus.append = (events) => {
      batches.push(events.length);
      return append(events);
    };
    const waiting: Promise<unknown>[] = [];
    for (const id of ['a', 'b', 'a']) {
      waiting.push(place.intake.accept(event(id)));
      await settled();
    }
    const results = await Promise.all(waiting);
    expect(results).to.deep.equal(['stored', 'stored', 'duplicate']);
    expect(batches).to.deep.equal([3]);
    expect(bus.standing().pending).to.equal(2);
  });

  it('puts off what there is no room for, says for how long, and takes it when there is room again', async () => {
    await using place = new BusPlace({ pending: 3 });
    const answers = await Promise.allSettled(['a', 'b', 'c', 'd'].map((id) => place.intake.accept(event(id))));
    expect(answers.map(({ status }) => status)).to.deep.equal(['fulfilled', 'fulfilled', 'fulfilled', 'rejected']);
    const error = await refusal(place.intake.accept(event('e')));
    expect(error).to.include({ code: 'bus-full', retry: 'backoff', retryAfter: 10_000 });
    place.ledger.bus.route(10, () => []);
    expect(await place.intake.accept(event('e'))).to.equal('stored');
  });

  it('puts off what does not fit the bytes there are', async () => {
    await using place = new BusPlace({ bytes: 3000 });
    await place.intake.accept(event('a', { data: 'x'.repeat(2000) }));
    expect(await refusal(place.intake.accept(event('b', { data: 'x'.repeat(2000) })))).to.include({ code: 'bus-full' });
    expect(await place.intake.accept(event('c'))).to.equal('stored');
  });

  it('waits until an event is on the disk itself before it says that it has it', async () => {
    const { sqlite, bus, intake, close } = bare();
    try {
      const { ids } = bus.enlist(['plugin/p']);
      sqlite.exec('PRAGMA synchronous = OFF');
      await intake.accept(event('a'));
      expect(sqlite.prepare('PRAGMA synchronous').get(), 'FULL').to.deep.include({ synchronous: 2 });
      bus.route(1, () => [...ids.values()]);
      expect(sqlite.prepare('PRAGMA synchronous').get(), 'what can be done again: NORMAL').to.include({
        synchronous: 1,
      });
    } finally {
      close();
    }
  });

  it('does not say that it has what a full disk did not take', async () => {
    const { sqlite, bus, intake, close } = bare();
    try {
      const pages = Number(sqlite.prepare('PRAGMA page_count').get()?.['page_count']);
      sqlite.exec(`PRAGMA max_page_count = ${pages + 3}`);
      const large = [1, 2, 3].map((n) => intake.accept(event(`large${n}`, { data: 'x'.repeat(50_000) })));
      const errors = await Promise.all(large.map(refusal));
      expect(errors.map(({ code }) => code)).to.deep.equal(Array(3).fill('ledger-full'));
      expect(bus.standing()).to.include({ pending: 0, bytes: 0 });
      sqlite.exec(`PRAGMA max_page_count = ${pages + 1000}`);
      expect(await intake.accept(event('large1'))).to.equal('stored');
    } finally {
      close();
    }
  });

  it('refuses for good what is no event, and keeps what came with it', async () => {
    await using place = new BusPlace();
    const circle: { self?: unknown } = {};
    circle.self = circle;
    const wrong = [
      event('x', { data: 'x'.repeat(LARGEST_EVENT) }),
      event(''),
      event('x'.repeat(201)),
      event('line\nbreak'),
      event('half \ud800 a sign'),
      event('x', { subject: '' }),
      event('x', { type: 'null\0' }),
      event('x', { time: Number.NaN }),
      event('x', { data: undefined as unknown as JsonValue }),
      event('x', { data: circle as unknown as JsonValue }),
    ];
    const [good, ...errors] = await Promise.all([
      place.intake.accept(event('good', { data: 'x'.repeat(LARGEST_EVENT - 2) })),
      ...wrong.map((one) => refusal(place.intake.accept(one))),
    ]);
    expect(good).to.equal('stored');
    expect(errors.map(({ retry }) => retry)).to.deep.equal(wrong.map(() => 'never'));
    expect(errors.map(({ code }) => code)).to.deep.equal(['event-too-large', ...Array(9).fill('event-invalid')]);
    expect(place.ledger.bus.standing().pending).to.equal(1);
  });
});
