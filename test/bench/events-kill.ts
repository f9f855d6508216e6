import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { CROWD, SECRET, send, Service, Witness } from './events-run.ts';
import type { Crowd } from './events-run.ts';

/** How much is sent, and how often the process is killed meanwhile. */
export interface EventSizes {
  readonly events: number;
  readonly kills: number;
  /** Milliseconds after the last acknowledgement in which everything has to be handled. */
  readonly patience: number;
  readonly crowd?: Crowd;
  /** Milliseconds that the receiver takes at most for an event. */
  readonly jitter?: number;
}

/** What came of it. Rates are events a second, sizes MB of 1,000,000 bytes. */
export interface EventFigures {
  readonly events: number;
  readonly kills: number;
  /** Acknowledged events that the receiver did not get. */
  readonly lost: number;
  /** Deliveries out of the order of their subject, or under an id that is another event's. */
  readonly wrong: readonly string[];
  /** Deliveries that came again, recognised by their id. */
  readonly redelivered: number;
  /** Acknowledged, and handled, for each second that the process was up. */
  readonly acceptedPerSecond: number;
  readonly handledPerSecond: number;
  /** The longest time from one kill to the next request that could be answered, in milliseconds. */
  readonly slowestStart: number;
  /** Memory at the end of each life; of the last one over time. */
  readonly lives: readonly number[];
  readonly lastLife: readonly number[];
  readonly file: number;
}

/** Sends events to a service that delivers them to a receiver, kills it again and again, and counts. */
export async function killAgainAndAgain(sizes: EventSizes): Promise<EventFigures> {
  const { events, kills, patience, crowd = CROWD, jitter = 0 } = sizes;
  const directory = await mkdtemp(join(tmpdir(), 'plumbline-events-'));
  await using witness = await Witness.start(jitter);
  await using service = new Service({ kind: 'bus', directory, port: 0, secret: SECRET, callback: witness.url });
  try {
    await service.start();
    const acknowledged = new Map<string, number>();
    let done = 0;
    const onAcknowledged = (subject: string): void => {
      acknowledged.set(subject, (acknowledged.get(subject) ?? 0) + 1);
      done++;
    };
    const sending = send(events, () => service.port, { crowd, onAcknowledged });
    const accepted = sending.then(() => service.lived());
    const slowestStart = await killing(service, momentsOf(kills, 2 * events), () => done + witness.handled);
    await sending;
    const deadline = performance.now() + patience;
    while (witness.handled < events && performance.now() < deadline) await pause(20);
    const lived = service.lived();
    // What came under way of the last ones a second time comes now or never.
    await pause(200);
    await service.kill();
    const short = [...acknowledged].map(([subject, count]) => Math.max(0, count - witness.countOf(subject)));
    return {
      events,
      kills,
      lost: short.reduce((sum, one) => sum + one, 0),
      wrong: witness.wrong,
      redelivered: witness.redelivered,
      acceptedPerSecond: Math.round((events / (await accepted)) * 1000),
      handledPerSecond: Math.round((events / lived) * 1000),
      slowestStart: Math.round(slowestStart),
      lives: service.rss.map((samples) => megabytes(samples.at(-1) ?? 0)),
      lastLife: thinned(service.rss.at(-1) ?? []).map(megabytes),
      file: megabytes((await stat(join(directory, 'ledger.db'))).size),
    };
  } finally {
    await service.kill();
    await rm(directory, { recursive: true, force: true });
  }
}

/** Kills at the moments given, measured by what has happened so far. @returns the slowest start, milliseconds. */
async function killing(service: Service, moments: readonly number[], progress: () => number): Promise<number> {
  let slowest = 0;
  for (const moment of moments) {
    while (progress() < moment) await pause(1);
    await pause(Math.random() * 10);
    await service.kill();
    const begin = performance.now();
    await service.start();
    slowest = Math.max(slowest, performance.now() - begin);
  }
  return slowest;
}

function momentsOf(kills: number, whole: number): readonly number[] {
  return Array.from({ length: kills }, () => Math.random() * whole * 0.95).sort((a, b) => a - b);
}

/** At most twenty values over time. */
function thinned(values: readonly number[]): readonly number[] {
  const step = Math.max(1, Math.ceil(values.length / 20));
  return values.filter((_, n) => n % step === 0);
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 100_000) / 10;
}
