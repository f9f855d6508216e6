import { createHmac, randomUUID } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import type { ListedDelivery } from '../../src/ledger/bus-list.ts';
import type { Daemon } from '../../src/daemon/service.ts';
import { startGitServer, type GitServer } from '../bench/git-server.ts';
import { MintDriver } from '../drivers/mint/driver.ts';
import { CIRCUIT } from '../drivers/mint/harness.ts';
import { MintServer } from '../drivers/mint/server.ts';
import { Receiver } from '../gateway/callbacks/receiver.ts';
import { standardHeaders } from '../gateway/doorstep.ts';
import { Place, ask, until, type Answer } from './fixture.ts';

/** Every secret there is; none may be found in anything that goes out. */
export const CANARIES = {
  MINT_TOKEN: 'kanarienvogel-mint-41',
  HOOK_SECRET: 'kanarienvogel-hook-42',
  EVENTS_SECRET: 'kanarienvogel-events-43',
  OTHER_SECRET: 'kanarienvogel-other-44',
  ORDERS_SIGNING: 'kanarienvogel-signing-45',
  ORDERS_CRM: 'kanarienvogel-crm-46',
} as const;
/** What stands in fields of objects: told to nobody by events. */
export const OWNER = 'wert-im-feld-von-git';
export const BY_HAND = 'wert-im-feld-von-hand';

export interface Told {
  readonly id: string;
  readonly type: string;
  readonly subject?: string;
  readonly platform: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** What a receiver was told, signature and all. */
export interface Delivered {
  readonly path: string;
  /** The `webhook-id`: the same for every attempt. */
  readonly id: string;
  readonly event: Told;
  readonly text: string;
}

/** A git host that tells of pushes, a platform, and somebody who gets webhooks, with a daemon between them. */
export class GatewayPlace implements AsyncDisposable {
  readonly place: Place;
  readonly git: GitServer;
  readonly mint: MintServer;
  readonly receiver: Receiver;
  /** What the git host signs its hooks with; undefined: not at all. */
  signing: string | undefined = CANARIES.HOOK_SECRET;
  /** What the daemon answered to the git host. */
  readonly hooks: Answer[] = [];
  /** Paths of the receiver that give no answer. */
  readonly silent = new Set<string>();
  readonly refusing = new Set<string>();
  daemon: Daemon | undefined;
  /** Where the daemon takes hooks. */
  hooksUrl = '';
  #url = '';

  private constructor(place: Place, git: GitServer, mint: MintServer, receiver: Receiver) {
    this.place = place;
    this.git = git;
    this.mint = mint;
    this.receiver = receiver;
    receiver.answer = (response, request) => {
      if (this.silent.has(request.url ?? '')) return;
      response.writeHead(this.refusing.has(request.url ?? '') ? 500 : 204).end();
    };
  }

  static async create(): Promise<GatewayPlace> {
    let told: (repo: string) => Promise<void> = async () => undefined;
    const git = await startGitServer((push) => told(push.repo));
    const mint = await MintServer.start({ accounts: { [CANARIES.MINT_TOKEN]: { name: 'plumbline' } } });
    const made = new GatewayPlace(await Place.create(), git, mint, await Receiver.start());
    told = async (repo) => void made.hooks.push(await made.hook(repo));
    made.#url = await git.create('orders');
    await made.writePlugin('listener', `console.log('heard ' + JSON.stringify(context.event)); return context;`);
    await made.configure();
    return made;
  }

  /** The configuration; `events` are those of the plugin, `more` further documents. */
  async configure(events = 'order.*', more = ''): Promise<void> {
    await this.place.configure(`
apiVersion: plumbline.dev/v1alpha1
kind: Platform
metadata: {name: prod}
spec:
  driver: node-red
  url: "${this.mint.url}"
  auth: {token: {valueFrom: {env: MINT_TOKEN}}}
  limits: {concurrency: 4, requestsPerSecond: 1000, timeout: 5s}
  events: {secret: {valueFrom: {env: EVENTS_SECRET}}, lookAgain: [thing.changed]}
  webhooks: {allow: [127.0.0.1]}
---
apiVersion: plumbline.dev/v1alpha1
kind: Sync
metadata: {name: orders}
spec:
  source: {git: {url: "${this.#url}", webhook: {provider: github, secret: {valueFrom: {env: HOOK_SECRET}}}}}
  platform: prod
  interval: 1h
  retryInterval: 1h
  gracePeriod: 3s
  prune: {maxDeletions: "100%"}
  secrets: {env: [ORDERS_*]}
---
apiVersion: plumbline.dev/v1alpha1
kind: Plugin
metadata: {name: listener}
spec: {folder: plugins/listener, platforms: [prod], events: ["${events}"]}
${more}`);
  }

