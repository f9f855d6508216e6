import { z } from 'zod';
import { ReconcilerError } from '../../errors.ts';
import type { JsonObject, JsonValue } from '../../manifest/manifest.ts';
import type { HttpAnswer, HttpRequest } from '../http.ts';

/** Sends a request to the admin API with this platform's credentials; `HttpClient.send` behind a login. */
export type SendAuthorized = (request: HttpRequest) => Promise<HttpAnswer>;

const Object_ = z.record(z.string(), z.json());

const Hello = z.object({
  instance: z.string(),
  version: z.string(),
  nodeRed: z.string(),
  /** false: adminAuth is not set, so everybody may do everything and no access can be managed. */
  accessControl: z.boolean(),
  ready: z.boolean(),
  account: z.string().optional(),
  /** Where its HTTP endpoints and its admin API begin (`/`, `/red/`); false when it has none. */
  httpNodeRoot: z.union([z.string(), z.literal(false)]).optional(),
  httpAdminRoot: z.union([z.string(), z.literal(false)]).optional(),
});
export type Hello = z.infer<typeof Hello>;

const Entry = z.object({
  id: z.string(),
  kind: z.enum(['role', 'grant']),
  title: z.string(),
  marker: Object_.optional(),
  value: Object_,
  /** Node-RED's own permission strings; roles only. */
  permissions: z.array(z.string()).optional(),
  /** Grants only. */
  users: z.array(z.string()).optional(),
  roleId: z.string().optional(),
  expiresAt: z.number().optional(),
  passwords: z.record(z.string(), z.object({ has_password: z.boolean(), slot: z.string().optional() })).optional(),
  /** Revision of the store at which the entry was last written. */
  revision: z.number(),
  createdAt: z.number(),
  changedAt: z.number(),
  changedBy: z.string().optional(),
});
/** A role or a grant as the add-on keeps it, without password hashes. */
export type AccessEntry = z.infer<typeof Entry>;

const Access = z.object({
  revision: z.number(),
  entries: z.array(Entry),
  /** Users of settings.js; null when a function there decides. */
  users: z.array(z.object({ username: z.string(), permissions: z.array(z.string()) })).nullable(),
});
export type Access = z.infer<typeof Access>;

/** An entry as it is written: whole, with passwords as scrypt hashes or kept as they are. */
export interface AccessWrite {
  readonly id: string;
  readonly kind: 'role' | 'grant';
  readonly title: string;
  readonly marker?: JsonObject;
  readonly value: JsonObject;
  readonly permissions?: readonly string[];
  readonly users?: readonly string[];
  readonly roleId?: string;
  readonly expiresAt?: number;
  readonly passwords?: Readonly<Record<string, 'keep' | { readonly hash: string; readonly slot?: string }>>;
}

const Refused = z.object({ code: z.string(), message: z.string().optional(), id: z.string().optional() });
export type AccessRefusal = z.infer<typeof Refused>;

const Changes = z.object({
  changes: z.record(z.string(), z.object({ by: z.string().optional(), at: z.number().optional() })),
});

const Events = z.object({
  next: z.string(),
  lost: z.number(),
  restarted: z.boolean(),
  events: z.array(
    z.object({ type: z.string(), at: z.number(), by: z.string().optional(), remotes: z.array(z.string()).optional() }),
  ),
});
export type EventPage = z.infer<typeof Events>;

/**
 * What answers for an add-on that is not there: nobody, or the login that stands before the endpoints of flows (httpNodeAuth),
 * because what the admin API does not know goes on to those. The admin API itself never asks for a Basic login.
 */
const ELSEWHERE = [301, 302, 303, 307, 308, 404];

/** Talks to Plumbline's add-on inside a Node-RED. */
export class AddonClient {
  readonly #send: SendAuthorized;

  constructor(send: SendAuthorized) {
    this.#send = send;
  }

