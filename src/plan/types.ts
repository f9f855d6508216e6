import type { Cause, Who } from './cause.ts';
import type { Origin } from '../errors.ts';
import type { JsonObject, JsonValue, Key, Kind } from '../manifest/manifest.ts';
import type { Outputs } from '../manifest/output-reference.ts';

/** Whose objects these are: the installation's configured id and the Sync's name. Written `installation/sync`. */
export type Owner = `${string}/${string}`;

/** What a platform object says of itself. A claim, not a proof: makers copy objects, markers included (OWNERSHIP.md). */
export interface Marker {
  readonly owner: Owner;
  readonly key: Key;
  /** Fingerprint last applied, so that a lost ledger does not turn every difference into drift or the reverse. */
  readonly applied?: string;
  readonly how?: 'created' | 'adopted';
  /** Id of the object it was written on, where it was known then: found on another one, it was copied there. */
  readonly remote?: string;
}

/** What an object refers to and does not find there: it stands, and cannot do its work before somebody supplies it. */
export interface Lack {
  readonly message: string;
  readonly remedy: string;
}

/** One object as a driver lists it: its content in the same normal form as a manifest's `spec()`. */
export interface RemoteObject {
  readonly kind: Kind;
  /** The platform's id; unique per kind. */
  readonly remote: string;
  readonly title: string;
  /** Normalised content; instance ids replaced by names; never a secret. */
  readonly value: JsonObject;
  /** Changes whenever the platform's object changes, as far as the platform tells; compared for equality only. */
  readonly version: string;
  readonly marker?: Marker;
  /** Names of write-only values: true = set, false = empty; absent = the platform does not tell. */
  readonly secretsSet?: Readonly<Record<string, boolean>>;
  /** Milliseconds since 1970. */
  readonly createdAt?: number;
  readonly changedAt?: number;
  readonly changedBy?: string;
  /** What a delete would lose besides configuration (`312 executions`): needs `allow-data-loss` (law 14). */
  readonly holds?: string;
  /** What it lacks on the platform, as far as a listing tells. */
  readonly lacks?: readonly Lack[];
}

/** A RemoteObject without its content: what a pass keeps of 10,000 of them. */
export interface Observed extends Omit<RemoteObject, 'value'> {
  /** Over the content without what the matching manifest ignores. */
  readonly fingerprint: string;
  /** Of an AccessGrant: the name of its role. */
  readonly role?: string;
}

/** Whether a listing of a kind proves absence. `partial` names what was looked at (a look at a few objects). */
export type Completeness = { readonly state: 'complete' } | { readonly state: 'partial'; readonly because: string };

/** A manifest in the driver's normal form, ready to be compared. */
export interface DesiredObject {
  readonly key: Key;
  readonly kind: Kind;
  readonly title: string;
  readonly fingerprint: string;
  /** Keyed hash of each secret's present value. */
  readonly secretHashes: Readonly<Record<string, string>>;
  readonly renamedFrom: readonly Key[];
  readonly dependsOn: readonly Key[];
  readonly origin: Origin;
  /** JSON pointers that are not compared: `ignoreFields`, and `/active` where the manifest leaves it open. */
  readonly ignore: readonly string[];
  /** `plumbline.dev/reconcile: disabled`. */
  readonly disabled: boolean;
  /** `plumbline.dev/allow-data-loss: "true"`. */
  readonly allowDataLoss: boolean;
  /** Of an AccessRole: grants of it that Plumbline did not make are taken away. */
  readonly exclusive: boolean;
  /** Of an Integration: it is nothing but code, and no connection. */
  readonly isCode?: true;
  /** Of an Integration with code: which commit of which repository it is locked to, in words. */
  readonly lock?: string;
  /** Of an AccessGrant: when it ends, milliseconds since 1970. */
  readonly expiresAt?: number;
  /** Owner named by `plumbline.dev/adopt-from`, whose object may be taken over. */
  readonly adoptFrom?: Owner;
  /** What others may use of it, once it stands. */
  readonly outputs?: Outputs;
  /** An output that it uses is not known yet, and so its content is not either. */
  readonly waits?: Omit<Withheld, 'change'>;
}

/** What the ledger knows of one object that a Sync owns. */
export interface Owned {
  readonly key: Key;
  readonly remote: string;
  readonly title: string;
  /** Desired fingerprint last applied (or confirmed equal). */
  readonly fingerprint: string;
  readonly secretHashes: Readonly<Record<string, string>>;
  readonly how: 'created' | 'adopted';
  readonly dependsOn: readonly Key[];
  /** Source file it came from, and the revision it was applied at. */
  readonly file: string;
  readonly revision: string;
  readonly allowDataLoss: boolean;
  /** Since when the platform differs although git did not change; milliseconds since 1970. */
  readonly driftSince?: number;
  /** A person asked to leave it as it is until git changes it (`restore`): the fingerprint held against. */
  readonly heldFingerprint?: string;
  /** Outputs of what was last applied, by name; never a secret. */
  readonly outputs?: Readonly<Record<string, string>>;
}

/** A write whose outcome is not known yet. */
export interface Intent {
  readonly id: string;
  readonly verb: Verb;
  readonly key: Key;
  readonly title: string;
  readonly remote?: string;
  readonly fingerprint?: string;
  /** Milliseconds since 1970. */
  readonly since: number;
}

