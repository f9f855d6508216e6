import { z } from 'zod';
import { EventPattern, Pointer, refusal, Secret, Text } from './fields.ts';
import { ApiVersion, Metadata } from './metadata.ts';
import { markedIn, withValues } from './output-reference.ts';

/** What stands for the value of a reference while that is not known: outputs are URLs. */
const SOME_URL = 'https://reference.invalid/path';

const CallbackUrl = z
  .string()
  .refine(
    (text) => isCallbackUrl(withValues(text, new Map(markedIn(text).map((reference) => [reference, SOME_URL])))),
    {
      error: refusal(
        'is not an http or https URL without credentials and fragment',
        'Write it such as https://oncall.example.com/hook.',
      ),
    },
  );

/** Whether events can be delivered there. */
export function isCallbackUrl(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) return false;
  // A fragment is never sent: whoever writes one means something that cannot be had.
  return url.username === '' && url.password === '' && !text.includes('#');
}

/** Events of the platform, delivered by HTTP to somebody who wants to know. */
export const Webhook = z.strictObject({
  apiVersion: ApiVersion,
  kind: z.literal('Webhook').describe('Kind of the object.'),
  metadata: Metadata.describe('Identity, labels and annotations.'),
  spec: z
    .strictObject({
      title: Text.describe('What people see; the name when absent.').optional(),
      event: EventPattern.describe('Type of the events to deliver, such as workflow.failed or reconcile.*.'),
      url: CallbackUrl.describe('Where they are delivered to.'),
      secret: Secret.describe(
        'What deliveries are signed with (Standard Webhooks), by reference; unsigned when absent, unless ignoreFields names /signed.',
      ).optional(),
      active: z.boolean().default(true).describe('Whether events are delivered.'),
      ignoreFields: z.array(Pointer).prefault([]).describe('JSON pointers into spec whose differences are left alone.'),
    })
    .describe('Desired state of the webhook.'),
});
export type Webhook = z.infer<typeof Webhook>;

/** What `Manifest.spec()` holds for a Webhook; its secret is in `Manifest.secrets` as `secret`. */
export interface WebhookSpec {
  readonly title: string;
  readonly event: string;
  readonly url: string;
  readonly active: boolean;
  /** Whether the manifest gives a secret. */
  readonly signed: boolean;
}

/** What is accepted, and still worth a word: what is wrong with a callback URL, and what to do; undefined when nothing is. */
export function unsafeUrl(text: string): { readonly message: string; readonly remedy: string } | undefined {
  const url = URL.parse(text);
  if (url?.protocol !== 'http:' || isLoopback(url.hostname)) return undefined;
  return {
    message: 'spec.url is plain http to another machine: deliveries can be read and changed on their way.',
    remedy: 'Use https.',
  };
}

function isLoopback(hostname: string): boolean {
  return /^(127(\.\d+){3}|\[::1\]|(.+\.)?localhost)$/.test(hostname);
}