  /** What the add-on says of itself; undefined when this Node-RED does not have it. */
  async hello(signal: AbortSignal): Promise<Hello | undefined> {
    const request: HttpRequest = { method: 'GET', route: '/plumbline/hello', signal };
    const answer = await this.#send({ ...request, accept: [...ELSEWHERE, 401] });
    const basic = /^basic\b/i.test(answer.headers['www-authenticate'] ?? '');
    if (ELSEWHERE.includes(answer.status) || (answer.status === 401 && basic)) return undefined;
    if (answer.status !== 401) return read(Hello, answer.json);
    // Asked again so that an old token is renewed, and a wrong one told.
    return read(Hello, (await this.#send(request)).json);
  }

  /** @throws ReconcilerError with code `access-control-off`, `addon-missing` or `access-store`. */
  async access(signal: AbortSignal): Promise<Access> {
    const answer = await this.#send({ method: 'GET', route: '/plumbline/access', accept: [403, 404, 500], signal });
    if (answer.status !== 200) throw accessFailure(answer);
    return read(Access, answer.json);
  }

  /** Writes entries and takes others away, all or nothing; `stale` when somebody wrote since `revision` was read. */
  async changeAccess(
    change: {
      readonly revision: number;
      readonly set: readonly AccessWrite[];
      readonly remove: readonly string[];
      /** Values that no error may show, whatever the platform says. */
      readonly sensitive?: readonly string[];
    },
    signal: AbortSignal,
  ): Promise<Access | 'stale' | AccessRefusal> {
    const answer = await this.#send({
      method: 'PUT',
      route: '/plumbline/access',
      headers: { 'if-match': `"${change.revision}"` },
      text: JSON.stringify({ set: change.set, remove: change.remove }),
      sensitive: change.sensitive ?? [],
      accept: [403, 404, 409, 422, 500],
      signal,
    });
    if (answer.status === 409) return 'stale';
    if (answer.status === 422) return read(Refused, answer.json);
    if (answer.status !== 200) throw accessFailure(answer);
    return read(Access, answer.json);
  }

  /** Who changed which tab, subflow or config node last, and when (milliseconds since 1970), by id. */
  async changes(signal: AbortSignal): Promise<z.infer<typeof Changes>['changes']> {
    return read(Changes, (await this.#send({ method: 'GET', route: '/plumbline/changes', signal })).json).changes;
  }

  /** Events after a cursor; waits up to `wait` milliseconds (at most 30,000) for the first one. */
  async events(cursor: string | undefined, wait: number, signal: AbortSignal): Promise<EventPage> {
    const query = { wait: String(wait), ...(cursor === undefined ? {} : { after: cursor }) };
    return read(Events, (await this.#send({ method: 'GET', route: '/plumbline/events', query, signal })).json);
  }
}

/** What the add-on answered, checked. @throws ReconcilerError `addon-version` */
export function read<Shape extends z.ZodType>(shape: Shape, json: JsonValue | undefined): z.infer<Shape> {
  const parsed = shape.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new ReconcilerError(
    "Plumbline's add-on in Node-RED answered in a form that this version does not know.",
    'never',
    {
      code: 'addon-version',
      cause: parsed.error,
      remedy: 'Install the add-on that comes with this version of Plumbline, and restart Node-RED.',
    },
  );
}

function accessFailure(answer: HttpAnswer): ReconcilerError {
  const said = Refused.safeParse(answer.json);
  if (answer.status === 404) {
    return new ReconcilerError("Node-RED has no access API without Plumbline's add-on.", 'never', {
      code: 'addon-missing',
      remedy: ADDON_REMEDY,
    });
  }
  if (said.success && said.data.code === 'access-control-off') {
    return new ReconcilerError(
      'Node-RED runs without access control: adminAuth is not set, everybody may do everything.',
      'never',
      {
        code: 'access-control-off',
        remedy: 'Set adminAuth in settings.js and restart Node-RED.',
      },
    );
  }
  // Its words are not passed on: they may repeat what was sent.
  const why = said.success ? ` (${said.data.code})` : '';
  return new ReconcilerError(`The access file of Node-RED cannot be used${why}.`, 'backoff', {
    code: 'access-store',
    remedy: 'Repair or remove plumbline/access.json in the user directory of Node-RED, and restart it.',
  });
}

/** How the add-on gets into a Node-RED. */
const ADDON_REMEDY =
  "Add as last line of settings.js: module.exports = require('plumbline/dist/drivers/node-red/addon').wrap(module.exports);";
