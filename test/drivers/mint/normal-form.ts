import type { JsonObject, JsonValue, Kind } from '../../../src/manifest/manifest.ts';
import { slug } from '../../../src/manifest/slug.ts';
import type { Marker } from '../../../src/plan/types.ts';
import type { Collection, Fields } from './store.ts';

const COLLECTION: Readonly<Record<Exclude<Kind, 'Webhook' | 'ServiceLevel'>, Collection>> = {
  Application: 'applications',
  AccessRole: 'roles',
  Integration: 'connections',
  Workflow: 'workflows',
  AccessGrant: 'grants',
};

/** Where objects of a kind are kept. Mint knows nothing of webhooks and service levels. */
export function collectionOf(kind: Kind): Collection {
  if (kind === 'Webhook' || kind === 'ServiceLevel')
    throw new Error(`Mint was asked for a ${kind}, which it does not have`);
  return COLLECTION[kind];
}

/** An object as the API shows it. */
export interface Shown {
  readonly id: string;
  readonly title: string;
  readonly body: JsonObject;
  readonly tag: string | null;
  readonly secretsSet: Readonly<Record<string, boolean>>;
  readonly version: number;
  readonly createdAt: number;
  readonly changedAt: number;
  readonly changedBy: string;
}

/** What a reference means: a name (Integrations: a title) for an id, and back. `undefined`: nobody knows it. */
export interface Names {
  nameOf(kind: Kind, id: string): string | undefined;
}
export interface Ids {
  /** @throws ReconcilerError when nothing, or more than one object, is called so. */
  idOf(kind: Kind, name: string): string;
}

const TAG = 'plumbline:';

export function tagFor(marker: Marker): string {
  return TAG + JSON.stringify(marker);
}

/** The marker in a tag; tags of other programs, and broken ones, are none. */
export function markerIn(tag: string | null): Marker | undefined {
  if (tag?.startsWith(TAG) !== true) return undefined;
  try {
    const marker = JSON.parse(tag.slice(TAG.length)) as Partial<Marker> | null;
    return typeof marker?.owner === 'string' && typeof marker.key === 'string' ? (marker as Marker) : undefined;
  } catch {
    return undefined;
  }
}

/** What references call an object: its name in git where it carries one, else what its title would become. */
export function referenceName(kind: Kind, object: { readonly title: string; readonly tag: string | null }): string {
  if (kind === 'Integration') return object.title;
  const key = markerIn(object.tag)?.key;
  return key?.startsWith(`${kind}/`) === true ? key.slice(kind.length + 1) : slug(object.title);
}

/** A manifest's spec, or what was read of an object, without what means the same in two ways. */
export function normalize(kind: Kind, spec: JsonObject): JsonObject {
  const { exclusive: _, ...rest } = Object.fromEntries(Object.entries(spec).filter(([, value]) => value !== null));
  if (kind === 'AccessRole') {
    const permissions = objects(rest['permissions']).map((one) => ({ ...one, verbs: texts(one['verbs']).sort() }));
    return { ...rest, permissions, native: rest['native'] ?? {} };
  }
  if (kind === 'Integration') return { ...rest, settings: rest['settings'] ?? {} };
  if (kind === 'Workflow') {
    const steps = objects(object(rest['definition'])['steps']).map((step) => withoutNull({ retries: 0, ...step }));
    return { ...rest, definition: { steps } };
  }
  if (kind !== 'AccessGrant') return rest;
  const users = [...new Set(objects(rest['subjects']).map(({ user }) => textOf(user).toLowerCase()))].sort();
  const until = rest['expiresAt'] === undefined ? {} : { expiresAt: new Date(textOf(rest['expiresAt'])).toISOString() };
  return { ...rest, subjects: users.map((user) => ({ user })), scope: rest['scope'] ?? { platform: true }, ...until };
}

