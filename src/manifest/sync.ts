import { z } from 'zod';
import { Cron, Duration, exactlyOne, Name, NOT_ENFORCED, refusal, Secret, Text, TimeZone } from './fields.ts';
import { CaFile, GitAuth, GitRef } from './git.ts';
import { KINDS } from './manifest.ts';
import { ApiVersion, ConfigurationMetadata } from './metadata.ts';

const Git = z.strictObject({
  url: Text.describe('https, ssh or file URL of the repository, without credentials.'),
  ref: GitRef.prefault({ branch: 'main' }).describe('Which commit counts: branch, tag, commit or semver.'),
  path: z.string().default('').describe('Folder in the repository that holds the manifests; the root when empty.'),
  auth: GitAuth,
  caFile: CaFile,
  webhook: z
    .strictObject({
      provider: z
        .enum(['github', 'gitlab', 'gitea', 'forgejo', 'bitbucket', 'standard-webhooks', 'generic'])
        .describe('Who sends the pushes, and so how they are signed; generic: X-Signature-256 with sha256=<hex>.'),
      secret: Secret.describe('What pushes are signed with (GitLab: also its token), by reference.'),
    })
    .describe('Pushes to /hooks/git/<sync> are looked at at once; without it new commits are found every interval.')
    .optional(),
});

const Source = exactlyOne(
  z.strictObject({
    git: Git.describe('A git repository.').optional(),
    folder: z
      .strictObject({ path: Text.describe('Folder, relative to the configuration file.') })
      .describe('A folder on this machine, for local work.')
      .optional(),
    cluster: z
      .strictObject({
        matchLabels: z
          .record(z.string(), z.string())
          .prefault({})
          .describe('Labels that a custom resource must carry, all of them.'),
      })
      .describe("Custom resources of the Sync's own namespace; only of a Sync that is one itself.")
      .optional(),
  }),
  ['git', 'folder', 'cluster'],
);

const CapText = refusal('is not a cap', 'Write a whole number such as 5, or a percentage such as 10%.');

/** A count, or a percentage of what is owned. */
const Cap = z
  .union([z.int().min(0), z.string().regex(/^(100|[0-9]{1,2})%$/)], { error: CapText })
  .transform((cap): { readonly count: number } | { readonly percent: number } =>
    typeof cap === 'number' ? { count: cap } : { percent: Number(cap.slice(0, -1)) },
  );

const Prune = z
  .strictObject({
    enabled: z.boolean().default(true).describe('Whether owned objects that left the source are deleted.'),
    maxDeletions: Cap.prefault('10%').describe(
      'Most deletions of one pass, a count or a percentage of what is owned; beyond it nothing is deleted.',
    ),
    maxRevocations: Cap.prefault('50%').describe(
      'Most grants taken away in one pass, a count or a percentage of the grants owned; has no part in maxDeletions.',
    ),
  })
  .prefault({})
  .describe('What happens to owned objects that left the source.');

const Window = exactlyOne(
  z.strictObject({
    allow: Cron.describe('Start of a time in which changes are made; outside of all such times none are.').optional(),
    deny: Cron.describe('Start of a time in which no changes are made; wins over allow.').optional(),
    duration: Duration.describe('How long the time lasts.'),
    timeZone: TimeZone.default('UTC').describe('IANA time zone of the cron expression.'),
  }),
  ['allow', 'deny'],
);

const Drift = z.enum(['revert', 'report'], {
  error: (issue) =>
    issue.input === 'propose'
      ? refusal(NOT_ENFORCED, 'Use revert or report.')
      : refusal('is neither revert nor report', 'Write revert or report.'),
});

const Mirror = z
  .strictObject({
    enabled: z
      .boolean()
      .default(false)
      .describe('Whether what it owns is shown in a cluster, as objects that "kubectl get" lists with how they stand.'),
    maxObjects: z
      .int()
      .min(1)
      .max(5000)
      .default(500)
      .describe('Most objects shown of one Platform; those that are not as they are meant come first.'),
  })
  .prefault({})
  .describe(
    'Mirrors of what it owns, in its namespace of a cluster; only of a Sync that is a custom resource and reads git.',
  );

/** Milliseconds that one call of an Integration's code may take at most. */
const LONGEST_CALL = 600_000;

