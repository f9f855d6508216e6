import type { Problem } from '../errors.ts';
import type { Doc, Layers } from './doc.ts';
import { BASE, fileProblem } from './files.ts';
import type { FileEntry } from './files.ts';
import { KINDS } from './manifest.ts';
import type { JsonObject, Key, Kind } from './manifest.ts';
import { isPatch } from './overlay.ts';
import { nameRawObjects } from './raw.ts';
import type { RawObjects } from './raw.ts';
import { placeOf } from './resolve.ts';
import { didYouMean, nearest } from './suggest.ts';

/** Every object of a source with its patches, and what could not be told. */
export interface Assembly {
  readonly explicit: ReadonlyMap<string, Layers>;
  /** Objects of raw exports; explicit ones with the same title take their place later. */
  readonly raw: ReadonlyMap<string, Layers>;
  readonly rawObjects: RawObjects;
  /** Files that some manifest names as a definition. */
  readonly definitionFiles: ReadonlySet<string>;
  readonly problems: Problem[];
  readonly unknownKeys: Set<string>;
  readonly unknownKinds: Set<Kind>;
  /** Kinds whose objects a lost patch may concern: none of them can be told. */
  readonly unpatchable: Set<Kind>;
}

/** Sorts documents by object: which is the base, which are patches, which are two of one name. */
export function assemble(entries: readonly FileEntry[], overlays: readonly string[]): Assembly {
  const definitionFiles = new Set<string>();
  const byFold = new Map<string, Doc | Doc[]>();
  const overlayEntries: FileEntry[] = [];
  const assembly = {
    problems: [],
    unknownKeys: new Set<string>(),
    unknownKinds: new Set<Kind>(),
    unpatchable: new Set<Kind>(),
  };
  for (const entry of entries) {
    const { reading, layer } = entry;
    note(entry, assembly);
    for (const doc of reading.docs) {
      if (doc.definitionFiles.length > 0) for (const file of doc.definitionFiles) definitionFiles.add(file);
      if (layer !== BASE) continue;
      const known = byFold.get(doc.fold);
      if (known === undefined) byFold.set(doc.fold, doc);
      else if (Array.isArray(known)) known.push(doc);
      else byFold.set(doc.fold, [known, doc]);
    }
    if (layer !== BASE) overlayEntries.push(entry);
  }
  checkOverlays(overlays, overlayEntries, assembly);
  checkJson(entries, definitionFiles, assembly);
  const rawObjects = nameRawObjects(
    entries.filter(({ layer, json }) => layer === BASE && json !== undefined),
    byFold,
    definitionFiles,
  );
  assembly.problems.push(...(rawObjects.problems as never[]));
  for (const key of rawObjects.unknownKeys) assembly.unknownKeys.add(key);
  const patches = new Map<string, Doc[]>();
  const overlayDocs = overlayEntries
    .sort((left, right) => left.layer - right.layer)
    .flatMap(({ reading }) => reading.docs);
  placeOverlays(overlayDocs, { byFold, raw: rawObjects.docs, patches, assembly });
  const explicit = new Map<string, Layers>();
  for (const [fold, doc] of byFold) {
    if (Array.isArray(doc)) refuseDuplicates(doc, assembly);
    else explicit.set(fold, layered(doc, patches.get(fold)));
  }
  const raw = new Map<string, Layers>();
  for (const [fold, doc] of rawObjects.docs) raw.set(fold, layered(doc, patches.get(fold)));
  return { explicit, raw, rawObjects, definitionFiles, ...assembly };
}

const NO_PATCHES: readonly Doc[] = Object.freeze([]);

function layered(base: Doc, patches: readonly Doc[] | undefined): Layers {
  if (patches !== undefined) return { base, patches };
  base.alone ??= { base, patches: NO_PATCHES };
  return base.alone;
}

interface Unsure {
  readonly problems: Problem[];
  readonly unknownKeys: Set<string>;
  readonly unknownKinds: Set<Kind>;
  readonly unpatchable: Set<Kind>;
}

function note({ reading, layer }: FileEntry, unsure: Unsure): void {
  // Whatever cannot be told is told as a problem.
  if (reading.problems.length === 0) return;
  unsure.problems.push(...reading.problems);
  for (const key of reading.unknownKeys) unsure.unknownKeys.add(key);
  for (const kind of reading.unknownKinds) {
    unsure.unknownKinds.add(kind);
    if (layer !== BASE) unsure.unpatchable.add(kind);
  }
}

