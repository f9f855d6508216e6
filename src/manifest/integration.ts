import { z } from 'zod';
import {
  AnyObject,
  clusterRules,
  Cron,
  EventPattern,
  exactlyOne,
  Module,
  Pointer,
  refusal,
  Secret,
  Text,
} from './fields.ts';
import { GitRef } from './git.ts';
import type { JsonObject } from './manifest.ts';
import { ApiVersion, Metadata } from './metadata.ts';
import { isCronExpression } from './cron.ts';

const Code = z.strictObject({
  repository: Text.describe('URL of the repository with the code; the Sync has to allow it (spec.code.repositories).'),
  ref: GitRef.prefault({ branch: 'main' }).describe(
    'Which commit runs: branch, tag, commit or semver. It is pinned when the Integration is applied, and moved by "plumbline repin".',
  ),
  path: z.string().default('').describe('Folder in the repository that holds the code; the root when empty.'),
  entry: Module.describe('ES module in that folder that exports execute(context).'),
  settings: AnyObject.prefault({}).describe('Handed to the code with every call; no secrets.'),
  secrets: z
    .record(z.string().min(1), Secret)
    .prefault({})
    .describe('Values that the code gets with every call, by name, each by reference; no others reach it.'),
});

const Records = exactlyOne(
  z.strictObject({
    schema: AnyObject.describe(
      'JSON Schema (2020-12, or draft-07 by its $schema) of the data of each record.',
    ).optional(),
    schemaFrom: z
      .strictObject({ file: Text.describe('JSON file of the source, relative to this one.') })
      .describe('Where the schema is kept.')
      .optional(),
    attempts: z
      .int()
      .min(1)
      .max(100)
      .default(8)
      .describe('Attempts to deliver a record before it becomes a dead letter; the pauses between them grow to 15m.'),
  }),
  ['schema', 'schemaFrom'],
);

/** A connection that workflows use (a credential, a config node, …), code that brings records from one place to another, or both. */
export const Integration = z.strictObject({
  apiVersion: ApiVersion,
  kind: z.literal('Integration').describe('Kind of the object.'),
  metadata: Metadata.describe('Identity, labels and annotations.'),
  spec: z
    .strictObject({
      title: Text.describe(
        'What people see on the platform and what definitions refer to; the name when absent.',
      ).optional(),
      type: Text.describe(
        "The platform's own name of the connection type, such as mqtt-broker; absent where there is only code.",
      ).optional(),
      settings: AnyObject.prefault({}).describe("Settings of the connection in the platform's own terms; no secrets."),
      secrets: z
        .record(z.string().min(1), Secret)
        .prefault({})
        .describe('Write-only values of the connection by the name that the platform gives them, each by reference.'),
      ignoreFields: z.array(Pointer).prefault([]).describe('JSON pointers into spec whose differences are left alone.'),
      code: Code.describe('Code that Plumbline runs; only where the Sync allows its repository.').optional(),
      schedule: Cron.refine(isCronExpression, {
        error: refusal('is not a cron expression', 'Write five fields, such as "*/5 * * * *" (every five minutes).'),
      })
        .describe('When the code runs (cron expression, UTC); by events and commands only when absent.')
        .optional(),
      events: z
        .array(EventPattern)
        .describe('Types of events of the platform that the code runs on, such as order.created.')
        .optional(),
      records: Records.describe(
        'What the records that the code yields have to be; not checked when absent.',
      ).optional(),
    })
    .check((context) => {
      const { type, code, schedule, events, records, settings, secrets } = context.value;
      const refuse = (path: PropertyKey[], message: string, remedy: string): void => {
        context.issues.push({ code: 'custom', input: context.value, path, message: refusal(message, remedy) });
      };
      if (type === undefined && code === undefined)
        refuse([], 'has neither type nor code', 'Give one of them, or both.');
      if (type === undefined && Object.keys(settings).length > 0)
        refuse(['settings'], 'belongs to a type, which is missing', 'Give type, or use code.settings.');
      if (type === undefined && Object.keys(secrets).length > 0)
        refuse(['secrets'], 'belongs to a type, which is missing', 'Give type, or use code.secrets.');
      if (code !== undefined) return;
      for (const [field, value] of Object.entries({ schedule, events, records }))
        if (value !== undefined) refuse([field], 'belongs to code, which is missing', 'Give code, or remove it.');
    })
    .meta(
      clusterRules(
        { rule: 'has(self.type) || has(self.code)', message: 'Give type or code, or both.' },
        {
          rule: 'has(self.code) || !(has(self.schedule) || has(self.events) || has(self.records))',
          message: 'schedule, events and records belong to code.',
        },
      ),
    )
    .describe('Desired state of the integration.'),
});
export type Integration = z.infer<typeof Integration>;

/** What `Manifest.spec()` holds for an Integration; its secrets are in `Manifest.secrets` under the names of `spec.secrets`. */
export interface IntegrationSpec extends Partial<IntegrationRuns> {
  readonly title: string;
  /** Absent where there is only code. */
  readonly type?: string;
  readonly settings: JsonObject;
}

/** How an Integration's own code runs. */
export interface IntegrationRuns {
  readonly code: {
    readonly repository: string;
    readonly ref: z.infer<typeof GitRef>;
    /** The commit that is pinned; absent as the manifest writes it. */
    readonly commit?: string;
    readonly path: string;
    readonly entry: string;
    readonly settings: JsonObject;
    /** References, never values. */
    readonly secrets: z.infer<typeof Code>['secrets'];
  };
  readonly schedule?: string;
  readonly events?: readonly string[];
  readonly records?: { readonly schema: JsonObject; readonly attempts: number };
}

/** The fields of a spec that are about code. */
export const RUN_FIELDS = ['code', 'schedule', 'events', 'records'] as const;
