import { z } from 'zod';
import { ReconcilerError } from '../../errors.ts';
import type { JsonObject, JsonValue } from '../../manifest/manifest.ts';
import type { HttpAnswer, HttpClient } from '../http.ts';
import { compare } from './labels.ts';
import type { Login } from './login.ts';
import { FlowSet, type RawNode, entriesOf } from './raw.ts';

/** The whole flow file of a server at one revision. */
export interface Snapshot {
  readonly set: FlowSet;
  /** Hash over the flows as Node-RED computes it; secrets are not part of it. */
  readonly rev: string;
}

/** A module of node types as `GET /nodes` lists it: one entry per node set. */
const nodeSetSchema = z.object({
  id: z.string(),
  module: z.string().optional(),
  types: z.array(z.string()),
  enabled: z.boolean(),
  err: z.unknown().optional(),
});
export interface NodeTypes {
  readonly usable: ReadonlySet<string>;
  /** Types that are installed but do not work, with the reason. */
  readonly broken: ReadonlyMap<string, string>;
}

const settingsSchema = z.object({
  version: z.string(),
  user: z.object({ username: z.string(), permissions: z.unknown() }).optional(),
  /** Where its HTTP endpoints begin. */
  httpNodeRoot: z.string().optional(),
});
export type Settings = z.infer<typeof settingsSchema>;

const flowsSchema = z.object({ rev: z.string(), flows: z.json() });
const revSchema = z.object({ rev: z.string() });
const stateSchema = z.object({ state: z.string() });
const secretsSchema = z.record(z.string(), z.json());

/** Node-RED's admin API (https://nodered.org/docs/api/admin/), as far as it is needed. */
export class NodeRedClient {
  readonly #login: Login;
  readonly #http: HttpClient;
  #last: { readonly etag: string; readonly snapshot: Snapshot } | undefined;

  constructor(http: HttpClient, login: Login) {
    this.#http = http;
    this.#login = login;
  }

  get name(): string {
    return this.#http.name;
  }

  /** All flows. An unchanged file is not sent again (304). @throws ReconcilerError */
  async flows(signal: AbortSignal): Promise<Snapshot> {
    const answer = await this.#login.send({
      method: 'GET',
      route: '/flows',
      headers: {
        'node-red-api-version': 'v2',
        ...(this.#last === undefined ? {} : { 'if-none-match': this.#last.etag }),
      },
      accept: [304],
      signal,
    });
    if (answer.status === 304 && this.#last !== undefined) return this.#last.snapshot;
    const body = read(flowsSchema, answer, 'GET /flows');
    const entries = entriesOf(body.flows);
    if (entries === undefined) throw strange('GET /flows', 'entries without id or type');
    const snapshot = { set: new FlowSet(entries), rev: body.rev };
    const etag = answer.headers['etag'];
    this.#last = etag === undefined ? undefined : { etag, snapshot };
    return snapshot;
  }

  /**
   * Replaces all flows, if the server still stands at `rev`; restarts only nodes that changed.
   * @returns the new revision, or `stale` when somebody else wrote meanwhile.
   * @throws ReconcilerError `outcome-unknown` when the connection broke, `refused` or `too-large` when it said no.
   */
  async deploy(
    flows: readonly JsonObject[],
    rev: string,
    signal: AbortSignal,
  ): Promise<{ readonly rev: string } | 'stale'> {
    const answer = await this.#login.send({
      method: 'POST',
      route: '/flows',
      headers: { 'node-red-api-version': 'v2', 'node-red-deployment-type': 'nodes' },
      text: JSON.stringify({ rev, flows }),
      sensitive: flows.flatMap((node) => textsIn(node['credentials'])),
      accept: [409, 413],
      signal,
    });
    if (answer.status === 409) return 'stale';
    if (answer.status === 413) throw tooLarge(this.name, flows);
    return read(revSchema, answer, 'POST /flows');
  }

  /** What the runtime says it does: `start`, `stop` or `safe`. It says `start` even when a missing type stops it. */
  async state(signal: AbortSignal): Promise<string> {
    return read(
      stateSchema,
      await this.#login.send({ method: 'GET', route: '/flows/state', signal }),
      'GET /flows/state',
    ).state;
  }

  /** Node types that are installed. */
  async types(signal: AbortSignal): Promise<NodeTypes> {
    const answer = await this.#login.send({ method: 'GET', route: '/nodes', signal });
    const usable = new Set<string>();
    const broken = new Map<string, string>();
    for (const { id, types, enabled, err } of read(z.array(nodeSetSchema), answer, 'GET /nodes')) {
      const fault = err === undefined || err === null ? undefined : typeof err === 'string' ? err : 'it failed to load';
      for (const type of types) {
        if (enabled && fault === undefined) usable.add(type);
        else broken.set(type, enabled ? `${id}: ${fault ?? 'it failed to load'}` : `${id} is disabled`);
      }
    }
    return { usable, broken };
  }

  async settings(signal: AbortSignal): Promise<Settings> {
    return read(settingsSchema, await this.#login.send({ method: 'GET', route: '/settings', signal }), 'GET /settings');
  }

  /**
   * Hands a message to an inject node, once.
   * @returns the answer; 404 when the node does not run, 413 when the message is too large.
   */
  async inject(id: string, message: JsonObject, signal: AbortSignal): Promise<HttpAnswer> {
    return await this.#login.send({
      method: 'POST',
      route: '/inject/:id',
      params: { id },
      body: message,
      sensitive: textsIn(message),
      // It answers with a word, which is no JSON.
      accept: [200, 404, 413],
      signal,
    });
  }

  /** Credential names of a node's type, and which of them are set; values are never sent by the server for passwords. */
  async secretsSet(node: RawNode, signal: AbortSignal): Promise<Readonly<Record<string, boolean>>> {
    const type = node.type.replace(/\s+/g, '-');
    const answer = await this.#login.send({
      method: 'GET',
      route: '/credentials/:type/:id',
      params: { type, id: node.id },
      signal,
    });
    const said = Object.entries(read(secretsSchema, answer, 'GET /credentials/:type/:id'));
    const set = said.map(([name, value]): [string, boolean] =>
      name.startsWith('has_') ? [name.slice(4), value === true] : [name, value !== '' && value !== null],
    );
    return Object.fromEntries(set.toSorted(([a], [b]) => compare(a, b)));
  }
}

function read<Schema extends z.ZodType>(schema: Schema, answer: HttpAnswer, what: string): z.infer<Schema> {
  const parsed = schema.safeParse(answer.json);
  if (!parsed.success) throw strange(what, z.prettifyError(parsed.error).split('\n')[0] ?? '');
  return parsed.data;
}

function strange(what: string, why: string): ReconcilerError {
  return new ReconcilerError(`${what} answered in a form that Node-RED does not use (${why}).`, 'never', {
    code: 'not-node-red',
    remedy: 'Check that the URL is the admin API of a Node-RED (with its httpAdminRoot).',
  });
}

function tooLarge(platform: string, flows: readonly JsonObject[]): ReconcilerError {
  const size = Buffer.byteLength(JSON.stringify(flows));
  return new ReconcilerError(`${platform} does not take ${size} bytes of flows in one request (413).`, 'never', {
    code: 'too-large',
    remedy: `Set apiMaxLength in its settings.js to more than ${Math.ceil(size / 1024 / 1024)}mb ("${Math.ceil(size / 512 / 1024) + 1}mb" leaves room) and restart it.`,
  });
}

/** Every text in a value, such as the credentials of a node. */
function textsIn(value: JsonValue | undefined): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : [];
}
