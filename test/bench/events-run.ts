import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createHmac, createSecretKey } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Pool } from 'undici';
import type { ServiceOrder, ServiceWord } from './events-service.ts';

const SERVICE = fileURLToPath(new URL('events-service.ts', import.meta.url));
const KEY = Buffer.from('what the platform and we both know');
/** Ten times as fast to sign with as its bytes. */
const SIGNING_KEY = createSecretKey(KEY);
export const SECRET = `whsec_${KEY.toString('base64')}`;

/** Who sends at the same time, and how many objects events are about: each sender has its own, and knows their order. */
export interface Crowd {
  readonly senders: number;
  readonly subjectsEach: number;
}
export const CROWD: Crowd = { senders: 64, subjectsEach: 8 };

/** Records what is delivered, and judges it as it comes. */
export class Witness implements AsyncDisposable {
  /** Deliveries that came before, by the id that tells so. */
  redelivered = 0;
  /** Deliveries that came before one that is older, or under an id that is another event's. */
  readonly wrong: string[] = [];
  handled = 0;
  readonly #last = new Map<string, number>();
  readonly #ids = new Map<string, string>();
  readonly #server: Server;

  private constructor(server: Server, jitter: number) {
    this.#server = server;
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const handle = (): void => {
          this.#judge(String(request.headers['webhook-id']), Buffer.concat(chunks).toString());
          response.writeHead(204).end();
        };
        if (jitter === 0) handle();
        else setTimeout(handle, Math.random() * jitter);
      });
    });
  }

  /** Takes up to `jitter` milliseconds to handle an event, so that two at a time end in any order. */
  static async start(jitter = 0): Promise<Witness> {
    const server = createServer();
    const witness = new Witness(server, jitter);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return witness;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  /** How many events of a subject came, without a gap. */
  countOf(subject: string): number {
    return this.#last.get(subject) ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close').catch(() => undefined);
  }

  #judge(id: string, body: string): void {
    const { subject, data } = JSON.parse(body) as { subject: string; data: { n: number } };
    const event = `${subject} ${data.n}`;
    const last = this.countOf(subject);
    const known = this.#ids.get(id);
    if (known !== undefined) {
      if (known === event) this.redelivered++;
      else this.wrong.push(`${id} is ${known} and ${event}`);
      return;
    }
    if (data.n !== last + 1) this.wrong.push(`${event} came after ${last}`);
    this.#ids.set(id, event);
    this.#last.set(subject, data.n);
    this.handled++;
  }
}

/** A process that can be killed and started again on the same port. */
export class Service implements AsyncDisposable {
  /** Memory over time, bytes, one list for each life. */
  readonly rss: number[][] = [];
  #order: ServiceOrder;
  #child: ChildProcess | undefined;
  #since = 0;
  /** Milliseconds of the lives before this one. */
  #before = 0;

  constructor(order: ServiceOrder) {
    this.#order = order;
  }

  get port(): number {
    return this.#order.port;
  }

  /** Milliseconds in which it could be asked. */
  lived(): number {
    return this.#before + (this.#child === undefined ? 0 : performance.now() - this.#since);
  }

  async start(): Promise<void> {
    const child = fork(SERVICE, [JSON.stringify(this.#order)], {
      execArgv: ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=8'],
    });
    const samples: number[] = [];
    this.rss.push(samples);
    const port = await new Promise<number>((resolve, reject) => {
      child.once('exit', () => reject(new Error('the service ended by itself')));
      child.on('message', (word: ServiceWord) => ('port' in word ? resolve(word.port) : samples.push(word.rss)));
    });
    this.#order = { ...this.#order, port };
    this.#since = performance.now();
    this.#child = child;
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#before = this.lived();
    this.#child = undefined;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

export interface Sending {
  readonly crowd?: Crowd;
  readonly onAcknowledged?: (subject: string) => void;
}

/** Sends `count` events, each until it is acknowledged; those about one object one after the other. */
export async function send(count: number, portOf: () => number, to: Sending = {}): Promise<void> {
  const { crowd = CROWD, onAcknowledged } = to;
  let pool: Pool | undefined;
  let poolPort = 0;
  const poolOf = (): Pool => {
    if (pool === undefined || poolPort !== portOf()) {
      poolPort = portOf();
      pool = new Pool(`http://127.0.0.1:${poolPort}`, { connections: crowd.senders });
    }
    return pool;
  };
  const sender = async (number: number): Promise<void> => {
    const share = Math.floor(count / crowd.senders) + (number < count % crowd.senders ? 1 : 0);
    for (let k = 0; k < share; k++) {
      const subject = `order/${number}-${k % crowd.subjectsEach}`;
      const n = Math.floor(k / crowd.subjectsEach) + 1;
      await sendOne({ subject, n, poolOf });
      onAcknowledged?.(subject);
    }
  };
  await Promise.all(Array.from({ length: crowd.senders }, (_, number) => sender(number)));
  await pool?.destroy();
}

async function sendOne({ subject, n, poolOf }: { subject: string; n: number; poolOf: () => Pool }): Promise<void> {
  const id = `${subject}#${n}`;
  const data = { n, customer: 'Ada Lovelace', amount: 4200, lines: ['tea', 'milk', 'sugar'] };
  const body = JSON.stringify({ event_type: 'order.created', subject, data });
  for (;;) {
    const timestamp = String(Math.floor(Date.now() / 1000));
    const mac = createHmac('sha256', SIGNING_KEY).update(`${id}.${timestamp}.${body}`).digest('base64');
    const headers = {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      'webhook-signature': `v1,${mac}`,
    };
    try {
      const answer = await poolOf().request({ path: '/webhooks/shop', method: 'POST', headers, body });
      await answer.body.dump();
      if (answer.statusCode === 200) return;
      if (answer.statusCode !== 503) throw new TypeError(`${id} was answered ${answer.statusCode}`);
    } catch (error) {
      if (error instanceof TypeError) throw error;
    }
    await pause(20);
  }
}
