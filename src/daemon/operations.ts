import { z } from 'zod';
import type { InventoryEntry, SyncStatus } from '../report/status.ts';
import type { PassRecord } from '../ledger/history.ts';
import type { LedgerEvent } from '../ledger/events.ts';
import type { ArchivedCopy } from '../ledger/archive.ts';
import type { Suspension } from '../ledger/standing.ts';
import type { ExportResult } from './export.ts';
import type { ErrorJson } from '../gateway/api/error-json.ts';
import type { PassJson } from './pass-json.ts';
import type { Problem } from '../errors.ts';
import type { LetterStatus, LettersReplayed } from '../integrations/letter-replay.ts';
import type { IntegrationStatus, RunReport } from '../integrations/run-report.ts';
import type { RuleGroup } from '../monitor/rules/rule.ts';
import type { ServiceLevelStatus } from '../monitor/status.ts';
import type { Key } from '../manifest/manifest.ts';

const Name = z.string().min(1).max(253);
const ObjectKey = z
  .string()
  .max(300)
  .regex(/^[A-Z][A-Za-z]+\/[^/]+$/, 'is not an object such as Workflow/order-fulfillment')
  .transform((text) => text as Key);
const Limit = z.int().min(1).max(5000);

const ApprovalsArgument = z.strictObject({
  adopt: z.boolean().optional(),
  deletions: z.string().optional(),
  vanished: z.boolean().optional(),
  instance: z.boolean().optional(),
});

/** Dead letters of an Integration: by their ids, by the keys of their records, or all. */
function selecting<Shape extends z.core.$ZodLooseShape>(more: Shape) {
  const shape = {
    integration: Name,
    platform: Name.optional(),
    ids: z.array(z.string().min(1).max(100)).min(1).max(1000).optional(),
    keys: z.array(z.string().min(1).max(500)).min(1).max(1000).optional(),
    all: z.literal(true).optional(),
  };
  return z.strictObject({ ...shape, ...more }).refine(
    (given) => {
      const { ids, keys, all } = given as { ids?: unknown; keys?: unknown; all?: unknown };
      return [ids, keys, all].filter((one) => one !== undefined).length === 1;
    },
    { error: 'names not exactly one of ids, keys and all' },
  );
}

/** What each operation takes, as it comes over HTTP. */
export const OPERATION_ARGUMENTS = {
  status: z.strictObject({ sync: Name.optional(), platform: Name.optional() }),
  check: z.strictObject({ platform: Name.optional() }),
  plan: z.strictObject({
    sync: Name,
    platform: Name.optional(),
    only: z.array(ObjectKey).optional(),
    approvals: ApprovalsArgument.optional(),
  }),
  apply: z.strictObject({
    sync: Name,
    platform: Name.optional(),
    approvals: ApprovalsArgument.optional(),
    expect: z.string().optional(),
    only: z.array(ObjectKey).optional(),
  }),
  reconcile: z.strictObject({ sync: Name.optional() }),
  accept: z.strictObject({ sync: Name, revision: z.string().min(1).max(200) }),
  suspend: z.strictObject({ sync: Name, reason: z.string().min(1).max(500), by: z.string().max(200).optional() }),
  resume: z
    .strictObject({ sync: Name.optional(), platform: Name.optional(), key: ObjectKey.optional() })
    .refine(({ sync, key }) => sync !== undefined || key !== undefined, 'names neither a Sync nor an object'),
  release: z.strictObject({ sync: Name, platform: Name.optional(), key: ObjectKey }),
  restore: z.strictObject({ archiveId: z.string().regex(/^a\d+$/, 'is not an archive id such as a42') }),
  history: z.strictObject({
    sync: Name.optional(),
    platform: Name.optional(),
    key: ObjectKey.optional(),
    limit: Limit.optional(),
  }),
  events: z.strictObject({ sync: Name.optional(), after: z.int().min(0).optional(), limit: Limit.optional() }),
  /** Reads a whole platform; nothing is written anywhere. */
  export: z.strictObject({ platform: Name }),
  tree: z.strictObject({ sync: Name.optional() }),
  serviceLevels: z.strictObject({ platform: Name.optional(), name: Name.optional() }),
  rules: z.strictObject({ platform: Name.optional() }),
  integrations: z.strictObject({ platform: Name.optional() }),
  run: z.strictObject({ integration: Name, platform: Name.optional(), input: z.json().optional() }),
  repin: z.strictObject({ integration: Name, platform: Name.optional() }),
  letters: z.strictObject({ integration: Name, platform: Name.optional(), limit: Limit.optional() }),
  replayLetters: selecting({ overtaken: z.boolean().optional() }),
  discardLetters: selecting({}),
  archived: z.strictObject({
    sync: Name.optional(),
    platform: Name.optional(),
    key: ObjectKey.optional(),
    limit: Limit.optional(),
  }),
} as const;

export type OperationName = keyof typeof OPERATION_ARGUMENTS;
export type Arguments<Name extends OperationName> = z.output<(typeof OPERATION_ARGUMENTS)[Name]>;

/** Whether the configuration on disk is the one in force. */
interface ConfigurationStatus {
  readonly valid: boolean;
  readonly problems: readonly Problem[];
  /** When the configuration in force was loaded; RFC 3339. */
  readonly loadedAt: string;
}