/** The ledger as a plan sees it: plain data. */
export interface LedgerView {
  readonly owned: ReadonlyMap<Key, Owned>;
  /** Remote ids (as `kind:id`) that other Syncs of this installation own on the same platform, with the Sync's name. */
  readonly ownedByOthers: ReadonlyMap<string, string>;
  /** Keys that other Syncs of this installation own on the same platform, each with its Sync and source file. */
  readonly keysOfOthers?: ReadonlyMap<Key, { readonly sync: string; readonly file: string }>;
  readonly intents: readonly Intent[];
  /** Instance identity and rights of the last pass on this platform; undefined when there was none. */
  readonly instance?: string;
  readonly rights?: readonly string[];
}

export type Verb = 'create' | 'update' | 'adopt' | 'release' | 'delete';

/** One field that differs. Values are bounded, and masked where the name says secret. */
export interface FieldDiff {
  /** JSON pointer into the normal form; list elements by id or name where they have one. */
  readonly path: string;
  readonly before?: JsonValue;
  readonly after?: JsonValue;
  /** Unified difference of long texts, instead of before and after. */
  readonly text?: string;
  readonly masked?: true;
}

interface ChangeBase {
  readonly key: Key;
  readonly kind: Kind;
  readonly title: string;
  readonly cause: Cause;
  readonly dependsOn: readonly Key[];
  /** Its outputs will be others: what uses them must not go ahead of it. */
  readonly changesOutputs?: true;
  /** Absent for objects that no manifest mentions any more. */
  readonly origin?: Origin;
  /** Takes access away: never held up by windows, suspension or other problems (law 16). */
  readonly revokes?: true;
}
interface Target {
  readonly remote: { readonly id: string; readonly version: string };
}
interface Wanted {
  /** Fingerprint of the desired content; the content itself is loaded by key when it is applied. */
  readonly fingerprint: string;
  /** Names of secrets that have to be written. */
  readonly secrets: readonly string[];
}

export type Change =
  | (ChangeBase & Wanted & { readonly verb: 'create' })
  | (ChangeBase &
      Wanted &
      Target & {
        readonly verb: 'update';
        readonly diff: readonly [FieldDiff, ...FieldDiff[]];
        /** Fields beyond the bound, not shown. */
        readonly moreFields: number;
        /** The platform was changed behind git's back: what is there goes to the archive first. */
        readonly overwritesDrift: boolean;
        readonly who?: Who;
        readonly from?: Key;
        /** What the object on the platform still refers to, and will not any more: not to be deleted before this went through. */
        readonly formerly?: readonly Key[];
      })
  | (ChangeBase &
      Wanted &
      Target & {
        readonly verb: 'adopt';
        /** Empty when only the marker is set. */
        readonly diff: readonly FieldDiff[];
        readonly moreFields: number;
        readonly from?: Owner;
      })
  | (ChangeBase & Target & { readonly verb: 'release' })
  | (ChangeBase & Target & { readonly verb: 'delete'; readonly holds?: string });

/** A word per reason, for programs. */
export type WithheldCode =
  | 'problems'
  | 'unknown'
  | 'delete-cap'
  | 'revocation-cap'
  | 'prune-disabled'
  | 'not-selected'
  | 'drift-reported'
  | 'grace-period'
  | 'held'
  | 'disabled'
  | 'adopt-refused'
  | 'adopt-approval'
  | 'ambiguous'
  | 'foreign-owner'
  | 'vanished'
  | 'instance-changed'
  | 'rights-narrowed'
  | 'listing-incomplete'
  | 'unproven-ownership'
  | 'unmanaged-members'
  | 'unsupported'
  | 'refused-by-platform'
  | 'data-loss'
  | 'window'
  | 'suspended'
  | 'dependency'
  | 'policy';

export interface Withheld {
  readonly change: Change;
  readonly code: WithheldCode;
  readonly because: string;
  readonly remedy: string;
}

/** Something worth telling that leads to no change: copies, orphaned claims, grants made by hand, what has to be supplied. */
export interface Notice {
  readonly kind: Kind;
  /** Absent for what is yet to be created. */
  readonly remote?: string;
  readonly title: string;
  readonly code:
    'copy' | 'orphaned-claim' | 'unmanaged-access' | 'foreign-title' | 'still-in-git' | 'to-supply' | 'code-locked';
  /** The object of ours that it is about, and where git says it. */
  readonly key?: Key;
  readonly origin?: Origin;
  readonly message: string;
  readonly remedy: string;
}

/** Ledger bookkeeping that needs no write on the platform. */
export type LedgerRecord =
  | { readonly record: 'own'; readonly owned: Owned }
  | { readonly record: 'forget'; readonly key: Key }
  | { readonly record: 'settled'; readonly intent: string };

/** The ordered changes of one pass. Plain JSON: it can be saved, shown and applied later. */
export interface Plan {
  readonly format: 1;
  readonly sync: string;
  readonly platform: string;
  readonly owner: Owner;
  readonly revision: string;
  /** Stage after stage; inside a stage no change depends on another. Deletes come last, in reverse order. */
  readonly stages: readonly (readonly Change[])[];
  readonly withheld: readonly Withheld[];
  readonly notices: readonly Notice[];
  readonly records: readonly LedgerRecord[];
  readonly counts: PlanCounts;
  /** Over revision, changes, what was withheld, and the observed versions: a saved plan applies only while it is unchanged. */
  readonly fingerprint: string;
}

export interface PlanCounts {
  readonly desired: number;
  readonly owned: number;
  /** Owned objects that equal what is desired. */
  readonly inSync: number;
  readonly drifted: number;
}

/** How much a driver can do with one kind. */
export type Support = 'manage' | 'observe' | { readonly unsupported: string; readonly requires?: string };
export type Capabilities = Readonly<Record<Kind, Readonly<Record<Verb, Support>>>>;
