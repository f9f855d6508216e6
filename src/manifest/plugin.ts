import { z } from 'zod';
import { AnyObject, clusterRules, Duration, EventPattern, Module, Name, refusal, Text } from './fields.ts';
import { KINDS } from './manifest.ts';
import { ApiVersion, ConfigurationMetadata } from './metadata.ts';

/** Milliseconds that a call may take at most: a pass that takes access away must not wait for longer (law 16). */
const LONGEST = 60_000;

/** Foreign code that is asked: what it is asked about, and what it may use. Comes from configuration only. */
export const Plugin = z.strictObject({
  apiVersion: ApiVersion,
  kind: z.literal('Plugin').describe('Kind of the object.'),
  metadata: ConfigurationMetadata.describe('Identity, labels and annotations.'),
  spec: z
    .strictObject({
      folder: Text.describe(
        'Folder of the plugin, relative to the folder of the configuration: all that its code may read. It has no environment, writes no files and starts no processes; the network, local sockets included, is open to it.',
      ),
      entry: Module.describe('ES module in the folder that exports execute(context).'),
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
          timeout: Duration.refine((milliseconds) => milliseconds >= 1 && milliseconds <= LONGEST, {
            error: refusal('is not between 1ms and 60s', 'Write a shorter or longer one, such as 5s.'),
          })
            .prefault('5s')
            .describe('Time for one call, at most 60s.'),
          memory: z
            .int()
            .min(16)
            .max(4096)
            .default(128)
            .describe(
              'Memory in MiB that its code may use in one process, beside the runtime itself (about 60); what lies outside of the JavaScript heap is watched on Linux only.',
            ),
          output: z
            .int()
            .min(1)
            .max(65_536)
            .default(1024)
            .describe('Most that one call may answer, and print, in KiB.'),
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
    .check((context) => {
      const { triggers, changes, events } = context.value;
      if (triggers !== undefined || changes !== undefined || events.length > 0) return;
      const message = refusal(
        'is asked about nothing',
        'Add triggers: {}, changes: {}, or the types of events that it wants.',
      );
      context.issues.push({ code: 'custom', input: context.value, path: [], message });
    })
    .meta(
      clusterRules({
        rule: 'has(self.triggers) || has(self.changes) || (has(self.events) && size(self.events) > 0)',
        message: 'Add triggers, changes, or the types of events that the plugin wants.',
      }),
    )
    .describe('What it is asked about, and what it may use.'),
});
export type Plugin = z.infer<typeof Plugin>;
