import { z } from 'zod';
import { EventPattern, Pointer, refusal, Secret, Text } from './fields.ts';
import { ApiVersion, Metadata } from './metadata.ts';

const CallbackUrl = z.string().refine(
  (text) => {
    const url = URL.parse(text);
    return url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
  },
  {
    error: refusal(
      'is not an http or https URL without credentials',
      'Write it such as https://oncall.example.com/hook.',
    ),
  },
);

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
        'What deliveries are signed with (Standard Webhooks), by reference; unsigned when absent.',
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
}
