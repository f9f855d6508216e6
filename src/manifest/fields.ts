import { z } from 'zod';
import type { SecretRef } from '../secrets/secrets.ts';
import { DURATION_PATTERN, parseDuration } from './duration.ts';
import { NAME_PATTERN } from './slug.ts';

/** The sentence for everything that is in the contract but not in this version (law 15). */
export const NOT_ENFORCED = 'not enforced by this version yet';

/** What a schema says when a value is refused: what is wrong, then what to do. Split again where problems are made. */
export function refusal(message: string, remedy: string): string {
  return `${message}\n${remedy}`;
}

/** A field of the contract that this version would have to ignore: any value is refused. */
export function notEnforced(remedy: string): z.ZodOptional<z.ZodNever> {
  return z
    .never({ error: refusal(NOT_ENFORCED, remedy) })
    .optional()
    .describe('Not enforced by this version yet: refused.');
}

/** Rules that the API server enforces on custom resources, where the schema itself cannot say them: CEL expressions. */
export function clusterRules(...rules: readonly { readonly rule: string; readonly message: string }[]) {
  return { 'x-kubernetes-validations': rules };
}

/** An object in which exactly one of `names` is given. */
export function exactlyOne<Shape extends z.ZodObject>(shape: Shape, names: readonly string[]): Shape {
  const rule = `[${names.map((name) => `has(self.${name})`).join(', ')}].filter(given, given).size() == 1`;
  const message = `Give exactly one of ${names.join(' | ')}.`;
  return shape.meta(clusterRules({ rule, message })).check((context) => {
    const given = names.filter((name) => (context.value as Record<string, unknown>)[name] !== undefined);
    if (given.length === 1) return;
    const list = names.join(' | ');
    const message =
      given.length === 0
        ? `one of ${list} is missing`
        : `only one of ${list} can be given, here are ${given.join(' and ')}`;
    context.issues.push({
      code: 'custom',
      input: context.value,
      path: given.length === 0 ? [] : [given[1] ?? ''],
      message: refusal(message, `Give exactly one of ${list}.`),
    });
  });
}

/** A duration such as `30s` or `1h30m`; milliseconds once parsed. */
export const Duration = z
  .string()
  .regex(DURATION_PATTERN, {
    error: refusal('is not a duration', 'Write numbers with units, such as 30s, 5m or 1h30m.'),
  })
  .transform((text, context): number => {
    const milliseconds = parseDuration(text);
    if (milliseconds !== undefined) return milliseconds;
    context.addIssue(refusal('is too long a duration', 'Write a shorter one, such as 24h.'));
    return z.NEVER;
  });

/** A `metadata.name` or a reference to one. */
export const Name = z.string().regex(NAME_PATTERN, {
  error: refusal(
    'is not a usable name',
    'Use 1 to 63 lower-case letters, digits and "-", beginning and ending with a letter or digit.',
  ),
});

/** The type of an event, such as order.created; a trailing `*` stands for the rest, a lone one for all. */
export const EventPattern = z.string().regex(/^(\*|[a-z0-9][a-z0-9_-]*(\.[a-z0-9][a-z0-9_-]*)*(\.\*)?)$/, {
  error: refusal('is not an event type', 'Write words with dots, such as order.created, order.* or *.'),
});

/** Path of a JavaScript file inside of a folder: no part of it leads up. Without look-ahead, which an API server does not have. */
export const Module = z
  .string()
  .regex(/^(\.{0,2}[\w-][\w.-]*\/)*\.{0,2}[\w-][\w.-]*\.m?js$/, {
    error: refusal('is not the path of a JavaScript file inside the folder', 'Write it such as index.js.'),
  })
  .default('index.js');

/** A text that says something. */
export const Text = z.string().min(1, { error: refusal('is empty', 'Write a value, or leave the field out.') });

/** One key of a Secret or ConfigMap. */
export const KeyRef = z.strictObject({
  name: Text.max(253).describe('Name of the Secret or ConfigMap.'),
  key: Text.max(253).describe('Key in its data.'),
});

const SecretSource = exactlyOne(
  z.strictObject({
    env: Text.describe('Name of the environment variable that holds the value.').optional(),
    file: Text.describe('Path of the file that holds the value.').optional(),
    secretKeyRef: KeyRef.describe('A key of a Secret in the namespace of the Sync or custom resource.').optional(),
    sops: notEnforced('Use env or file, and let your deployment decrypt.'),
  }),
  ['env', 'file', 'secretKeyRef'],
).transform((source): SecretRef => {
  if (source.env !== undefined) return { env: source.env };
  return source.secretKeyRef === undefined ? { file: source.file ?? '' } : { secretKeyRef: source.secretKeyRef };
});

/** A secret by reference: where the value is kept, never the value. */
export const Secret = z.strictObject({
  valueFrom: SecretSource.describe(
    'Where the value is kept: env, file or secretKeyRef. Values are never written into a manifest.',
  ),
});

/** Any JSON, for parts whose shape is the platform's own. */
export const AnyObject = z.record(z.string(), z.json());

/** JSON pointer that names a field (RFC 6901). */
export const Pointer = z.string().regex(/^(\/([^~/]|~[01])*)+$/, {
  error: refusal('is not a JSON pointer', 'Begin with "/", such as /settings/timezone.'),
});

/** A cron expression of five fields (minute, hour, day of month, month, day of week), or six with seconds first. */
export const Cron = z.string().regex(/^\s*(\S+\s+){4,5}\S+\s*$/, {
  error: refusal('is not a cron expression', 'Write five fields, such as "0 18 * * 5" (Fridays at 18:00).'),
});

/** An IANA time zone that this runtime knows. */
export const TimeZone = z.string().refine(
  (zone) => {
    try {
      return new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone !== '';
    } catch {
      return false;
    }
  },
  { error: refusal('is not a time zone', 'Use an IANA name such as Europe/Berlin or UTC.') },
);