  async writePlugin(name: string, body: string): Promise<void> {
    const folder = join(this.place.dir, 'plugins', name);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'index.js'), `export function execute(context) { ${body} }\n`);
  }

  async start(): Promise<void> {
    this.daemon = await this.place.start({
      environment: { ...process.env, ...CANARIES },
      driverNamed: (name) => ({ name, auth: [], connect: (connection) => new MintDriver(connection, CIRCUIT) }),
      stopDeadline: 500,
    });
    this.hooksUrl = this.daemon.hooksUrl;
  }

  /** Commits files and pushes them; resolves when the git host has told the daemon of it and was answered. */
  async push(files: Readonly<Record<string, string | undefined>>): Promise<Answer | undefined> {
    await this.place.commit(files);
    const before = this.hooks.length;
    await this.place.git('push', '--quiet', this.#url, 'main');
    await this.git.settled();
    return this.hooks[before];
  }

  /** Tells the daemon of a push, as GitHub does. */
  async hook(sync: string): Promise<Answer> {
    const body = JSON.stringify({ ref: 'refs/heads/main' });
    const signature =
      this.signing === undefined
        ? {}
        : { 'x-hub-signature-256': `sha256=${createHmac('sha256', this.signing).update(body).digest('hex')}` };
    const headers = { 'x-github-event': 'push', 'x-github-delivery': randomUUID(), ...signature };
    return this.hooksUrl === ''
      ? { status: 0, headers: {}, text: 'no daemon' }
      : ask(`${this.hooksUrl}/hooks/git/${sync}`, headers, body);
  }

  /** Sends an event, as the platform does. */
  async send(
    type: string,
    data: unknown,
    how: { readonly id?: string; readonly to?: string; readonly secret?: string } = {},
  ): Promise<Answer> {
    const { id = randomUUID(), to = 'prod', secret = CANARIES.EVENTS_SECRET } = how;
    const body = JSON.stringify({ event_type: type, data });
    return ask(`${this.hooksUrl}/webhooks/${to}`, standardHeaders(body, { secret, now: Date.now(), id }), body);
  }

  /** What came to a path of the receiver. @throws Error when something was not signed with the secret from git */
  delivered(path: string): readonly Delivered[] {
    return this.receiver.received
      .filter(({ url }) => url === path)
      .map(({ headers, body }) => {
        const text = body.toString();
        const signed = headers as Record<string, string>;
        new Webhook(CANARIES.ORDERS_SIGNING, { format: 'raw' }).verify(text, signed);
        return { path, id: String(signed['webhook-id']), event: JSON.parse(text) as Told, text };
      });
  }

  /** Waits until a path of the receiver was told something. */
  told(path: string, matches: (event: Told) => boolean, what: string): Promise<Delivered> {
    return until(async () => this.delivered(path).find(({ event }) => matches(event)), what);
  }

  async api(path: string, body?: string): Promise<Answer> {
    const token = (await readFile(join(this.place.state, 'token'), 'utf8')).trim();
    return ask(`${this.daemon?.url}/api/v1${path}`, { authorization: `Bearer ${token}` }, body);
  }

  async deliveries(query: string): Promise<readonly ListedDelivery[]> {
    const { text } = await this.api(`/deliveries?${query}`);
    return (JSON.parse(text) as { deliveries: readonly ListedDelivery[] }).deliveries;
  }

  /** Waits until nothing is to be delivered. */
  async idle(): Promise<void> {
    await until(async () => (await this.deliveries('state=pending')).length === 0, 'nothing to deliver');
  }

  /** Waits until no pass is under way or asked for. */
  async quiet(): Promise<void> {
    await until(async () => this.#passes === 0, 'no pass under way');
  }

  /** Whether a pass is under way or asked for. */
  get looking(): boolean {
    return this.#passes > 0;
  }

  get #passes(): number {
    const { waiting = 0, running = 0 } = this.daemon?.workshop.engine.queue.numbers() ?? {};
    return waiting + running;
  }

  async stop(): Promise<void> {
    await this.daemon?.stop('test');
    this.daemon = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.receiver[Symbol.asyncDispose]();
    await this.mint[Symbol.asyncDispose]();
    await this.git[Symbol.asyncDispose]();
    await this.place.remove();
  }
}

export const application = (owner: string): string => `
apiVersion: plumbline.dev/v1alpha1
kind: Application
metadata: {name: orders}
spec: {title: Orders, owner: "${owner}"}
`;

export const integration = (name: string): string => `
apiVersion: plumbline.dev/v1alpha1
kind: Integration
metadata: {name: crm}
spec: {title: CRM, type: http-header, settings: {name: "${name}"}, secrets: {value: {valueFrom: {env: ORDERS_CRM}}}}
`;

export const webhook = (name: string, event: string, url: string): string => `
apiVersion: plumbline.dev/v1alpha1
kind: Webhook
metadata: {name: ${name}}
spec: {event: "${event}", url: "${url}", secret: {valueFrom: {env: ORDERS_SIGNING}}}
`;
