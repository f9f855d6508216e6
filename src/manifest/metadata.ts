import { z } from 'zod';
import { Name, refusal } from './fields.ts';
import { didYouMean } from './suggest.ts';

export const API_VERSION = 'plumbline.dev/v1alpha1';
const PREFIX = 'plumbline.dev/';

/** Annotations that this version acts on. */
const ANNOTATIONS = {
  reconcile: 'plumbline.dev/reconcile',
  allowDataLoss: 'plumbline.dev/allow-data-loss',
  adoptFrom: 'plumbline.dev/adopt-from',
} as const;

const VALUES: Readonly<Record<string, { readonly pattern: RegExp; readonly remedy: string }>> = {
  [ANNOTATIONS.reconcile]: { pattern: /^(enabled|disabled)$/, remedy: 'Write "enabled" or "disabled".' },
  [ANNOTATIONS.allowDataLoss]: { pattern: /^(true|false)$/, remedy: 'Write "true" or "false", in quotes.' },
  [ANNOTATIONS.adoptFrom]: { pattern: /^[^\s/]+\/[^\s/]+$/, remedy: 'Write installation/sync of the present owner.' },
};

export const ApiVersion = z
  .literal(API_VERSION, {
    error: refusal('is not an apiVersion that this version reads', `Write apiVersion: ${API_VERSION}.`),
  })
  .describe('Version of the manifest format.');

const Labels = z.record(z.string(), z.string()).prefault({}).describe('Free labels that selectors match.');

const Annotations = z
  .record(z.string(), z.string())
  .check((context) => {
    for (const [name, value] of Object.entries(context.value)) {
      if (!name.startsWith(PREFIX)) continue;
      const known = VALUES[name];
      if (known !== undefined && known.pattern.test(value)) continue;
      const message =
        known === undefined
          ? refusal(
              `unknown annotation "${name}"`,
              didYouMean(name, Object.keys(VALUES), `Known: ${Object.keys(VALUES).join(', ')}.`),
            )
          : refusal(`annotation ${name} cannot be "${value}"`, known.remedy);
      context.issues.push({ code: 'custom', input: value, path: [name], message });
    }
  })
  .prefault({})
  .describe(
    'Free annotations. Plumbline acts on plumbline.dev/reconcile (enabled | disabled), plumbline.dev/allow-data-loss ("true") and plumbline.dev/adopt-from (installation/sync).',
  );

/** `metadata` of a desired object. */
export const Metadata = z.strictObject({
  name: Name.describe('Identity of the object within its kind: a DNS label of at most 63 characters.'),
  labels: Labels,
  annotations: Annotations,
  renamedFrom: z
    .array(Name)
    .prefault([])
    .describe('Names this object had before, so that a rename is not a delete and a create.'),
});
export type Metadata = z.infer<typeof Metadata>;

/** `metadata` of configuration (Platform, Sync). */
export const ConfigurationMetadata = z.strictObject({
  name: Name.describe('Identity of the object within its kind: a DNS label of at most 63 characters.'),
  labels: Labels,
  annotations: z.record(z.string(), z.string()).prefault({}).describe('Free annotations.'),
});
