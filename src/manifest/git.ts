import { z } from 'zod';
import { exactlyOne, refusal, Secret, Text } from './fields.ts';

/** Which commit of a repository is meant. */
export const GitRef = exactlyOne(
  z.strictObject({
    branch: Text.describe('Newest commit of this branch.').optional(),
    tag: Text.describe('The commit this tag names.').optional(),
    commit: z
      .string()
      .regex(/^([0-9a-f]{40}|[0-9a-f]{64})$/, {
        error: refusal('is not a whole commit id', 'Write all 40 lower-case hexadecimal digits.'),
      })
      .describe('Exactly this commit.')
      .optional(),
    semver: Text.describe('Newest tag within this version range.').optional(),
  }),
  ['branch', 'tag', 'commit', 'semver'],
);

const KnownHosts = exactlyOne(
  z.strictObject({
    text: Text.max(65_536).describe('Lines as in a known_hosts file.').optional(),
    file: Text.describe('Path of a known_hosts file.').optional(),
  }),
  ['text', 'file'],
);

/** How a repository is read; secrets by reference. */
export const GitAuth = z
  .strictObject({
    token: Secret.describe('Token for https, by reference.').optional(),
    username: Text.describe('User name that goes with the token.').optional(),
    sshKey: Secret.describe('Private key for ssh, by reference.').optional(),
    knownHosts: KnownHosts.describe("The server's host keys, for ssh; there is no trust on first use.").optional(),
  })
  .prefault({})
  .describe('Credentials for the repository.');
export type GitAuth = z.infer<typeof GitAuth>;

export const CaFile = Text.describe(
  "File with the certificates (PEM) of the authorities that the server's may come from; those of the system when absent.",
).optional();
