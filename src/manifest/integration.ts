import { z } from 'zod';
import { AnyObject, notEnforced, Pointer, Secret, Text } from './fields.ts';
import type { JsonObject } from './manifest.ts';
import { ApiVersion, Metadata } from './metadata.ts';

const CODE = 'Remove it: this version manages the connection, not code that runs.';

/** A connection that workflows use: a credential, a config node, … */
export const Integration = z.strictObject({
  apiVersion: ApiVersion,
  kind: z.literal('Integration').describe('Kind of the object.'),
  metadata: Metadata.describe('Identity, labels and annotations.'),
  spec: z
    .strictObject({
      title: Text.describe(
        'What people see on the platform and what definitions refer to; the name when absent.',
      ).optional(),
      type: Text.describe("The platform's own name of the connection type, such as mqtt-broker."),
      settings: AnyObject.prefault({}).describe("Settings in the platform's own terms; no secrets."),
      secrets: z
        .record(z.string().min(1), Secret)
        .prefault({})
        .describe('Write-only values by the name that the platform gives them, each by reference.'),
      ignoreFields: z.array(Pointer).prefault([]).describe('JSON pointers into spec whose differences are left alone.'),
      code: notEnforced(CODE),
      schedule: notEnforced(CODE),
      records: notEnforced(CODE),
    })
    .describe('Desired state of the integration.'),
});
export type Integration = z.infer<typeof Integration>;

/** What `Manifest.spec()` holds for an Integration; its secrets are in `Manifest.secrets` under the names of `spec.secrets`. */
export interface IntegrationSpec {
  readonly title: string;
  readonly type: string;
  readonly settings: JsonObject;
}