/** The normal form of an object on the platform; undefined when a reference in it cannot be told yet. */
export function valueOf(kind: Kind, shown: Shown, names: Names): JsonObject | undefined {
  const { title, body } = shown;
  let unknown = false;
  const name = (of: Kind, id: JsonValue | undefined): JsonValue => {
    if (id === undefined || id === null) return null;
    const known = names.nameOf(of, textOf(id));
    unknown ||= known === undefined;
    return known ?? null;
  };
  const spec = specOf(kind, { title, body, name });
  return unknown ? undefined : normalize(kind, spec);
}

type Name = (kind: Kind, id: JsonValue | undefined) => JsonValue;

function specOf(kind: Kind, { title, body, name }: { title: string; body: JsonObject; name: Name }): JsonObject {
  const field = (of: string): JsonValue => body[of] ?? null;
  if (kind === 'Application') {
    return { title, environment: field('environment'), version: field('release'), owner: field('owner') };
  }
  if (kind === 'AccessRole' || kind === 'Integration') return { title, ...body };
  if (kind === 'Workflow') {
    const steps = objects(body['steps']).map((step) => ({
      ...step,
      connection: name('Integration', step['connection']),
    }));
    const application = name('Application', body['app']);
    return { title, application, version: field('release'), active: field('enabled'), definition: { steps } };
  }
  const { app, workflow, all, data } = object(body['on']);
  const scope: JsonObject =
    app !== undefined
      ? { application: name('Application', app) }
      : workflow !== undefined
        ? { workflow: name('Workflow', workflow) }
        : data !== undefined
          ? { data }
          : { platform: all ?? true };
  const subjects = texts(body['people']).map((user) => ({ user }));
  return {
    title,
    role: name('AccessRole', body['role']),
    subjects,
    scope,
    expiresAt: field('until'),
    justification: field('reason'),
  };
}

/** What to send for a normalised content. `active` is sent only where it is desired (law 11). */
export function fieldsOf(kind: Kind, value: JsonObject, ids: Ids): Fields {
  const title = textOf(value['title']);
  const field = (of: string): JsonValue => value[of] ?? null;
  const id = (of: Kind, name: JsonValue | undefined): JsonValue =>
    name === undefined || name === null ? null : ids.idOf(of, textOf(name));
  if (kind === 'Application') {
    return { title, body: { environment: field('environment'), release: field('version'), owner: field('owner') } };
  }
  if (kind === 'AccessRole') return { title, body: { permissions: field('permissions'), native: field('native') } };
  if (kind === 'Integration') return { title, body: { type: field('type'), settings: field('settings') } };
  if (kind === 'Workflow') {
    const steps = objects(object(value['definition'])['steps']).map((step) => ({
      ...step,
      connection: id('Integration', step['connection']),
    }));
    const enabled = value['active'] === undefined ? {} : { enabled: value['active'] };
    return {
      title,
      body: { app: id('Application', value['application']), release: field('version'), steps, ...enabled },
    };
  }
  const { application, workflow, data } = object(value['scope']);
  const on: JsonObject =
    application !== undefined
      ? { app: id('Application', application) }
      : workflow !== undefined
        ? { workflow: id('Workflow', workflow) }
        : data !== undefined
          ? { data }
          : { all: true };
  const people = objects(value['subjects']).map(({ user }) => textOf(user));
  const body = {
    role: id('AccessRole', value['role']),
    people,
    on,
    until: field('expiresAt'),
    reason: field('justification'),
  };
  return { title, body };
}

/** A text, or an empty one for what is none. */
export function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '';
}

export function objects(value: JsonValue | undefined): readonly JsonObject[] {
  return list(value).filter(
    (item): item is JsonObject => typeof item === 'object' && item !== null && !Array.isArray(item),
  );
}

export function object(value: JsonValue | undefined): JsonObject {
  return objects(value === undefined ? [] : [value])[0] ?? {};
}

function texts(value: JsonValue | undefined): string[] {
  return list(value).map(textOf);
}

function list(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? (value as readonly JsonValue[]) : [];
}

function withoutNull(step: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(step).filter(([, value]) => value !== null));
}
