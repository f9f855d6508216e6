import { z } from 'zod';
import { clusterRules, Duration, EventPattern, exactlyOne, notEnforced, refusal, Secret, Text } from './fields.ts';
import { ApiVersion, ConfigurationMetadata } from './metadata.ts';

const Url = z
  .string()
  .meta(
    clusterRules({
      rule: "self.matches('^[Hh][Tt][Tt][Pp][Ss]?://[^/?#@]+([/?#].*)?$')",
      message: 'Write an http or https URL without credentials, which belong under spec.auth.',
    }),
  )
  .refine(
    (text) => {
      const url = URL.parse(text);
      return url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
    },
    {
      error: refusal(
        'is not an http or https URL without credentials',
        'Write it such as https://automation.example.com, and credentials under spec.auth.',
      ),
    },
  );

const Limits = z
  .strictObject({
    concurrency: z.int().min(1).max(100).default(4).describe('Requests under way at once.'),
    requestsPerSecond: z.number().positive().max(10_000).default(20).describe('Requests started per second.'),
    timeout: Duration.prefault('30s').describe('Time for one request.'),
  })
  .prefault({})
  .describe('How hard the platform may be asked.');

const Events = z
  .strictObject({
    scheme: z
      .enum(['standard-webhooks', 'hmac-sha256', 'bearer'])
      .default('standard-webhooks')
      .describe(
        'How its events are signed: Standard Webhooks, an HMAC of the body in a header, or a constant bearer token for platforms that can only send fixed headers.',
      ),
    header: z
      .string()
      .regex(/^[A-Za-z0-9-]{1,64}$/, { error: refusal('is not a header name', 'Write it such as X-Signature.') })
      .default('X-Signature')
      .describe('Header that carries the signature in hexadecimal, for hmac-sha256.'),
    secret: Secret.describe('What the platform signs its events with.'),
    lookAgain: z
      .array(EventPattern)
      .prefault(['workflow.changed', 'integration.changed', 'access.changed', 'platform.changed'])
      .describe('Types of events after which the platform is looked at at once; a trailing * stands for the rest.'),
  })
  .describe('Events that the platform sends to /webhooks/<platform>; none are taken when absent.');

const Webhooks = z
  .strictObject({
    allow: z
      .array(Text)
      .prefault([])
      .describe(
        'Private addresses that webhooks may be delivered to although they are not public: networks such as 10.2.0.0/16, addresses, or host names.',
      ),
  })
  .prefault({})
  .describe('Outgoing webhooks of this platform.');

/** One instance of a low-code platform. */
export const Platform = z.strictObject({
  apiVersion: ApiVersion,
  kind: z.literal('Platform').describe('Kind of the object.'),
  metadata: ConfigurationMetadata.describe('Identity, labels and annotations.'),
  spec: exactlyOne(
    z.strictObject({
      driver: Text.meta(
        clusterRules({
          rule: 'self == oldSelf',
          message: 'The driver cannot be changed: delete this Platform and create another, or give it another name.',
        }),
      ).describe('The driver that speaks to it, such as node-red.'),
      url: Url.describe('Where its API is; absent when Plumbline hosts it.').optional(),
      publicUrl: Url.describe(
        'Where others reach what the platform serves (webhooks, endpoints), when that is not url: what references to its URLs give.',
      ).optional(),
      hosted: z
        .strictObject({
          port: z
            .int()
            .min(0)
            .max(65_535)
            .default(1880)
            .describe('Port on the loopback interface; another one when it is busy.'),
        })
        .describe('Plumbline starts the platform itself, for trying and developing.')
        .optional(),
      auth: z
        .object({ username: Text.describe('Name to log in with.').optional() })
        .catchall(Secret.describe('A credential, by reference.'))
        .prefault({})
        .describe('Credentials by the names that the driver declares (token, password, …), each by reference.'),
      limits: Limits,
      beta: z
        .array(Text)
        .prefault([])
        .describe(
          "What of the platform's API is beta there and may be used all the same, such as package-import of n8n: new workflows go in packages instead of one by one.",
        ),
      events: Events.optional(),
      webhooks: Webhooks,
      allowedNamespaces: z
        .array(
          z.string().regex(/^(\*|[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)$/, {
            error: refusal('is not a namespace', 'Write its name, or * for all.'),
          }),
        )
        .describe('Other namespaces of a cluster whose Syncs may use this Platform; * for all; none when absent.')
        .optional(),
      encryption: notEnforced('Remove it until data classification is enforced.'),
    }),
    ['url', 'hosted'],
  ).describe('How to reach the platform.'),
});
export type Platform = z.infer<typeof Platform>;
