import { z } from 'zod';
import type { TokenRecord, Tokens } from '../../ledger/tokens.ts';
import type { Log } from '../../report/log.ts';
import { Duration } from '../../manifest/fields.ts';
import { refused, route } from './route.ts';
import type { Call, Route } from './route.ts';
import { ErrorBody, TokenIssued, TokenList, TokenRequest } from './shapes.ts';

export interface TokenParts {
  readonly tokens: Tokens;
  readonly log: Log;
  readonly now: () => number;
}

/** Milliseconds: a grace that is longer is not one. */
const LONGEST_GRACE = 30 * 24 * 3600 * 1000;

const Params = z.strictObject({ id: z.string().regex(/^[a-z0-9]{1,40}$/) });
const RotateRequest = z
  .strictObject({
    grace: Duration.prefault('0s')
      .refine((grace) => grace <= LONGEST_GRACE, 'is longer than 30 days (720h)')
      .describe('How long the secret it had is taken too, such as 24h.'),
  })
  .meta({ id: 'RotateRequest' });

/** Tokens, for who may do everything: whoever makes tokens can give every right away. */
export function tokenRoutes({ tokens, log, now }: TokenParts): readonly Route[] {
  const needs = () => ({ right: 'admin' as const });
  const changed = (what: string, { caller }: Pick<Call, 'caller'>, { id, name, scopes }: TokenRecord): void =>
    log.info(what, { token: id, name, scopes, by: caller.name });
  return [
    route({
      method: 'GET',
      path: '/tokens',
      id: 'listTokens',
      summary: 'Tokens, those of no use any more included',
      needs,
      answers: { 200: TokenList },
      handle: async () => ({ status: 200, body: { tokens: tokens.list().map(tokenJson) } }),
    }),
    route({
      method: 'POST',
      path: '/tokens',
      id: 'createToken',
      summary: 'Make a token',
      description: 'The token is told in this answer only; a hash of it is kept.',
      needs,
      body: TokenRequest,
      answers: { 201: TokenIssued, 409: ErrorBody },
      tells: ['token'],
      handle: async (call) => {
        const { name, scopes, expiresAt, rates } = call.body;
        const expires = expiresAt === undefined ? undefined : Date.parse(expiresAt);
        if (expires !== undefined && expires <= now())
          return refused(400, { code: 'invalid-arguments', message: 'expiresAt is in the past.' });
        const { token, record } = tokens.create({
          name,
          scopes: [...new Set(scopes)],
          by: call.caller.name,
          rates: ratesOf(rates),
          ...(expires === undefined ? {} : { expiresAt: expires }),
        });
        changed('token created', call, record);
        return { status: 201, body: { ...tokenJson(record), token } };
      },
    }),
    route({
      method: 'POST',
      path: '/tokens/:id/rotate',
      id: 'rotateToken',
      summary: 'Give a token another secret',
      needs,
      params: Params,
      body: RotateRequest,
      answers: { 200: TokenIssued, 409: ErrorBody },
      tells: ['token'],
      handle: async (call) => {
        const { token, record } = tokens.rotate(call.params.id, call.body.grace);
        changed('token rotated', call, record);
        return { status: 200, body: { ...tokenJson(record), token } };
      },
    }),
    route({
      method: 'DELETE',
      path: '/tokens/:id',
      id: 'revokeToken',
      summary: 'Take a token no more',
      needs,
      params: Params,
      answers: { 204: undefined },
      handle: async (call) => {
        changed('token revoked', call, tokens.revoke(call.params.id));
        return { status: 204 };
      },
    }),
  ];
}

function ratesOf(rates: z.output<typeof TokenRequest>['rates']) {
  const { read, trigger } = rates ?? {};
  return { ...(read === undefined ? {} : { read }), ...(trigger === undefined ? {} : { trigger }) };
}

function tokenJson(record: TokenRecord) {
  const { id, name, scopes, rates, createdBy } = record;
  return {
    id,
    name,
    scopes,
    rates,
    createdBy,
    createdAt: new Date(record.createdAt).toISOString(),
    ...time('expiresAt', record.expiresAt),
    ...time('rotatedAt', record.rotatedAt),
    ...time('formerUntil', record.formerUntil),
    ...time('lastUsedAt', record.usedAt),
    ...time('revokedAt', record.revokedAt),
  };
}

function time(name: string, at: number | undefined): Readonly<Record<string, string>> {
  return at === undefined ? {} : { [name]: new Date(at).toISOString() };
}
