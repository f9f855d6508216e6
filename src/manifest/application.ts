import { z } from 'zod';
import { notEnforced, Text } from './fields.ts';
import { ApiVersion, Metadata } from './metadata.ts';

/** A group of workflows that belong together. */
export const Application = z.strictObject({
  apiVersion: ApiVersion,
  kind: z.literal('Application').describe('Kind of the object.'),
  metadata: Metadata.describe('Identity, labels and annotations.'),
  spec: z
    .strictObject({
      title: Text.describe('What people see on the platform; the name when absent.').optional(),
      environment: Text.describe('Environment it runs in, such as production.').optional(),
      version: Text.describe('Version of the application, in quotes when it looks like a number.').optional(),
      owner: Text.describe('Team or person responsible.').optional(),
      classification: notEnforced('Remove it until data classification is enforced.'),
    })
    .prefault({})
    .describe('Desired state of the application.'),
});
export type Application = z.infer<typeof Application>;

/** What `Manifest.spec()` holds for an Application. */
export interface ApplicationSpec {
  readonly title: string;
  readonly environment?: string;
  readonly version?: string;
  readonly owner?: string;
}
