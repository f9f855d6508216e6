import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { ReconcilerError } from '../../errors.ts';
import type { GatewayReports } from '../../report/gateway-report.ts';
import type { Log } from '../../report/log.ts';
import type { Access } from './access.ts';
import { errorJson } from './error-json.ts';
import { jsonOf } from './json-body.ts';
import { refused } from './route.ts';
import type { Answer, Call, Caller, Given, Route } from './route.ts';
import { isName } from './scopes.ts';
import type { AuditTrail } from './trail.ts';

export interface ServeParts {
  readonly access: Access;
  readonly trail: AuditTrail;
  readonly reports: GatewayReports;
  readonly redact: (text: string) => string;
  readonly log: Log;
  readonly now: () => number;
}

/** What is known of a request under way, for the audit. */
interface State {
  caller?: Caller;
  turnedAway: boolean;
  correlation?: string;
}

/** Adds the routes to a server, each behind authentication, scope and rate, in this order, and all of them audited. */
export function serve(api: FastifyInstance, routes: readonly Route[], parts: ServeParts): void {
  const states = new WeakMap<FastifyRequest, State>();
  const known = new Map(routes.map((route) => [`${route.method} ${route.path}`, route]));
  const routeOf = (request: FastifyRequest): Route | undefined =>
    known.get(`${request.method} ${(request.routeOptions.url ?? '').slice(api.prefix.length)}`);

  // Before anything is looked up, so that who has no token learns nothing from the answer: not even what exists.
  api.addHook('onRequest', async (request, reply) => {
    const { state, refusal } = admit(request, request.is404 ? undefined : routeOf(request), parts);
    states.set(request, state);
    return refusal === undefined ? undefined : send(reply, refusal);
  });
  api.addHook('onResponse', async (request, reply) => {
    const state = states.get(request) ?? { turnedAway: true };
    parts.trail.add(recordOf(request, reply, { state, at: parts.now(), path: routeOf(request)?.path }));
  });
  api.setNotFoundHandler(async (_request, reply) =>
    send(reply, refused(404, { code: 'not-found', message: 'There is nothing here.' })),
  );
  api.setErrorHandler(async (error, request, reply) => {
    const answer = answerTo(error);
    if (answer.status === 500)
      parts.log.error('request failed', { listener: 'private', route: request.routeOptions.url, error });
    return send(reply, redacted(answer, [], parts.redact));
  });
  for (const route of routes) {
    api.route({
      method: route.method,
      url: route.path,
      handler: async (request, reply) => {
        const answer = await handled(route, request, states.get(request));
        return send(reply, redacted(answer, route.tells ?? [], parts.redact));
      },
    });
  }
}

function admit(
  request: FastifyRequest,
  route: Route | undefined,
  { access, reports }: ServeParts,
): { readonly state: State; readonly refusal?: Answer } {
  const admission = access.authenticate(request);
  const who = admission.caller === undefined ? {} : { caller: admission.caller };
  if ('answer' in admission) {
    reports.refused('private', admission.reason);
    return { state: { ...who, turnedAway: true }, refusal: admission.answer };
  }
  const { caller, rates } = admission;
  const need = route?.needs(givenOf(request.params), givenOf(request.query)) ?? 'token';
  const unauthorized = access.authorize(caller, need);
  if (unauthorized !== undefined) reports.refused('private', 'scope');
  const refusal = unauthorized ?? access.limit(caller, rates, request.method);
  if (unauthorized === undefined && refusal !== undefined) reports.refused('private', 'rate');
  return { state: { ...who, turnedAway: refusal !== undefined }, ...(refusal === undefined ? {} : { refusal }) };
}

async function handled(route: Route, request: FastifyRequest, state: State | undefined): Promise<Answer> {
  const caller = state?.caller;
  if (state === undefined || caller === undefined) throw new Error('a route was reached without authentication');
  const sent = jsonSent(request);
  if ('status' in sent) return sent;
  const params = route.params?.safeParse(request.params);
  // A name that nobody can have is not there; why it cannot be there is of no use to honest callers.
  if (params?.success === false) return refused(404, { code: 'not-found', message: 'There is nothing here.' });
  const query = route.query?.safeParse({ ...(request.query as object) });
  const body = route.body?.safeParse(sent.json);
  const wrong = [...(query?.error?.issues ?? []).map(unrepeated), ...(body?.error?.issues ?? [])];
  if (wrong.length > 0) return invalid(wrong);
  const call: Call = {
    caller,
    params: params?.data,
    query: query?.data,
    body: body?.data,
    header: (name) => {
      const value = request.headers[name];
      return Array.isArray(value) ? value[0] : value;
    },
    about: (correlation) => {
      state.correlation = correlation;
    },
  };
  return route.handle(call);
}