/** An overlay that is not there leaves everything in doubt: without it, another environment's values would be applied. */
function checkOverlays(overlays: readonly string[], entries: readonly FileEntry[], unsure: Unsure): void {
  for (const [layer, path] of overlays.entries()) {
    if (entries.some((entry) => entry.layer === layer)) continue;
    const message = `the overlay ${path} holds no manifest; nothing is changed without it.`;
    unsure.problems.push(fileProblem(path, message, 'Add it to the source, or correct spec.overlays of the Sync.'));
    for (const kind of KINDS) {
      unsure.unknownKinds.add(kind);
      unsure.unpatchable.add(kind);
    }
  }
}

/** JSON files that are no manifests: broken ones, and ones that nobody has a use for. */
function checkJson(entries: readonly FileEntry[], definitionFiles: ReadonlySet<string>, unsure: Unsure): void {
  for (const { path, json, layer } of entries) {
    if (json === undefined) continue;
    const referenced = definitionFiles.has(path);
    if (json.broken !== undefined) {
      unsure.problems.push(json.broken);
      // What a manifest names as a definition cannot have been an access rule: revocations go on (law 16).
      for (const kind of referenced ? DEFINABLE : json.mayHold) unsure.unknownKinds.add(kind);
      if (!referenced && layer !== BASE) for (const kind of json.mayHold) unsure.unpatchable.add(kind);
    } else if (!referenced && (json.format === undefined || layer !== BASE)) {
      const message = 'this JSON file is no manifest, no export that the platform knows, and no manifest refers to it.';
      unsure.problems.push(
        fileProblem(path, message, 'Refer to it from a manifest, or move it out of the source.', 'warning'),
      );
    }
  }
}

const DEFINABLE: readonly Kind[] = ['Integration', 'Workflow'];

interface Placing {
  readonly byFold: Map<string, Doc | Doc[]>;
  readonly raw: ReadonlyMap<string, Doc>;
  readonly patches: Map<string, Doc[]>;
  readonly assembly: Unsure;
}

/** A document of an overlay patches the object of its name; where there is none it adds one, if it can. */
function placeOverlays(docs: readonly Doc[], { byFold, raw, patches, assembly }: Placing): void {
  for (const doc of docs) {
    if (byFold.has(doc.fold) || raw.has(doc.fold)) {
      const known = patches.get(doc.fold);
      if (known === undefined) patches.set(doc.fold, [doc]);
      else known.push(doc);
      continue;
    }
    const value = JSON.parse(doc.json) as JsonObject;
    const names = [...byFold.keys(), ...raw.keys()]
      .filter((fold) => fold.startsWith(`${doc.kind}/`))
      .map((fold) => fold.slice(doc.kind.length + 1));
    const layers = { base: doc, patches: NO_PATCHES };
    if (isPatch(value) || value['spec'] === undefined) {
      const message = `this overlay patches ${doc.key}, which is not in the source.`;
      const remedy = didYouMean(doc.name, names, 'Correct the name, or add the object.');
      assembly.problems.push({
        origin: placeOf(layers, ['metadata', 'name']),
        message,
        remedy,
        severity: 'error',
        key: doc.key,
      });
      assembly.unknownKeys.add(doc.key);
      const meant = nearest(doc.name, names);
      if (meant !== undefined) assembly.unknownKeys.add(`${doc.kind}/${meant}`);
      continue;
    }
    const similar = nearest(doc.name, names);
    if (similar !== undefined) {
      const message = `${doc.key} is only in this overlay, and is added.`;
      const remedy = `Did you mean to patch "${similar}"?`;
      assembly.problems.push({
        origin: placeOf(layers, ['metadata', 'name']),
        message,
        remedy,
        severity: 'warning',
        key: doc.key,
      });
    }
    byFold.set(doc.fold, doc);
  }
}

function refuseDuplicates(docs: readonly Doc[], unsure: Unsure): void {
  for (const doc of docs) {
    const others = docs
      .filter((one) => one !== doc)
      .map(({ origin }) => `${origin.file}:${origin.line}:${origin.column}`);
    const message = `${doc.key} is also defined at ${others.slice(0, 5).join(', ')}; which one counts cannot be told.`;
    unsure.problems.push(...doc.problems, {
      origin: doc.origin,
      message,
      remedy: 'Keep one of them, or rename the others.',
      severity: 'error',
      key: doc.key,
    });
    unsure.unknownKeys.add(doc.key satisfies Key);
  }
}
