import type { Problem } from '../errors.ts';
import { partWord } from './definition.ts';
import type { Doc } from './doc.ts';
import { DEFINITION_ELSEWHERE } from './document.ts';
import { fileProblem } from './files.ts';
import type { FileEntry, JsonFile, RawPart } from './files.ts';
import type { JsonObject, Key } from './manifest.ts';
import { API_VERSION } from './metadata.ts';
import { hashedSlug } from './slug.ts';

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

interface Candidate {
  readonly entry: FileEntry;
  readonly json: JsonFile;
  readonly part: RawPart;
}

/**
 * Names the objects of raw exports and makes documents of them. Equal objects in several files are one. Names that collide
 * get a short hash, all of them, so that none silently takes the place of another.
 */
export function nameRawObjects(
  entries: readonly FileEntry[],
  taken: ReadonlyMap<string, unknown>,
  definitionFiles: ReadonlySet<string>,
): RawObjects {
  const problems: Problem[] = [];
  const unknownKeys: Key[] = [];
  const groups = new Map<string, Candidate[]>();
  for (const entry of entries) {
    const { json } = entry;
    if (json?.format === undefined) continue;
    // Nearly every definition is one flow that one manifest speaks for: it has no name of its own.
    const spokenFor = definitionFiles.has(entry.path) && json.parts.filter(isFlow).length === 1;
    for (const part of json.parts) {
      if (spokenFor && isFlow(part)) continue;
      const { word } = part.identity;
      const group = groups.get(word);
      if (group === undefined) groups.set(word, [{ entry, json, part }]);
      else group.push({ entry, json, part });
    }
  }
  const slugs = new Map<string, number>();
  for (const [one] of groups.values()) {
    const plain = one?.part.identity.plain ?? '';
    slugs.set(plain, (slugs.get(plain) ?? 0) + 1);
  }
  const docs = new Map<string, Doc>();
  const byPart = new Map<string, Doc>();
  const filesOf = new Map<Doc, readonly string[]>();
  for (const [word, group] of groups) {
    const [first] = group;
    if (first === undefined) continue;
    const { plain } = first.part.identity;
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

function isFlow({ kind, identity }: RawPart): boolean {
  return kind === 'Workflow' && !identity.shared;
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