function jsonSent(request: FastifyRequest): { readonly json: unknown } | Answer {
  const { body } = request;
  const hasBody = Buffer.isBuffer(body) && body.length > 0;
  if (hasBody && !/^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? '')) {
    const message = 'The body is not said to be JSON.';
    return refused(415, { code: 'not-json', message, remedy: 'Send it with content-type: application/json.' });
  }
  const read = jsonOf(body);
  if ('json' in read) return read;
  return refused(400, { code: 'malformed', message: `The body cannot be taken: ${read.because}.` });
}

/** People who try where a token belongs put it into the query: what is not read there is not repeated either. */
function unrepeated({ code, path, message }: z.core.$ZodIssue): Pick<z.core.$ZodIssue, 'path' | 'message'> {
  return code === 'unrecognized_keys'
    ? { path: ['query'], message: 'has a parameter that nobody reads' }
    : { path, message };
}

function invalid(issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[]): Answer {
  const wrong = issues
    .slice(0, 10)
    .map(({ path, message }) => `${path.length === 0 ? 'arguments' : path.join('.')}: ${message}`.slice(0, 300));
  return refused(400, {
    code: 'invalid-arguments',
    message: `The arguments are not in order: ${wrong.join('; ').replace(/\.$/, '')}.`,
    remedy: 'Correct them; GET /api/v1/openapi.json says what each call takes.',
  });
}

/** The answer that something thrown stands for. */
function answerTo(error: unknown): Answer {
  if (error instanceof ReconcilerError) {
    const { retryAfter } = error;
    return refused(statusOf(error), { ...errorJson(error), ...(retryAfter === undefined ? {} : { retryAfter }) });
  }
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
  if (status === 413) return refused(413, { code: 'too-large', message: 'The body is larger than is taken here.' });
  if (status >= 400 && status < 500)
    return refused(status, { code: 'malformed', message: 'This is not a request that can be read.' });
  return refused(500, { code: 'internal', message: 'Something went wrong here; the log says what.', retry: 'backoff' });
}

const STATUS: Readonly<Record<string, number>> = {
  'unknown-operation': 404,
  'not-found': 404,
  'invalid-arguments': 400,
  conflict: 409,
  stale: 409,
  'token-revoked': 409,
  'tokens-full': 409,
  'keys-full': 429,
};

function statusOf({ code, retry }: ReconcilerError): number {
  return (code === undefined ? undefined : STATUS[code]) ?? (retry === 'never' ? 422 : 503);
}

/** The answer with no secret in any string of it, but for the fields that tell one on purpose. */
function redacted({ body, ...answer }: Answer, tells: readonly string[], redact: (text: string) => string): Answer {
  if (body === undefined) return answer;
  const plain = JSON.parse(JSON.stringify(body), (_, value: unknown) =>
    typeof value === 'string' ? redact(value) : value,
  ) as Record<string, unknown>;
  for (const name of tells) {
    if (typeof body === 'object' && body !== null && name in body)
      plain[name] = (body as Record<string, unknown>)[name];
  }
  return { ...answer, body: plain };
}

function send(reply: FastifyReply, { status, body, headers = {} }: Answer): FastifyReply {
  reply.code(status).headers(headers);
  return body === undefined ? reply.send() : reply.type('application/json; charset=utf-8').send(JSON.stringify(body));
}

function recordOf(
  { method, params, ip }: FastifyRequest,
  { statusCode }: FastifyReply,
  { state, at, path }: { readonly state: State; readonly at: number; readonly path: string | undefined },
) {
  const { caller, turnedAway, correlation } = state;
  const { platform, workflow } = givenOf(params);
  return {
    at,
    refused: turnedAway,
    times: 1,
    ...(caller === undefined ? {} : { token: caller.id, name: caller.name }),
    method,
    route: path ?? 'none',
    // What nobody can be called is not worth a line, and was made up by who called.
    ...(platform !== undefined && isName(platform) ? { platform } : {}),
    ...(workflow !== undefined && isName(workflow) ? { workflow } : {}),
    ...(correlation === undefined ? {} : { correlation }),
    status: statusCode,
    address: ip,
  };
}

/** Values that were sent once each; a repeated one counts as none. */
function givenOf(values: unknown): Given {
  const entries = Object.entries((values ?? {}) as Record<string, unknown>);
  return Object.fromEntries(entries.map(([name, value]) => [name, typeof value === 'string' ? value : undefined]));
}
