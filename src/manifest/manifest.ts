import type { Origin, Problem } from '../errors.ts';
import type { SecretRef } from '../secrets/secrets.ts';

/** Desired-state kinds that this version enforces, in dependency order: a kind refers only to kinds before it, or to its own. */
export const KINDS = [
  'Application',
  'AccessRole',
  'Integration',
  'Workflow',
  'AccessGrant',
  'Webhook',
  'ServiceLevel',
] as const;
export type Kind = (typeof KINDS)[number];

/** `Kind/name`, the identity of a desired object on its platform. */
export type Key = `${Kind}/${string}`;

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export type JsonObject = { readonly [name: string]: JsonValue };

/** `${ref:Kind/name.output}` or `${ref:Kind/name@platform.output}`: a value that another object has once it stands. */
export interface OutputReference {
  readonly key: Key;
  /** The Platform that the object is on, where the reference names one. */
  readonly platform?: string;
  readonly output: string;
  /** As it was written, without `${ref:` and `}`. */
  readonly text: string;
  readonly origin: Origin;
}

/**
 * One desired object. Holds what is small; the definition of a workflow is read when somebody needs it, because
 * 10,000 definitions do not belong in memory.
 */
export interface Manifest {
  readonly key: Key;
  readonly kind: Kind;
  /** `metadata.name`, a DNS label. */
  readonly name: string;
  /** What people see on the platform and what adoption matches: `spec.title`, else the name. */
  readonly title: string;
  /** Names this object had before (`metadata.renamedFrom`), as keys. */
  readonly renamedFrom: readonly Key[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Format of a Workflow's definition (`node-red`); undefined for other kinds. */
  readonly format?: string;
  /** Objects of the same source that must stand before this one. */
  readonly dependsOn: readonly Key[];
  /** Outputs of other objects that `spec()` uses; they stand marked in it, until `withValues` puts their values there. */
  readonly outputReferences: readonly OutputReference[];
  /** JSON pointers into `spec` whose differences are nobody's business (`spec.ignoreFields`). */
  readonly ignoreFields: readonly string[];
  /** Write-only values by name (`value`, `password`, …), as references. Never part of `spec()`. */
  readonly secrets: Readonly<Record<string, SecretRef>>;
  readonly origin: Origin;
  /** Names the content of `spec()` and of the references in `secrets`: equal fingerprints, equal manifests. */
  readonly fingerprint: string;
  /**
   * The desired content: everything of `spec` but secrets, ignoreFields, and where the definition was kept. A
   * Workflow has `definition` in it. Shapes: `ApplicationSpec`, `WorkflowSpec`, … in the file of each kind.
   * @throws ReconcilerError when the bytes behind a definition cannot be read any more.
   */
  spec(signal: AbortSignal): Promise<JsonObject>;
}

/** What a source says, whole: every object that is in order, and every problem there is. */
export interface Desired {
  readonly revision: string;
  readonly manifests: ReadonlyMap<Key, Manifest>;
  readonly problems: readonly Problem[];
  /**
   * What cannot be told from the text as it stands: keys that a broken or ambiguous text concerns (neither changed nor
   * deleted, law 3), and kinds that a text broken beyond its keys may have held (all of them when it names none).
   */
  readonly unknown: { readonly keys: ReadonlySet<Key>; readonly kinds: ReadonlySet<Kind> };
}

/** A node inside a definition, for patches that address it by name and for references from it. */
export interface DefinitionNode {
  readonly name: string;
  /** JSON pointer of the node inside the definition. */
  readonly pointer: string;
}

/** One object that a raw export stands for, before it becomes a manifest. */
export interface RawObject {
  readonly kind: Kind;
  /** Appended to the file's slug when the export holds more than one object of its kind; '' for the main one. */
  readonly part: string;
  readonly title: string;
  /** As `Manifest.spec()`. */
  readonly spec: JsonObject;
  /** Other objects of the same export that this one refers to, as `kind` + `part`. */
  readonly needs: readonly { readonly kind: Kind; readonly part: string }[];
}

/**
 * What a platform's definitions look like. Each driver brings its own, so that the manifest room knows no platform.
 * Pure functions over parsed JSON.
 */
export interface DefinitionFormat {
  /** The word in `spec.format`, equal to the driver's name. */
  readonly name: string;
  /** Whether this parsed JSON is a raw export of the platform (never true for a Plumbline manifest). */
  recognizes(json: JsonValue): boolean;
  /** The objects a raw export stands for; `name` is the file's name without its ending. Problems carry the message and a remedy. */
  split(
    json: JsonValue,
    name: string,
  ): {
    readonly objects: readonly RawObject[];
    readonly problems: readonly { readonly message: string; readonly remedy: string }[];
  };
  /** Nodes that a patch may address by name. Names may repeat; a patch on a repeated name is a problem. */
  nodes(definition: JsonValue): readonly DefinitionNode[];
  /**
   * What in a definition is wrong whatever the platform is (duplicate ids, wires to nowhere, …), and which objects it refers to by
   * type and title, so that they can be ordered and checked.
   */
  inspect(definition: JsonValue): {
    readonly problems: readonly {
      readonly message: string;
      readonly remedy: string;
      readonly severity: 'error' | 'warning';
    }[];
    readonly references: readonly {
      readonly kind: Kind;
      readonly type?: string;
      readonly title: string;
      readonly node: string;
    }[];
  };
}