const Code = z.strictObject({
  repositories: z
    .array(
      z.strictObject({
        url: Text.describe('URL of the repository as Integrations write it, or its beginning followed by /*.').refine(
          (url) => !/\*(?!$)|[^/]\*$/.test(url),
          { error: refusal('has a * that is not a last /*', 'Write a whole URL, or its beginning and /*.') },
        ),
        auth: GitAuth,
        caFile: CaFile,
      }),
    )
    .min(1)
    .max(50)
    .describe('Repositories whose code Integrations of this source may run; no others.'),
  limits: z
    .strictObject({
      timeout: Duration.refine((milliseconds) => milliseconds >= 1 && milliseconds <= LONGEST_CALL, {
        error: refusal('is not between 1ms and 10m', 'Write a shorter or longer one, such as 30s.'),
      })
        .prefault('30s')
        .describe('Time for one call, at most 10m.'),
      memory: z
        .int()
        .min(16)
        .max(4096)
        .default(128)
        .describe('Memory in MiB that the code may use, beside the runtime itself (about 60).'),
      output: z
        .int()
        .min(1)
        .max(65_536)
        .default(4096)
        .describe('Most that one call may answer (one page of records), and print, in KiB.'),
    })
    .prefault({})
    .describe('What a call may use; beyond it the process is killed.'),
});

/** This source, onto that platform (or the platforms a selector names), on these terms. */
export const Sync = z.strictObject({
  apiVersion: ApiVersion,
  kind: z.literal('Sync').describe('Kind of the object.'),
  metadata: ConfigurationMetadata.describe('Identity, labels and annotations.'),
  spec: exactlyOne(
    z.strictObject({
      source: Source.describe('Where desired state is read: git, folder or cluster.'),
      platform: Name.describe('Name of the Platform.').optional(),
      platformNamespace: Name.describe(
        'Namespace of the Platform in a cluster, which has to allow that of the Sync; its own when absent.',
      ).optional(),
      platformSelector: z
        .strictObject({
          matchLabels: z.record(z.string(), z.string()).describe('Labels that a Platform must carry, all of them.'),
        })
        .describe('Every Platform with these labels.')
        .optional(),
      select: z
        .strictObject({
          kinds: z
            .array(z.enum(KINDS))
            .min(1)
            .describe("Kinds governed; all that the platform's driver can hold when absent.")
            .optional(),
          matchLabels: z
            .record(z.string(), z.string())
            .prefault({})
            .describe('Labels that a manifest must carry, all of them.'),
        })
        .prefault({})
        .describe('Which manifests of the source are meant.'),
      interval: Duration.prefault('5m').describe(
        'Time between full looks for drift; changes are found at once where the source can tell.',
      ),
      schedule: Cron.describe('Further passes at these times (cron expression, UTC); none when absent.').optional(),
      retryInterval: Duration.prefault('30s').describe('First pause after a failed pass; grows up to the interval.'),
      timeout: Duration.prefault('5m').describe('Longest time of one pass.'),
      drift: Drift.optional().describe(
        'What happens to changes made on the platform: revert or report. When absent, what git created is reverted and what was adopted is reported.',
      ),
      exclusive: z
        .boolean()
        .default(false)
        .describe('Whether grants of its roles that are not in git are taken away, for every role of the source.'),
      gracePeriod: Duration.prefault('10m').describe('How long drift may stand before it is reverted.'),
      adopt: z
        .enum(['refuse', 'matching'])
        .default('refuse')
        .describe('Whether unowned objects with the same title are taken over.'),
      prune: Prune,
      deletionPolicy: z
        .enum(['Orphan', 'Delete'])
        .default('Orphan')
        .describe('What becomes of the objects when the Sync itself goes.'),
      secrets: z
        .strictObject({
          env: z
            .array(Text)
            .prefault([])
            .describe('Environment variables that manifests may refer to, by name or pattern with *.'),
          dir: Text.describe('Folder below which manifests may refer to files; none when absent.').optional(),
          names: z
            .array(Text.max(253))
            .describe(
              "Secrets of the Sync's namespace that manifests may refer to, by name or pattern with *; of source.cluster all when absent, else none.",
            )
            .optional(),
        })
        .prefault({})
        .describe('What manifests of this source may refer to; nothing by default.'),
      code: Code.describe(
        'Lets Integrations of this source run code of their own in a child process of this machine, with access to its network; off when absent.',
      ).optional(),
      overlays: z
        .array(Text)
        .prefault([])
        .describe('Files or folders of the source that patch its manifests, in this order.'),
      variables: z.record(z.string(), z.string()).prefault({}).describe('Values for ${name} in manifests.'),
      windows: z.array(Window).prefault([]).describe('When changes may be made.'),
      dependsOn: z.array(Name).prefault([]).describe('Syncs that must have succeeded before this one.'),
      references: z
        .array(Name)
        .prefault([])
        .describe('Syncs whose objects manifests of this source may refer to (${ref:…}); none but its own by default.'),
      previousNames: z.array(Name).prefault([]).describe('Names this Sync had before; it still owns what they owned.'),
      suspend: z.boolean().default(false).describe('Whether passes are stopped.'),
      mirror: Mirror,
    }),
    ['platform', 'platformSelector'],
  ).describe('The terms.'),
});
export type Sync = z.infer<typeof Sync>;
