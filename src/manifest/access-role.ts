import { z } from 'zod';
import { AnyObject, clusterRules, refusal, Text } from './fields.ts';
import type { JsonObject } from './manifest.ts';
import { ApiVersion, Metadata } from './metadata.ts';

const Permission = z
  .strictObject({
    on: z.enum(['workflow', 'integration', 'data']).describe('What the permission is about.'),
    verbs: z
      .array(z.enum(['read', 'create', 'update', 'delete', 'run']))
      .min(1, { error: refusal('is empty', 'Name at least one verb.') })
      .describe('What may be done.'),
    collection: Text.describe('Collection of records; only on data.').optional(),
    fields: z.array(Text).describe('Fields of the collection; all when absent; only on data.').optional(),
    where: AnyObject.describe("Condition on records in the platform's own terms; only on data.").optional(),
  })
  .meta(
    clusterRules(
      { rule: "self.on != 'data' || has(self.collection)", message: 'A permission on data needs its collection.' },
      {
        rule: "self.on == 'data' || !(has(self.collection) || has(self.fields) || has(self.where))",
        message: 'Only a permission on data has collection, fields and where.',
      },
    ),
  )
  .check((context) => {
    const { on, collection, fields, where } = context.value;
    const add = (name: string, message: string, remedy: string): void => {
      context.issues.push({ code: 'custom', input: context.value, path: [name], message: refusal(message, remedy) });
    };
    if (on === 'data') {
      if (collection === undefined)
        add('collection', 'is missing', 'Name the collection that a permission on data is about.');
      return;
    }
    for (const [name, value] of Object.entries({ collection, fields, where })) {
      if (value !== undefined) add(name, `has no meaning on ${on}`, 'Remove it, or write on: data.');
    }
  });

/** What its holders may do. */
export const AccessRole = z.strictObject({
  apiVersion: ApiVersion,
  kind: z.literal('AccessRole').describe('Kind of the object.'),
  metadata: Metadata.describe('Identity, labels and annotations.'),
  spec: z
    .strictObject({
      title: Text.describe('What people see on the platform; the name when absent.').optional(),
      exclusive: z
        .boolean()
        .default(false)
        .describe('Whether grants of this role that are not in git are taken away; otherwise they are only reported.'),
      permissions: z.array(Permission).prefault([]).describe('What holders may do, in terms that fit every platform.'),
      native: AnyObject.prefault({}).describe("The platform's own terms, where the portable ones do not reach."),
    })
    .prefault({})
    .describe('Desired state of the role.'),
});
export type AccessRole = z.infer<typeof AccessRole>;

/** What `Manifest.spec()` holds for an AccessRole. */
export interface AccessRoleSpec {
  readonly title: string;
  readonly exclusive: boolean;
  readonly permissions: readonly {
    readonly on: 'workflow' | 'integration' | 'data';
    readonly verbs: readonly ('read' | 'create' | 'update' | 'delete' | 'run')[];
    readonly collection?: string;
    readonly fields?: readonly string[];
    readonly where?: JsonObject;
  }[];
  readonly native: JsonObject;
}
