import { z } from 'zod';
import type { JsonObject, Key } from '../../manifest/manifest.ts';
import type { Marker, Owner } from '../../plan/types.ts';

/**
 * What an object on the platform says of itself, kept at the end of its `info` (the description in the editor) as an
 * HTML comment, which the editor does not show. Not in `env`: a tab whose env changes is restarted whole
 * (runtime/lib/flows/util.js, diffConfigs), and a changed marker must not stop what runs.
 */
export interface Note {
  readonly marker?: Marker;
  /** Fields of the manifest that the platform has no place for: application, version, environment, owner. */
  readonly fields: Readonly<Record<string, string>>;
}

const noteSchema = z.strictObject({
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
  fields: z.record(z.string(), z.string()).optional(),
});

const TRAILER = /\s*<!-- plumbline (\{.*\}) -->\s*$/s;

/** Splits an `info` into what people wrote and what we noted. A note that does not parse counts as text. */
export function readInfo(info: string): { readonly text: string; readonly note: Note } {
  const match = TRAILER.exec(info);
  const parsed = match?.[1] === undefined ? undefined : noteSchema.safeParse(parse(match[1]));
  if (match === null || parsed?.success !== true) return { text: info, note: { fields: {} } };
  const { owner, key, applied, how, remote, fields } = parsed.data;
  const marker: Marker | undefined =
    owner === undefined || key === undefined
      ? undefined
      : {
          owner: owner as Owner,
          key: key as Key,
          ...(applied === undefined ? {} : { applied }),
          ...(how === undefined ? {} : { how }),
          ...(remote === undefined ? {} : { remote }),
        };
  return {
    text: info.slice(0, match.index),
    note: { ...(marker === undefined ? {} : { marker }), fields: fields ?? {} },
  };
}

/** The opposite of `readInfo`. */
export function writeInfo(text: string, note: Note): string {
  const body: JsonObject = {
    ...note.marker,
    ...(Object.keys(note.fields).length === 0 ? {} : { fields: note.fields }),
  };
  const clean = text.replace(/\s+$/, '');
  if (Object.keys(body).length === 0) return clean;
  // `>` is escaped so that no value can end the comment.
  return `${clean}${clean === '' ? '' : '\n\n'}<!-- plumbline ${JSON.stringify(body).replaceAll('>', '\\u003e')} -->`;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
