import { expect } from 'chai';
import {
  array,
  assert,
  asyncProperty,
  constant,
  constantFrom,
  boolean,
  double,
  integer,
  nat,
  oneof,
  property,
  record,
} from 'fast-check';
import { WorkQueue } from '../../src/daemon/queue.ts';
import type { Priority, Ticket } from '../../src/daemon/queue.ts';
import { backoff, jittered } from '../../src/daemon/timers.ts';
import { ManualTimers, settled } from './manual-timers.ts';

interface Gate {
  readonly ticket: Ticket;
  readonly step: 'prepare' | 'run';
  open(error?: Error): void;
}

/** A worker whose every step waits until the test opens its gate, and that watches the laws meanwhile. */
class GatedWorker {
  readonly gates: Gate[] = [];
  readonly begun: string[] = [];
  readonly failures: unknown[] = [];
  readonly active = new Map<string, number>();
  readonly writers = new Map<string, number>();

  prepare(ticket: Ticket): Promise<void> {
    return this.#gate(ticket, 'prepare', this.active, ticket.key);
  }
  run(ticket: Ticket): Promise<void> {
    this.begun.push(ticket.key);
    expect(this.active.get(ticket.key) ?? 0, 'two passes of one key').to.equal(0);
    return this.#gate(ticket, 'run', this.writers, ticket.group);
  }
  failed(_: Ticket, error: unknown): void {
    this.failures.push(error);
  }
  open(step: Gate['step'], key: string, error?: Error): void {
    const index = this.gates.findIndex((gate) => gate.step === step && gate.ticket.key === key);
    const [gate] = this.gates.splice(index, 1);
    if (index < 0 || gate === undefined) throw new Error(`no ${step} of ${key} is under way`);
    gate.open(error);
  }

  async #gate(ticket: Ticket, step: Gate['step'], count: Map<string, number>, id: string): Promise<void> {
    count.set(id, (count.get(id) ?? 0) + 1);
    expect(count.get(id), `${step} of ${id} at once`).to.equal(1);
    try {
      await new Promise<void>((resolve, reject) => {
        this.gates.push({ ticket, step, open: (error) => (error === undefined ? resolve() : reject(error)) });
      });
    } finally {
      count.set(id, 0);
    }
  }
}

const ticket = (key: string, priority: Priority = 'change', group = 'p', lane = key): Ticket => ({
  key,
  group,
  lane,
  priority,
  trigger: 'commit',
});

