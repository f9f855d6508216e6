import { z } from 'zod';
import { AnyObject, Duration, EventPattern, Name, refusal, Text } from './fields.ts';
import { KINDS } from './manifest.ts';
import { ApiVersion, ConfigurationMetadata } from './metadata.ts';

/** Foreign code that is asked: what it is asked about, and what it may use. Comes from configuration only. */
export const Plugin = z.strictObject({
  apiVersion: ApiVersion,
  kind: z.literal('Plugin').describe('Kind of the object.'),
  metadata: ConfigurationMetadata.describe('Identity, labels and annotations.'),
  spec: z
    .strictObject({
      folder: Text.describe('Folder of the plugin, relative to the configuration file: all that its code may read.'),
      entry: z
        .string()
        .regex(/^(?!\.\.?(\/|$))[\w.-]+(\/[\w.-]+)*\.m?js$/, {
          error: refusal('is not the path of a JavaScript file inside the folder', 'Write it such as index.js.'),
        })
        .default('index.js')
        .describe('ES module in the folder that exports execute(context).'),
      platforms: z.array(Name).min(1).describe('Platforms it is asked about; all when absent.').optional(),
      triggers: z
        .strictObject({
          workflows: z.array(Name).min(1).describe('Workflows whose input it checks; all when absent.').optional(),
        })
        .describe('It checks the input of workflows before they are run; not asked when absent.')
        .optional(),
      changes: z
        .strictObject({
          kinds: z.array(z.enum(KINDS)).min(1).describe('Kinds whose changes it checks; all when absent.').optional(),
        })
        .describe('It checks what a plan would create, update or adopt; not asked when absent.')
        .optional(),
      events: z
        .array(EventPattern)
        .prefault([])
        .describe('Types of events that are handed to it, such as order.created.'),
      settings: AnyObject.prefault({}).describe('Handed to the plugin with every call; no secrets.'),
      limits: z
        .strictObject({
          timeout: Duration.prefault('5s').describe('Time for one call.'),
          memory: z.int().min(16).max(4096).default(128).describe('Memory of the process in MiB.'),
          output: z.int().min(1).max(65_536).default(1024).describe('Most that one call may answer or print, in KiB.'),
          processes: z
            .int()
            .min(1)
            .max(16)
            .default(1)
            .describe('Processes kept warm, each of which runs one call at a time.'),
        })
        .prefault({})
        .describe('What a call may use; beyond it the process is killed.'),
    })
    .describe('What it is asked about, and what it may use.'),
});
export type Plugin = z.infer<typeof Plugin>;