export interface StatusResult {
  readonly version: string;
  readonly configuration: ConfigurationStatus;
  readonly syncs: readonly (SyncStatus & { readonly source: string; readonly suspended?: Suspension })[];
}

/** What a platform says of itself, or why it says nothing. */
export interface CheckResult {
  readonly platform: string;
  readonly driver: string;
  readonly url: string;
  readonly ok: boolean;
  readonly version?: string;
  readonly instance?: string;
  readonly licence?: string;
  readonly account?: string;
  readonly rights?: readonly string[];
  /** By kind and verb: `manage`, `observe`, or why not. */
  readonly capabilities?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly notes?: readonly string[];
  /** What the platform says of the connections that Plumbline owns there, where it can try them. */
  readonly connections?: readonly { readonly key: string; readonly works: boolean; readonly message: string }[];
  readonly error?: ErrorJson;
}

export interface RestoreResult {
  readonly sync: string;
  readonly platform: string;
  readonly key: string;
  readonly restored: string;
  /** Archive id of what was there before the restore; absent when there was nothing. */
  readonly replaced?: string;
  readonly message: string;
}

export interface TreeSync {
  readonly sync: string;
  readonly platform: string;
  readonly objects: readonly (InventoryEntry & { readonly dependsOn: readonly string[] })[];
}

export interface Repinned {
  readonly platform: string;
  readonly integration: string;
  /** Commits. */
  readonly from: string;
  readonly to: string;
}

/** Dead letters, newest first. */
export interface LetterList {
  readonly platform: string;
  readonly integration: string;
  readonly letters: readonly LetterStatus[];
  /** All there are, shown or not. */
  readonly total: number;
  /** Where they are kept, with what they hold. */
  readonly file: string;
}

export interface LettersTakenUp extends LettersReplayed {
  readonly platform: string;
  readonly integration: string;
  /** What came of the run that delivers them; absent when nothing was to be delivered. */
  readonly run?: RunReport;
}

export interface LettersDiscarded {
  readonly platform: string;
  readonly integration: string;
  readonly discarded: number;
}

export interface Queued {
  readonly sync: string;
  readonly platform: string;
}

/** What people can ask of Plumbline: in the process itself, or of a daemon over HTTP. Results are plain JSON. */
export interface Operations {
  status(args: Arguments<'status'>): Promise<StatusResult>;
  /** Connects and asks each platform for version, rights and licence. */
  check(args: Arguments<'check'>): Promise<readonly CheckResult[]>;
  /** One result per platform of the Sync; nothing is written. */
  plan(args: Arguments<'plan'>): Promise<readonly PassJson[]>;
  apply(args: Arguments<'apply'>): Promise<readonly PassJson[]>;
  /** Puts the Sync (or all) at the head of the queue. */
  reconcile(args: Arguments<'reconcile'>): Promise<readonly Queued[]>;
  /** Takes a revision that looked wrong (rewritten history, an emptied path) as it is. */
  accept(args: Arguments<'accept'>): Promise<{ readonly sync: string; readonly revision: string }>;
  suspend(args: Arguments<'suspend'>): Promise<Suspension>;
  /** Ends the suspension of a Sync, or the hold that `restore` has put on an object. */
  resume(args: Arguments<'resume'>): Promise<{ readonly resumed: boolean }>;
  /** Gives an object up: the marker goes, the object stays. Its manifest must have left the source, else it is taken back. */
  release(args: Arguments<'release'>): Promise<readonly PassJson[]>;
  /** Puts an archived copy back, and holds it there until git changes the object or `resume` is called for it. */
  restore(args: Arguments<'restore'>): Promise<RestoreResult>;
  history(args: Arguments<'history'>): Promise<readonly (PassRecord & { readonly id: number })[]>;
  events(args: Arguments<'events'>): Promise<readonly (LedgerEvent & { readonly id: number })[]>;
  /** What is on a platform, as files of a repository. */
  export(args: Arguments<'export'>): Promise<ExportResult>;
  /** How every objective of the service levels in force stands. */
  serviceLevels(args: Arguments<'serviceLevels'>): Promise<readonly ServiceLevelStatus[]>;
  /** What Prometheus has to record and alert on for them, and for Plumbline itself. */
  rules(args: Arguments<'rules'>): Promise<readonly RuleGroup[]>;
  tree(args: Arguments<'tree'>): Promise<readonly TreeSync[]>;
  /** How every Integration with code stands. */
  integrations(args: Arguments<'integrations'>): Promise<readonly IntegrationStatus[]>;
  /** Runs the code of one now; the answer comes when the run has ended. */
  run(args: Arguments<'run'>): Promise<RunReport>;
  /** Moves the lock of one to where its ref leads now: the next pass shows it and puts it in force. */
  repin(args: Arguments<'repin'>): Promise<Repinned>;
  /** Records of one that were given up, and why. */
  letters(args: Arguments<'letters'>): Promise<LetterList>;
  /** Has them delivered again, when the run under way has ended; the answer comes when the run that delivers them has. */
  replayLetters(args: Arguments<'replayLetters'>): Promise<LettersTakenUp>;
  /** Forgets them. */
  discardLetters(args: Arguments<'discardLetters'>): Promise<LettersDiscarded>;
  archived(args: Arguments<'archived'>): Promise<readonly Omit<ArchivedCopy, 'value'>[]>;
}
