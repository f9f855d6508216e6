import type { Origin, Problem } from '../errors.ts';
import type { SecretRef } from '../secrets/secrets.ts';
import type { Analysis, Part } from './definition.ts';
import type { Key, Kind, Manifest, OutputReference } from './manifest.ts';
import type { LocatedReference } from './output-reference.ts';
import type { PackedPlaces } from './places.ts';
import type { ServiceLevelSpec } from './service-level.ts';

/** What a ServiceLevel selects, as it was written. */
export type Selector = ServiceLevelSpec['selector'];

/** Where a definition is kept. */
export type DefinitionSource =
  | { readonly file: string; readonly part?: Part }
  | { readonly inline: { readonly file: string; readonly index: number } };

/**
 * One document that names a desired object, as it was written: not yet patched, not yet checked against the schema of
 * its kind. Small: 10,000 of them stay in memory between loads. Its definition is left where it is.
 */
export interface Doc {
  readonly origin: Origin;
  readonly kind: Kind;
  readonly name: string;
  readonly key: Key;
  /** The key under which two documents mean the same object. */
  readonly fold: string;
  /** The document as JSON text, without the inline definition, variables replaced. */
  readonly json: string;
  readonly places: PackedPlaces;
  readonly definition?: DefinitionSource;
  /** Outputs that its texts refer to, outside of an inline definition. */
  readonly references?: readonly LocatedReference[];
  /** Files that this document names as definitions, by itself or in a patch. */
  readonly definitionFiles: readonly string[];
  /** What is known of the inline definition, or of a raw object's, by format. */
  analyses?: ReadonlyMap<string, Analysis>;
  readonly problems: readonly Problem[];
  /** The document as it stands when nothing patches it. */
  alone?: Layers;
  /** What resolving made of it the last time. */
  resolved?: Resolved;
  /** Set for objects of a raw export: the format that it was recognised by, and what else of the export it needs. */
  readonly raw?: {
    readonly file: string;
    readonly format: string;
    readonly needs: readonly Part[];
    readonly type?: string;
    readonly part: Part;
  };
}

/** The object that a manifest refers to, and where it says so. */
export interface Reference {
  readonly key: Key;
  readonly path: readonly PropertyKey[];
}

/** What is kept of an object that is in order in itself; whether its references hold is seen when all are known. */
export interface Outcome {
  readonly title: string;
  readonly type?: string;
  readonly format?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly renamedFrom: readonly Key[];
  readonly ignoreFields: readonly string[];
  readonly secrets: Readonly<Record<string, SecretRef>>;
  readonly fingerprint: string;
  readonly references: readonly Reference[];
  /** Of an Integration: it has code of its own. */
  readonly runs?: true;
  /** Of a ServiceLevel: what it is about. */
  readonly selector?: Selector;
  /** Outputs of other objects that its content uses. */
  readonly outputReferences: readonly OutputReference[];
  /** Objects that the definition refers to by type and title. */
  readonly mentions: Analysis['references'];
  /** The part of an export that is this object's definition. */
  readonly uses?: { readonly file: string; readonly word: string };
}

/** What resolving made of a document, and what that depends on: valid while these are the same objects. */
export interface Resolved {
  readonly patches: readonly Doc[];
  readonly definitionFile: string | undefined;
  /** The version of that file; compared by identity. */
  readonly entry: object | undefined;
  readonly problems: readonly Problem[];
  /** Absent when there are errors. */
  readonly outcome?: Outcome;
  /** What goes on to be checked against all others. */
  candidate?: Candidate;
  /** The manifest handed out the last time, used again when its dependencies are the same. */
  manifest?: Manifest;
}

/** A document with its patches, in the order in which they are applied. */
export interface Layers {
  readonly base: Doc;
  readonly patches: readonly Doc[];
}

/** One object that is in order in itself. */
export interface Candidate {
  readonly layers: Layers;
  readonly outcome: Outcome;
}
