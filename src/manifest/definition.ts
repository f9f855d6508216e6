import { contentHash } from './canonical.ts';
import type { DefinitionFormat, JsonValue, Kind, RawObject } from './manifest.ts';
import { isObject } from './pointer.ts';

/** What a definition says that other parts need to know: small, kept instead of the definition. */
export interface Analysis {
  /** Over the canonical JSON of the definition. */
  readonly hash: string;
  readonly problems: readonly {
    readonly message: string;
    readonly remedy: string;
    readonly severity: 'error' | 'warning';
  }[];
  /** Objects that the definition refers to by type and title. */
  readonly references: readonly { readonly kind: Kind; readonly type?: string; readonly title: string }[];
}

/** What was made of a JSON text by a format, or why nothing could be made. */
export type Made<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly message: string; readonly remedy: string };

/** Which object of a file is meant: the whole file, or one of the objects that a raw export stands for. */
export interface Part {
  readonly kind: Kind;
  readonly part: string;
}

/** One word for a part of a file. */
export function partWord(file: string, kind: string, part: string): string {
  return `${file}\n${kind}\n${part}`;
}

const NONE: Analysis['references'] = [];

/** Looks into a definition. A format that stumbles over it is a problem of the definition, not a crash. */
export function analyse(format: DefinitionFormat, definition: JsonValue): Analysis {
  const hash = contentHash(definition);
  try {
    const { problems, references } = format.inspect(definition);
    const seen = new Set<string>();
    const distinct = references.filter(({ kind, type, title }) => {
      const word = `${kind}\n${type ?? ''}\n${title}`;
      return !seen.has(word) && seen.add(word);
    });
    return {
      hash,
      problems: problems.map(({ message, remedy, severity }) => ({ message, remedy, severity })),
      references:
        distinct.length === 0
          ? NONE
          : distinct.map(({ kind, type, title }) => ({ kind, title, ...(type === undefined ? {} : { type }) })),
    };
  } catch (error) {
    return { hash, problems: [{ ...stumbled(format, error), severity: 'error' }], references: NONE };
  }
}

/** Whether a format says that this JSON is a raw export; one that stumbles says no. */
export function recognizes(format: DefinitionFormat, json: JsonValue): boolean {
  try {
    return format.recognizes(json);
  } catch {
    return false;
  }
}

/** The objects of a raw export. */
export function split(
  format: DefinitionFormat,
  json: JsonValue,
  file: string,
): Made<ReturnType<DefinitionFormat['split']>> {
  try {
    return { ok: true, value: format.split(json, baseName(file)) };
  } catch (error) {
    return { ok: false, ...stumbled(format, error) };
  }
}

/**
 * The definition that a JSON file holds: that of its main object when it is a raw export, else the JSON as it is.
 * `part` asks for another object of the export.
 */
export function definitionIn(format: DefinitionFormat, json: JsonValue, file: string, part?: Part): Made<JsonValue> {
  if (!recognizes(format, json)) return { ok: true, value: json };
  const made = split(format, json, file);
  if (!made.ok) return made;
  const wanted = part ?? { kind: 'Workflow', part: '' };
  const object = made.value.objects.find(
    (candidate) => candidate.kind === wanted.kind && candidate.part === wanted.part,
  );
  const definition = object?.spec['definition'];
  if (definition !== undefined) return { ok: true, value: definition };
  const remedy = made.value.problems[0]?.remedy ?? 'Export the workflow itself, not only what it uses.';
  return { ok: false, message: `holds no workflow that ${format.name} would understand`, remedy };
}

/** The small part of a raw object's spec: without the definition, and without what a raw file does not decide. */
export function smallSpec(object: RawObject): Record<string, JsonValue> {
  const small = Object.entries(object.spec).filter(([name]) => !['definition', 'active', 'id'].includes(name));
  return { title: object.title, ...Object.fromEntries(small) };
}

function stumbled(format: DefinitionFormat, error: unknown): { message: string; remedy: string } {
  const reason = error instanceof Error ? error.message : String(error);
  return {
    message: `cannot be understood as ${format.name}: ${reason}`,
    remedy: `Export it from ${format.name} again.`,
  };
}

/** Name of a file without folders and ending. */
export function baseName(file: string): string {
  return file.slice(file.lastIndexOf('/') + 1).replace(/\.[^.]*$/, '');
}

/** Whether a JSON value is nested deeper than `limit`, uses the name `__proto__`, or has a number that would be lost: all are refused. */
export function hazard(value: JsonValue, limit: number): string | undefined {
  let level: JsonValue[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > limit) return `is nested more than ${limit} levels deep`;
    const next: JsonValue[] = [];
    for (const item of level) {
      if (item === null || typeof item !== 'object') continue;
      if (isObject(item) && Object.hasOwn(item, '__proto__')) return 'uses the name "__proto__"';
      for (const inner of Object.values(item)) {
        if (inner !== null && typeof inner === 'object') next.push(inner);
        else if (inner === Infinity || inner === -Infinity) return 'holds a number that is too large for any program';
      }
    }
    level = next;
  }
  return undefined;
}
