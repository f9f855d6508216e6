import { z } from 'zod';
import type { JsonObject, Key } from '../../manifest/manifest.ts';
import type { Marker, Owner } from '../../plan/types.ts';

/** A grant as it is noted on the role or policy that it gives. */
export interface GrantNote {
  readonly title: string;
  readonly marker?: Marker;
  /** Ids of the users it stands for; who of them really holds the role is seen on the platform. */
  readonly users: readonly string[];
  readonly until?: string;
  readonly why?: string;
}

/**
 * What an object on Directus says of itself, at the end of its `description` behind what people wrote there. Flows,
 * roles and policies have one; rows of access have not, so that grants are noted on what they give.
 */
export interface Note {
  readonly marker?: Marker;
  /** Fields of the manifest that Directus has no place for: application, version, exclusive. */
  readonly fields: Readonly<Record<string, string>>;
  /** By the id of the grant. */
  readonly grants: Readonly<Record<string, GrantNote>>;
}

const markerShape = {
  owner: z
    .string()
    .regex(/^[^/]+\/.+$/)
    .optional(),
  key: z
    .string()
    .regex(/^\w+\/.+$/)
    .optional(),
  applied: z.string().optional(),
  how: z.enum(['created', 'adopted']).optional(),
  remote: z.string().optional(),
};

const grantSchema = z.strictObject({
  ...markerShape,
  title: z.string(),
  users: z.array(z.string()),
  until: z.string().optional(),
  why: z.string().optional(),
});

const noteSchema = z.strictObject({
  ...markerShape,
  fields: z.record(z.string(), z.string()).optional(),
  grants: z.record(z.string(), grantSchema).optional(),
});

const TRAILER = /\s*<!-- plumbline (\{.*\}) -->\s*$/s;

/** Splits a description into what people wrote and what we noted. A note that does not parse counts as text. */
export function readNote(description: string): { readonly text: string; readonly note: Note } {
  const match = TRAILER.exec(description);
  const parsed = match?.[1] === undefined ? undefined : noteSchema.safeParse(parse(match[1]));
  if (match === null || parsed?.success !== true)
    return { text: description.trimEnd(), note: { fields: {}, grants: {} } };
  const { fields = {}, grants = {}, ...said } = parsed.data;
  return {
    text: description.slice(0, match.index),
    note: {
      ...markerIn(said),
      fields,
      grants: Object.fromEntries(Object.entries(grants).map(([id, grant]) => [id, grantIn(grant)])),
    },
  };
}

/** The opposite of `readNote`; null where there is nothing to say. */
export function writeNote(text: string, note: Note): string | null {
  const grants = Object.entries(note.grants).map(
    ([id, { marker, ...grant }]) => [id, { ...marker, ...grant }] as const,
  );
  const body = {
    ...note.marker,
    ...(Object.keys(note.fields).length === 0 ? {} : { fields: note.fields }),
    ...(grants.length === 0 ? {} : { grants: Object.fromEntries(grants) }),
  } as unknown as JsonObject;
  const clean = text.trimEnd();
  if (Object.keys(body).length === 0) return clean === '' ? null : clean;
  // `>` is escaped so that no value can end the comment.
  return `${clean}${clean === '' ? '' : '\n\n'}<!-- plumbline ${JSON.stringify(body).replaceAll('>', '\\u003e')} -->`;
}

type Said = { readonly [Name in keyof typeof markerShape]?: string | undefined };

function markerIn({ owner, key, applied, how, remote }: Said): { readonly marker?: Marker } {
  if (owner === undefined || key === undefined) return {};
  return {
    marker: {
      owner: owner as Owner,
      key: key as Key,
      ...(applied === undefined ? {} : { applied }),
      ...(how === 'created' || how === 'adopted' ? { how } : {}),
      ...(remote === undefined ? {} : { remote }),
    },
  };
}

function grantIn({ title, users, until, why, ...said }: z.infer<typeof grantSchema>): GrantNote {
  return {
    title,
    users,
    ...markerIn(said),
    ...(until === undefined ? {} : { until }),
    ...(why === undefined ? {} : { why }),
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
