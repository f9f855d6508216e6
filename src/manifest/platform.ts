import { z } from 'zod';
import { Duration, exactlyOne, notEnforced, refusal, Secret, Text } from './fields.ts';
import { ApiVersion, ConfigurationMetadata } from './metadata.ts';

const Url = z.string().refine(
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

/** One instance of a low-code platform. */
export const Platform = z.strictObject({
  apiVersion: ApiVersion,
  kind: z.literal('Platform').describe('Kind of the object.'),
  metadata: ConfigurationMetadata.describe('Identity, labels and annotations.'),
  spec: exactlyOne(
    z.strictObject({
      driver: Text.describe('The driver that speaks to it, such as node-red.'),
      url: Url.describe('Where its API is; absent when Plumbline hosts it.').optional(),
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
        .catchall(Secret)
        .prefault({})
        .describe('Credentials by the names that the driver declares (token, password, …), each by reference.'),
      limits: Limits,
      events: notEnforced('Remove it: changes on the platform are found by polling.'),
      encryption: notEnforced('Remove it until data classification is enforced.'),
    }),
    ['url', 'hosted'],
  ).describe('How to reach the platform.'),
});
export type Platform = z.infer<typeof Platform>;
