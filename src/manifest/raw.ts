import type { Problem } from '../errors.ts';
import type { Doc } from './document.ts';
import { DEFINITION_ELSEWHERE } from './document.ts';
import { fileProblem } from './files.ts';
import type { FileEntry, JsonFile, RawPart } from './files.ts';
import type { JsonObject, Key } from './manifest.ts';
import { API_VERSION } from './metadata.ts';
import { hashedSlug, slug } from './slug.ts';

/** Objects of raw exports under their names, and what was wrong with them. */
export interface RawObjects {
  /** By fold. */
  readonly docs: ReadonlyMap<string, Doc>;
  /** Document of each part, by `partWord`: parts of several files may share one. */
  readonly byPart: ReadonlyMap<string, Doc>;
  /** Files of each document: an object that several exports hold has several. */
  readonly filesOf: ReadonlyMap<Doc, readonly string[]>;
  readonly problems: readonly Problem[];
  readonly unknownKeys: readonly Key[];
}

/** One word for a part of a file. */
export function partWord(file: string, kind: string, part: string): string {
  return `${file}\n${kind}\n${part}`;
}

interface Candidate {
  readonly entry: FileEntry;
  readonly json: JsonFile;
  readonly part: RawPart;
}

/**
 * Names the objects of raw exports. A workflow's name is the path of its file as a slug, with the part's name appended.
 * A connection belongs to no one file: its name is made of its type and title, so that it stays the same when one of the
 * files that hold it goes, and equal ones in several files are one. Names that collide get a short hash, all of them, so
 * that none silently takes the place of another.
 */
export function nameRawObjects(entries: readonly FileEntry[], taken: ReadonlySet<string>): RawObjects {
  const problems: Problem[] = [];
  const unknownKeys: Key[] = [];
  const groups = new Map<string, Candidate[]>();
  for (const entry of entries) {
    const { json } = entry;
    if (json?.format === undefined) continue;
    for (const part of json.parts) {
      const word = identityOf(entry, part);
      const group = groups.get(word);
      if (group === undefined) groups.set(word, [{ entry, json, part }]);
      else group.push({ entry, json, part });
    }
  }
  const slugs = new Map<string, number>();
  for (const word of groups.keys()) {
    const plain = plainName(word);
    slugs.set(plain, (slugs.get(plain) ?? 0) + 1);
  }
  const docs = new Map<string, Doc>();
  const byPart = new Map<string, Doc>();
  const filesOf = new Map<Doc, readonly string[]>();
  for (const [word, group] of groups) {
    const [first] = group;
    if (first === undefined) continue;
    const plain = plainName(word);
    const unique = slugs.get(plain) === 1 && !taken.has(plain);
    const doc = documentFor(first, unique ? plain.slice(plain.indexOf('/') + 1) : hashedSlug(word));
    if (group.length > 1 && group.some(({ part }) => part.hash !== first.part.hash)) {
      problems.push(...group.map((one) => differing(one, group, doc.key)));
      unknownKeys.push(doc.key);
    } else if (group.some(({ json }) => json.problems.length > 0)) {
      problems.push(...group.flatMap(({ json }) => json.problems.map((problem) => ({ ...problem, key: doc.key }))));
      unknownKeys.push(doc.key);
    } else docs.set(doc.fold, doc);
    filesOf.set(doc, group.length === 1 ? [first.entry.path] : [...new Set(group.map(({ entry }) => entry.path))]);
    for (const { entry, part } of group) byPart.set(partWord(entry.path, part.kind, part.part), doc);
  }
  return { docs, byPart, filesOf, problems, unknownKeys };
}

/** What makes two parts the same object, as `Kind/…`. */
function identityOf(entry: FileEntry, { kind, part, title, type, hash }: RawPart): string {
  if (kind === 'Workflow') {
    // A subflow that several exports carry along is one subflow, while it is the same everywhere.
    return part === ''
      ? `${kind}/${withoutEnding(entry.path)}`
      : `${kind}/${withoutEnding(entry.path)}/${part}\n${hash}`;
  }
  return `${kind}/${type ?? ''}/${title}`;
}

/** Slug of what identifies an object: without the kind in front and the hash behind. */
function plainName(word: string): string {
  const slash = word.indexOf('/');
  const end = word.indexOf('\n');
  return `${word.slice(0, slash)}/${slug(word.slice(slash + 1, end < 0 ? undefined : end))}`;
}

function withoutEnding(path: string): string {
  return path.replace(/\.[^./]*$/, '');
}

function differing({ entry }: Candidate, group: readonly Candidate[], key: Key): Problem {
  const others = [...new Set(group.map((one) => one.entry.path))].filter((path) => path !== entry.path);
  const where = others.length === 0 ? 'another place of this file' : others.join(', ');
  const message = `this export and ${where} hold ${key} with different content.`;
  return {
    ...fileProblem(entry.path, message, 'Make them equal, or write an explicit Integration with this type and title.'),
    key,
  };
}

function documentFor({ entry, json, part }: Candidate, name: string): Doc {
  const { kind } = part;
  if (part.doc?.name === name) return part.doc;
  const key: Key = `${kind}/${name}`;
  const spec: JsonObject = {
    ...(JSON.parse(part.json) as JsonObject),
    ...(kind === 'Workflow' ? { definition: DEFINITION_ELSEWHERE } : {}),
  };
  const source = { file: entry.path, part: { kind, part: part.part } };
  const doc: Doc = {
    origin: { file: entry.path, line: 1, column: 1 },
    kind,
    name,
    key,
    fold: key,
    json: JSON.stringify({ apiVersion: API_VERSION, kind, metadata: { name }, spec }),
    places: '',
    definitionFiles: [],
    analyses: new Map(),
    problems: [],
    raw: {
      ...source,
      format: json.format ?? '',
      needs: part.needs,
      ...(part.type === undefined ? {} : { type: part.type }),
    },
    ...(kind === 'Workflow' ? { definition: source } : {}),
  };
  part.doc = doc;
  return doc;
}
