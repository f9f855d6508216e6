// A process of its own that is killed: the public listener, the intake, the dispatcher and one webhook, as in the daemon.
// With `bare`, an HTTP server that does nothing, to compare with. Tells its port and its memory to who started it.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SYSTEM_TIMERS } from '../../src/daemon/timers.ts';
import { Dispatcher } from '../../src/gateway/bus/dispatcher.ts';
import { BusIntake } from '../../src/gateway/bus/intake.ts';
import { Callbacks } from '../../src/gateway/callbacks/webhook-handlers.ts';
import { startPublicListener } from '../../src/gateway/public.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { createLog } from '../../src/report/log.ts';
import { Metrics } from '../../src/report/metrics.ts';
import { Seal } from '../../src/secrets/seal.ts';
import { SecretStore } from '../../src/secrets/store.ts';

/** What the process is to be. */
export interface ServiceOrder {
  readonly kind: 'bus' | 'bare';
  /** Folder of the ledger. */
  readonly directory: string;
  /** 0: any. */
  readonly port: number;
  /** What the sender signs with. */
  readonly secret: string;
  /** Where events are delivered to. */
  readonly callback: string;
}

/** What the process tells. */
export type ServiceWord = { readonly port: number } | { readonly rss: number };

const HASH_KEY = new Uint8Array(32).fill(3);
/** Milliseconds between samples of the memory. */
const SAMPLE = 500;

async function serveBus({ directory, port, secret, callback }: ServiceOrder): Promise<number> {
  const secrets = new SecretStore({ env: {}, hashKey: HASH_KEY });
  const redact = (text: string): string => secrets.redact(text);
  const hold = (value: string) => secrets.hold(value);
  const ledger = Ledger.open(directory, { redact, seal: new Seal({ key: HASH_KEY, hold }) });
  const log = createLog({ level: 'warn', format: 'json', redact });
  const reports = new Metrics({ version: '0' }).gateway;
  const register = ledger.webhooks;
  if (register.list().length === 0) {
    const draft = { platform: 'shop', title: 'bench', event: 'order.*', url: callback, active: true, by: 'bench' };
    register.create({ ...draft, secret: hold(secret) });
  }
  const dispatcher = new Dispatcher({ bus: ledger.bus, timers: SYSTEM_TIMERS, reports, log });
  const intake = new BusIntake({ bus: ledger.bus, onStored: () => dispatcher.wake() });
  const callbacks = new Callbacks({ register, allowOf: () => ['127.0.0.1'], now: Date.now });
  dispatcher.setHandlers(callbacks.handlers());
  dispatcher.start();
  const value = hold(secret);
  const events = {
    scheme: 'standard-webhooks',
    header: '',
    lookAgain: [],
    secret: () => Promise.resolve(value),
  } as const;
  const listener = await startPublicListener({
    address: { host: '127.0.0.1', port },
    syncHook: () => undefined,
    platformEvents: (name) => (name === 'shop' ? events : undefined),
    platformsWithEvents: () => ['shop'],
    intake,
    lookAgain: { sync: () => false, platform: () => undefined },
    reports,
    log,
    clock: Date.now,
  });
  return listener.port;
}

async function serveBare({ port }: ServiceOrder): Promise<number> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"status":"received"}');
    });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

function tell(word: ServiceWord): void {
  process.send?.(word);
}

const order = JSON.parse(process.argv[2] ?? '{}') as ServiceOrder;
const port = await (order.kind === 'bus' ? serveBus(order) : serveBare(order));
tell({ port });
setInterval(() => tell({ rss: process.memoryUsage.rss() }), SAMPLE).unref();
process.on('disconnect', () => process.exit(0));
