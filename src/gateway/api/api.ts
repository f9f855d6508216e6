import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { SecretValue } from '../../secrets/secrets.ts';
import type { WebhookRegister } from '../../drivers/webhook-register.ts';
import type { Audit } from '../../ledger/audit.ts';
import type { Owners } from '../../ledger/owners.ts';
import type { Runs } from '../../ledger/runs.ts';
import type { Tokens } from '../../ledger/tokens.ts';
import type { GatewayReports } from '../../report/gateway-report.ts';
import type { Log } from '../../report/log.ts';
import { Access } from './access.ts';
import { deliveryRoutes } from './deliveries.ts';
import type { Deliveries } from './deliveries.ts';
import { executionRoutes } from './executions.ts';
import { openApi } from './openapi.ts';
import { operationRoutes } from './operations.ts';
import type { OperationParts } from './operations.ts';
import type { ConnectedPlatforms } from './platforms.ts';
import { auditRoute } from './records.ts';
import { route } from './route.ts';
import type { Route } from './route.ts';
import { serve } from './serve.ts';
import { tokenRoutes } from './tokens.ts';
import { AuditTrail } from './trail.ts';
import { TriggerRoute } from './trigger.ts';
import type { CheckTrigger } from './trigger.ts';
import { webhookRoutes } from './webhooks.ts';

export interface ApiParts {
  readonly version: string;
  /** The ledger, as far as the API writes it. */
  readonly ledger: { readonly tokens: Tokens; readonly audit: Audit; readonly runs: Runs; readonly owners: Owners };
  /** The token that lies in the state directory: it may do everything. */
  readonly rootToken: string;
  readonly platforms: ConnectedPlatforms;
  readonly operations: OperationParts;
  readonly checkTrigger: CheckTrigger;
  /** No routes for webhooks and deliveries where these are absent. */
  readonly webhooks?: WebhookRegister;
  readonly deliveries?: Deliveries;
  /** Makes a value hidden, and kept out of every text. */
  readonly hold: (value: string) => SecretValue;
  readonly redact: (text: string) => string;
  readonly reports: GatewayReports;
  readonly log: Log;
  readonly now: () => number;
  /** Ends what is under way when the daemon stops. */
  readonly signal: AbortSignal;
}

/** Every route of the API, as the parts allow. */
export function apiRoutes(parts: ApiParts, trail: AuditTrail): readonly Route[] {
  const { ledger, webhooks, deliveries } = parts;
  const routes: Route[] = [
    new TriggerRoute({ ...parts, ...ledger }).route,
    ...executionRoutes({ ...parts, ...ledger }),
    ...(webhooks === undefined ? [] : webhookRoutes({ ...parts, ...ledger, webhooks })),
    ...operationRoutes(parts.operations),
    ...(deliveries === undefined ? [] : deliveryRoutes(deliveries)),
    ...tokenRoutes({ ...parts, ...ledger }),
    auditRoute({ ...ledger, trail }),
  ];
  const all = [...routes, documentRoute(() => document)];
  const document = openApi(all, parts.version);
  return all;
}

/**
 * Adds the API under /api/v1 to a server that hands bodies over as Buffers. Runs that were begun before this start and
 * have no outcome are unknown from now on.
 */
export async function registerApi(server: FastifyInstance, parts: ApiParts): Promise<void> {
  const { ledger, log, rootToken, now } = parts;
  const unfinished = ledger.runs.recover();
  if (unfinished > 0) log.warn('runs without an outcome', { runs: unfinished });
  const trail = new AuditTrail(ledger.audit, log);
  const access = new Access({ tokens: ledger.tokens, rootToken, log, now });
  server.addHook('onClose', async () => trail.flush());
  await server.register(async (api) => serve(api, apiRoutes(parts, trail), { ...parts, access, trail }), {
    prefix: '/api/v1',
  });
}

function documentRoute(document: () => unknown): Route {
  return route({
    method: 'GET',
    path: '/openapi.json',
    id: 'getOpenApi',
    summary: 'This document',
    needs: () => 'token',
    answers: { 200: z.looseObject({ openapi: z.string() }) },
    handle: async () => ({ status: 200, body: document() }),
  });
}
