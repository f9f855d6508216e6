import { z } from 'zod';
import { exactlyOne, Name, refusal, Secret, Text } from './fields.ts';
import { ApiVersion, Metadata } from './metadata.ts';

const Subject = z.strictObject({
  user: Text.describe('The user as the platform knows them (login name or address).'),
  password: Secret.describe('Password by reference, for platforms on which Plumbline keeps the users.').optional(),
});

const Scope = exactlyOne(
  z.strictObject({
    application: Name.describe('Only this Application.').optional(),
    workflow: Name.describe('Only this Workflow.').optional(),
    data: Text.describe('Only this collection of records.').optional(),
    platform: z.literal(true).describe('The whole platform.').optional(),
  }),
  ['application', 'workflow', 'data', 'platform'],
);

/** Who holds a role, on what, and until when. */
export const AccessGrant = z.strictObject({
  apiVersion: ApiVersion,
  kind: z.literal('AccessGrant').describe('Kind of the object.'),
  metadata: Metadata.describe('Identity, labels and annotations.'),
  spec: z
    .strictObject({
      role: Name.describe('Name of the AccessRole that is granted.'),
      subjects: z
        .array(Subject)
        .min(1, { error: refusal('is empty', 'Name at least one user, or delete the grant.') })
        .check((context) => {
          const seen = new Set<string>();
          for (const [index, { user }] of context.value.entries()) {
            if (seen.has(user)) {
              const message = refusal(`names ${user} twice`, 'Name each user once.');
              context.issues.push({ code: 'custom', input: user, path: [index, 'user'], message });
            }
            seen.add(user);
          }
        })
        .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['user'] })
        .describe('Who holds the role.'),
      scope: Scope.prefault({ platform: true }).describe(
        'On what the role holds: application, workflow, data or platform.',
      ),
      expiresAt: z.iso
        .datetime({
          offset: true,
          error: refusal('is not a point in time', 'Write it as "2027-01-31T00:00:00Z", with Z or an offset.'),
        })
        .describe('When the grant ends (ISO 8601 with Z or an offset); never when absent.')
        .optional(),
      justification: Text.describe('Why the access is needed, for audits.').optional(),
    })
    .describe('Desired state of the grant.'),
});
export type AccessGrant = z.infer<typeof AccessGrant>;

/**
 * What `Manifest.spec()` holds for an AccessGrant. A subject's password is in `Manifest.secrets` under the name that
 * `passwordName` gives.
 */
export interface AccessGrantSpec {
  readonly role: string;
  readonly subjects: readonly { readonly user: string }[];
  readonly scope:
    | { readonly application: string }
    | { readonly workflow: string }
    | { readonly data: string }
    | { readonly platform: true };
  readonly expiresAt?: string;
  readonly justification?: string;
}

/** The name of a subject's password in `Manifest.secrets`. */
export function passwordName(user: string): string {
  return `password:${user}`;
}
