import { z } from 'zod';
import type { JsonObject, JsonValue, Key } from '../../manifest/manifest.ts';
import type { Marker, Owner } from '../../plan/types.ts';
import { NOTE_KEY, peoplesTags } from './settings.ts';
import { objectsOf, textOf } from './shapes.ts';

/**
 * What a workflow on the platform says of itself, kept as one of its custom telemetry tags: they are part of the settings, so
 * that the very write that creates a workflow marks it. Not a tag: those come in a second call and hold 24 characters.
 */
export interface Note {
  readonly marker?: Marker;
  /** Fields of the manifest that n8n has no place for. */
  readonly application?: string;
  readonly version?: string;
  /** What git says of the things that n8n adds to by itself: the rest of them is not compared. */
  readonly given: Given;
}

export interface Given {
  /** Names of the settings in git. */
  readonly settings: readonly string[];
  /** Webhook ids in git; n8n makes one for every node that needs one and has none. */
  readonly hooks: readonly string[];
  /** References that git knows by the id of some instance only. */
  readonly bare: readonly string[];
}

const texts = z.array(z.string()).default([]);
const noteSchema = z.strictObject({
  owner: z.string().regex(/^[^/]+\/.+$/),
  key: z.string().regex(/^\w+\/.+$/),
  applied: z.string().optional(),
  how: z.enum(['created', 'adopted']).optional(),
  remote: z.string().optional(),
  application: z.string().optional(),
  version: z.string().optional(),
  settings: texts,
  hooks: texts,
  bare: texts,
});

/** The note in a workflow's settings; one that does not parse is none. */
export function readNote(settings: JsonObject | null): Note | undefined {
  const own = objectsOf(settings?.['customTelemetryTags']).find(({ key }) => key === NOTE_KEY);
  const parsed = noteSchema.safeParse(parse(textOf(own?.['value']) ?? ''));
  if (!parsed.success) return undefined;
  const { owner, key, applied, how, remote, application, version, ...given } = parsed.data;
  const marker: Marker = {
    owner: owner as Owner,
    key: key as Key,
    ...(applied === undefined ? {} : { applied }),
    ...(how === undefined ? {} : { how }),
    ...(remote === undefined ? {} : { remote }),
  };
  return {
    marker,
    ...(application === undefined ? {} : { application }),
    ...(version === undefined ? {} : { version }),
    given,
  };
}

/** The custom telemetry tags with this note among them, or without one. */
export function tagsWith(note: Note | undefined, theirs: JsonValue | undefined): readonly JsonObject[] {
  const people = peoplesTags(theirs);
  if (note === undefined) return people;
  const { marker, application, version, given } = note;
  const value = JSON.stringify({
    ...marker,
    ...(application === undefined ? {} : { application }),
    ...(version === undefined ? {} : { version }),
    ...Object.fromEntries(Object.entries(given).filter(([, list]) => (list as readonly string[]).length > 0)),
  });
  return [...people, { key: NOTE_KEY, value }];
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
