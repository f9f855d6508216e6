import { z } from 'zod';
import { exactlyOne, KeyRef, Name, Pointer, refusal, Text } from './fields.ts';
import { ApiVersion, Metadata } from './metadata.ts';
import type { JsonValue } from './manifest.ts';

const DefinitionFile = Text.regex(/\.json$/i, {
  error: 'is not the name of a JSON file\nKeep the definition in a file that ends in .json.',
});

const ONLY_IN_CLUSTER = refusal(
  'is for custom resources, which a Sync reads by source.cluster',
  'Use file with a file of this source.',
);

/** A flow, scenario or automation in the platform's own format. */
export const Workflow = z.strictObject({
  apiVersion: ApiVersion,
  kind: z.literal('Workflow').describe('Kind of the object.'),
  metadata: Metadata.describe('Identity, labels and annotations.'),
  spec: exactlyOne(
    z.strictObject({
      title: Text.describe('What people see on the platform; the name when absent.').optional(),
      application: Name.describe('Name of the Application it belongs to.').optional(),
      version: Text.describe('Version of the workflow, in quotes when it looks like a number.').optional(),
      active: z.boolean().describe('Whether it runs; absent: left as it is on the platform.').optional(),
      format: Text.describe("Format of the definition; the platform's driver when absent.").optional(),
      definition: z.json().describe("The definition in the platform's own format.").optional(),
      definitionFrom: exactlyOne(
        z.strictObject({
          file: DefinitionFile.describe('JSON file of the definition, relative to the file that says so.').optional(),
          // The cluster source puts a file in its place before anything is read.
          configMapKeyRef: KeyRef.check(({ value, issues }) => {
            issues.push({ code: 'custom', input: value, path: [], message: ONLY_IN_CLUSTER });
          })
            .describe('A key of a ConfigMap in the namespace of the custom resource, JSON of the definition.')
            .optional(),
        }),
        ['file', 'configMapKeyRef'],
      )
        .describe('Where the definition is kept.')
        .optional(),
      template: z.boolean().default(false).describe('Whether ${variables} are replaced inside the definition too.'),
      ignoreFields: z.array(Pointer).prefault([]).describe('JSON pointers into spec whose differences are left alone.'),
    }),
    ['definition', 'definitionFrom'],
  ).describe('Desired state of the workflow.'),
});
export type Workflow = z.infer<typeof Workflow>;

/** What `Manifest.spec()` holds for a Workflow. `active` is absent where the platform's state is left alone. */
export interface WorkflowSpec {
  readonly title: string;
  readonly application?: string;
  readonly version?: string;
  readonly active?: boolean;
  /** The platform's own format, variables and patches applied. */
  readonly definition: JsonValue;
}