describe('work queue', () => {
  it('runs one pass per key and one writer per platform at a time, loses no request and makes up none', async () => {
    const command = oneof(
      record({
        do: constant('add' as const),
        key: integer({ min: 0, max: 5 }),
        priority: constantFrom<Priority>('command', 'change', 'drift'),
      }),
      record({
        do: constant('later' as const),
        key: integer({ min: 0, max: 5 }),
        delay: integer({ min: 0, max: 50 }),
      }),
      record({ do: constant('open' as const), gate: nat(), fails: boolean() }),
      record({ do: constant('pass time' as const), time: integer({ min: 1, max: 60 }) }),
    );
    await assert(
      asyncProperty(array(command, { maxLength: 60 }), async (commands) => {
        const timers = new ManualTimers();
        const worker = new GatedWorker();
        const queue = new WorkQueue(worker, timers);
        const place = (key: number): Ticket => ticket(`s${key}`, 'change', `p${key % 2}`, `l${key % 3}`);
        const unanswered = new Set<string>();
        const started = worker.prepare.bind(worker);
        worker.prepare = (one) => (unanswered.delete(one.key), started(one));
        const openOne = async (index: number, fails: boolean): Promise<void> => {
          const gate = worker.gates[index % Math.max(1, worker.gates.length)];
          if (gate !== undefined) worker.open(gate.step, gate.ticket.key, fails ? new Error('broken') : undefined);
          await settled();
        };
        let asked = 0;
        for (const one of commands) {
          if (one.do === 'add') {
            asked += 1;
            unanswered.add(`s${one.key}`);
            queue.add({ ...place(one.key), priority: one.priority });
          } else if (one.do === 'later') {
            asked += 1;
            queue.later(place(one.key), one.delay);
          } else if (one.do === 'open') await openOne(one.gate, one.fails);
          else timers.advance(one.time);
          await settled();
        }
        timers.advance(100);
        await settled();
        while (worker.gates.length > 0) await openOne(0, false);
        expect([...unanswered], 'asked for and never begun').to.deep.equal([]);
        expect(worker.begun.length).to.be.at.most(asked);
        expect(queue.numbers()).to.deep.equal({ waiting: 0, running: 0, delayed: 0, oldest: 0 });
      }),
      { numRuns: 150 },
    );
  });

  it('runs a key again when somebody asks after its pass has begun, because the pass may not have seen what changed', async () => {
    const worker = new GatedWorker();
    const queue = new WorkQueue(worker, new ManualTimers());
    queue.add(ticket('a'));
    await settled();
    queue.add(ticket('a'));
    queue.add(ticket('a'));
    worker.open('prepare', 'a');
    await settled();
    worker.open('run', 'a');
    await settled();
    worker.open('prepare', 'a');
    await settled();
    worker.open('run', 'a');
    await settled();
    expect(worker.begun).to.deep.equal(['a', 'a']);
  });

  it('looks at everything where one of those who ask wants that, whoever came first and is the more urgent', async () => {
    const asked = [
      { trigger: 'event', priority: 'change' },
      { trigger: 'interval', priority: 'drift' },
      { trigger: 'command', priority: 'command' },
    ] as const;
    for (const wide of asked) {
      const narrow = { trigger: 'commit', priority: 'change' } as const;
      for (const tickets of [
        [wide, narrow],
        [narrow, wide],
      ]) {
        const worker = new GatedWorker();
        const queue = new WorkQueue(worker, new ManualTimers());
        queue.add(ticket('a'));
        for (const one of tickets) queue.add({ ...ticket('a'), ...one });
        await settled();
        for (const step of ['prepare', 'run', 'prepare'] as const) {
          worker.open(step, 'a');
          await settled();
        }
        const [last] = worker.gates;
        expect(last?.step).to.equal('run');
        expect(last?.ticket.trigger).to.equal(wide.trigger);
        expect(last?.ticket.priority).to.equal(wide.priority === 'command' ? 'command' : 'change');
      }
    }
  });

  it('lets neither a source that hangs nor a slow platform delay anybody else', async () => {
    const worker = new GatedWorker();
    const queue = new WorkQueue(worker, new ManualTimers());
    for (const name of ['h1', 'h2', 'h3', 'h4', 'h5']) queue.add(ticket(name, 'command', 'p', 'hanging server'));
    queue.add(ticket('slow', 'command', 'slow platform'));
    await settled();
    worker.open('prepare', 'slow');
    queue.add(ticket('fine', 'drift', 'p', 'other server'));
    queue.add(ticket('same platform', 'change', 'slow platform'));
    await settled();
    worker.open('prepare', 'fine');
    worker.open('prepare', 'same platform');
    await settled();
    expect(worker.begun).to.deep.equal(['slow', 'fine']);
    expect(worker.gates.filter(({ step }) => step === 'prepare')).to.have.length(4);
  });

  it('takes changes before drift polls, but not for ever', async () => {
    const order = async (waited: number): Promise<readonly string[]> => {
      const timers = new ManualTimers();
      const worker = new GatedWorker();
      const queue = new WorkQueue(worker, timers);
      queue.add(ticket('first'));
      await settled();
      worker.open('prepare', 'first');
      await settled();
      queue.add(ticket('poll', 'drift'));
      await settled();
      worker.open('prepare', 'poll');
      timers.advance(waited);
      queue.add(ticket('change', 'change'));
      await settled();
      worker.open('prepare', 'change');
      await settled();
      worker.open('run', 'first');
      await settled();
      return worker.begun;
    };
    expect(await order(30_000)).to.deep.equal(['first', 'change']);
    expect(await order(90_000)).to.deep.equal(['first', 'poll']);
  });

  it('keeps one date per key: a new one replaces the old', async () => {
    const timers = new ManualTimers();
    const worker = new GatedWorker();
    const queue = new WorkQueue(worker, timers);
    queue.later(ticket('a'), 10);
    queue.later(ticket('a'), 1000);
    timers.advance(500);
    await settled();
    expect(worker.gates).to.have.length(0);
    expect(queue.numbers().delayed).to.equal(1);
    timers.advance(500);
    await settled();
    expect(worker.gates).to.have.length(1);
  });

  it('tells how long the oldest has been waiting', async () => {
    const timers = new ManualTimers();
    const worker = new GatedWorker();
    const queue = new WorkQueue(worker, timers);
    queue.add(ticket('a'));
    queue.add(ticket('a'));
    await settled();
    queue.add(ticket('a'));
    timers.advance(7000);
    expect(queue.numbers()).to.deep.equal({ waiting: 1, running: 1, delayed: 0, oldest: 7000 });
  });

  it('gives work that a person asked for the key and the platform to itself', async () => {
    const worker = new GatedWorker();
    const queue = new WorkQueue(worker, new ManualTimers());
    queue.add(ticket('a'));
    await settled();
    worker.open('prepare', 'a');
    await settled();
    let begun = 0;
    const results = [1, 2].map((value) => queue.exclusive(ticket('a'), async () => ((begun += 1), value)));
    const other = queue.exclusive(ticket('b'), async () => ((begun += 1), 3));
    await settled();
    expect(begun).to.equal(0);
    worker.open('run', 'a');
    expect(await Promise.all([...results, other])).to.deep.equal([1, 2, 3]);
  });

  it('hands the error of such work to who asked for it and goes on', async () => {
    const queue = new WorkQueue(new GatedWorker(), new ManualTimers());
    const failing = queue.exclusive(ticket('a'), () => Promise.reject(new Error('broken')));
    expect(await failing.catch((error: unknown) => error)).to.have.property('message', 'broken');
    expect(await queue.exclusive(ticket('a'), async () => 'fine')).to.equal('fine');
  });

  it('drains when it stops: what runs ends, what waits is dropped and told so, and nothing new is taken', async () => {
    const timers = new ManualTimers();
    const worker = new GatedWorker();
    const queue = new WorkQueue(worker, timers);
    queue.add(ticket('a'));
    queue.later(ticket('c'), 10);
    await settled();
    worker.open('prepare', 'a');
    await settled();
    const refused = queue.exclusive(ticket('a'), async () => 'never').catch((error: unknown) => error);
    let stopped = false;
    const stop = queue.stop().then(() => (stopped = true));
    queue.add(ticket('b'));
    timers.advance(1000);
    await settled();
    expect(stopped).to.equal(false);
    expect(await refused).to.have.property('code', 'stopping');
    worker.open('run', 'a');
    await stop;
    expect(worker.begun).to.deep.equal(['a']);
  });

  it('tells what runs to end when it is aborted', async () => {
    const queue = new WorkQueue(new GatedWorker(), new ManualTimers());
    const ended = queue.exclusive(
      ticket('a'),
      (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    );
    const outcome = ended.catch((error: unknown) => error);
    await settled();
    queue.abort(new Error('deadline'));
    expect(await outcome).to.have.property('message', 'deadline');
  });

  it('removes a key: what waits goes at once, what runs is waited for', async () => {
    const worker = new GatedWorker();
    const queue = new WorkQueue(worker, new ManualTimers());
    queue.add(ticket('a'));
    await settled();
    queue.add(ticket('a'));
    let removed = false;
    const removal = queue.remove('a').then(() => (removed = true));
    await settled();
    expect(removed).to.equal(false);
    worker.open('prepare', 'a');
    await settled();
    worker.open('run', 'a');
    await removal;
    expect(worker.begun).to.deep.equal(['a']);
  });
});

describe('pauses', () => {
  it('grow from retryInterval to the interval, never shorter than half of what is due and never longer than the interval', () => {
    assert(
      property(
        integer({ min: 1, max: 100 }),
        integer({ min: 1, max: 60_000 }),
        integer({ min: 60_000, max: 3_600_000 }),
        double({ min: 0, max: 0.999_999, noNaN: true }),
        (attempt, first, longest, random) => {
          const pause = backoff(attempt, { first, longest }, random);
          const due = Math.min(longest, first * 2 ** (attempt - 1));
          expect(pause).to.be.within(due * 0.5, Math.min(longest, due * 1.05));
        },
      ),
    );
  });

  it('between polls vary by five percent', () => {
    expect([jittered(1000, 0), jittered(1000, 0.5), jittered(1000, 1)]).to.deep.equal([950, 1000, 1050]);
  });
});
