import { z } from 'zod';
import { EventPattern, refusal } from '../../manifest/fields.ts';
import { Scope, isName } from './scopes.ts';

/** What goes in and out of the API. The same schemas check requests and make the OpenAPI document. */

const Time = z.iso.datetime().describe('RFC 3339, in UTC.');

/** Every refusal and failure. */
export const ErrorBody = z
  .strictObject({
    error: z.strictObject({
      message: z.string().describe('What is wrong, and why.'),
      code: z.string().optional().describe('A stable word for programs.'),
      remedy: z.string().optional().describe('What to do about it.'),
      retry: z
        .enum(['backoff', 'replan', 'never'])
        .optional()
        .describe('Whether the same call may succeed later; never when absent.'),
      plugin: z.string().optional().describe('The plugin that refused the input.'),
      correlationId: z.uuid().optional().describe('The run concerned.'),
    }),
  })
  .meta({ id: 'Error' });

/** A name out of a path; one that nobody can have is not there. */
export const PathName = z.string().refine(isName);

export const TriggerRequest = z
  .strictObject({
    input: z
      .unknown()
      .optional()
      .describe('Handed to the workflow as it is: any JSON, at most 100 levels deep; null when absent.'),
    entry: z.string().min(1).max(200).optional().describe('Which entry of the workflow to use, where it has several.'),
  })
  .meta({ id: 'TriggerRequest' });

const EXECUTION_STATUS = ['accepted', 'running', 'succeeded', 'failed', 'not-started', 'unknown'] as const;
export type ExecutionStatus = (typeof EXECUTION_STATUS)[number];

const Status = z
  .enum(EXECUTION_STATUS)
  .describe(
    'accepted: the platform took it and has not told of the execution yet; unknown: nobody knows whether it began, look on the platform before asking again; not-started: it surely did not begin.',
  );

export const TriggerAnswer = z
  .strictObject({
    correlationId: z.uuid().describe('Stands for this run until the execution is known, and after.'),
    status: Status,
    execution: z.string().optional().describe("The platform's id of the execution, where it tells at once."),
    answer: z
      .strictObject({ status: z.int(), body: z.unknown() })
      .optional()
      .describe('What the workflow answered, where it answered in time.'),
  })
  .meta({ id: 'TriggerAnswer' });

export const ExecutionJson = z
  .strictObject({
    id: z.string().describe("The platform's id of the execution; the correlation id until it is known."),
    correlationId: z.uuid().optional().describe('Absent when the run was not asked for here.'),
    workflow: z.string().optional().describe('Name of the workflow; absent when no Sync owns it.'),
    status: Status,
    askedAt: Time.optional().describe('When it was asked for here.'),
    startedAt: Time.optional(),
    endedAt: Time.optional(),
    error: z.string().optional(),
  })
  .meta({ id: 'Execution' });

export const ExecutionList = z.strictObject({ executions: z.array(ExecutionJson) }).meta({ id: 'ExecutionList' });

const CallbackUrl = z
  .string()
  .max(2000)
  .refine(
    (text) => {
      const url = URL.parse(text);
      return url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
    },
    refusal('is not an http or https URL without credentials', 'Write it such as https://oncall.example.com/hook.'),
  );

export const WebhookRequest = z
  .strictObject({
    event: EventPattern.max(200).describe('Type of the events to deliver: order.created, workflow.* or *.'),
    callback_url: CallbackUrl.describe('Where they are delivered to.'),
    secret: z
      .string()
      .min(16)
      .max(256)
      .regex(/^[!-~]+$/)
      .optional()
      .describe('What deliveries are signed with; made and told once when absent.'),
  })
  .meta({ id: 'WebhookRequest' });

const WebhookJson = z
  .strictObject({
    id: z.string(),
    event: z.string(),
    callback_url: z.string(),
    active: z.boolean(),
    signed: z.boolean(),
    createdAt: Time,
    changedAt: Time,
    changedBy: z.string(),
    manifest: z.string().optional().describe('The manifest that governs it: change it there.'),
  })
  .meta({ id: 'Webhook' });

export const WebhookCreated = z
  .strictObject({
    ...WebhookJson.shape,
    secret: z.string().optional().describe('What deliveries are signed with, told this once, when it was made here.'),
  })
  .meta({ id: 'WebhookCreated' });

export const WebhookList = z.strictObject({ webhooks: z.array(WebhookJson) }).meta({ id: 'WebhookList' });

const Rate = z.strictObject({ perSecond: z.number().min(0.01).max(10_000), burst: z.int().min(1).max(100_000) });
const Rates = z
  .strictObject({ read: Rate.optional(), trigger: Rate.optional() })
  .describe('Limits other than the usual ones: read for GET, trigger for everything else.');

export const TokenRequest = z
  .strictObject({
    name: z
      .string()
      .trim()
      .min(1)
      .max(100)
      .regex(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$/u)
      .describe('What people call it; the audit says it.'),
    scopes: z
      .array(Scope)
      .min(1)
      .max(50)
      .describe('read, trigger or admin, alone or limited: trigger:PLATFORM/WORKFLOW.'),
    expiresAt: Time.optional().describe('From when on it is not taken; never when absent.'),
    rates: Rates.optional(),
  })
  .meta({ id: 'TokenRequest' });

const TokenJson = z
  .strictObject({
    id: z.string(),
    name: z.string(),
    scopes: z.array(z.string()),
    rates: Rates,
    createdAt: Time,
    createdBy: z.string(),
    expiresAt: Time.optional(),
    rotatedAt: Time.optional(),
    formerUntil: Time.optional().describe('Until when the secret before the rotation is taken too.'),
    lastUsedAt: Time.optional().describe('To the minute.'),
    revokedAt: Time.optional(),
  })
  .meta({ id: 'Token' });

export const TokenIssued = z
  .strictObject({ ...TokenJson.shape, token: z.string().describe('The token itself, told this once.') })
  .meta({ id: 'TokenIssued' });

export const TokenList = z.strictObject({ tokens: z.array(TokenJson) }).meta({ id: 'TokenList' });

const AuditJson = z
  .strictObject({
    id: z.int(),
    at: Time,
    refused: z.boolean(),
    times: z.int().describe('How many equal calls it stands for; refused ones are counted together.'),
    token: z.string().optional(),
    name: z.string().optional(),
    method: z.string(),
    route: z.string(),
    platform: z.string().optional(),
    workflow: z.string().optional(),
    correlationId: z.uuid().optional(),
    status: z.int(),
    address: z.string(),
  })
  .meta({ id: 'AuditRecord' });

export const AuditList = z.strictObject({ records: z.array(AuditJson) }).meta({ id: 'AuditList' });
