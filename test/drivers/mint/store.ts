import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { JsonObject, JsonValue } from '../../../src/manifest/manifest.ts';

/** The platform's collections; what plumbline calls a kind. */
export const COLLECTIONS = ['applications', 'roles', 'connections', 'workflows', 'grants'] as const;
export type Collection = (typeof COLLECTIONS)[number];

/** Collections whose objects have a tag: one line for programs, which is where a marker can live. */
export const TAGGED: readonly Collection[] = ['applications', 'roles', 'workflows'];

export interface MintObject {
  readonly id: string;
  readonly collection: Collection;
  readonly title: string;
  readonly body: JsonObject;
  readonly tag: string | null;
  /** Write-only. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly version: number;
  readonly createdAt: number;
  readonly createdBy: string;
  readonly changedAt: number;
  readonly changedBy: string;
}

/** Fields of a create or a change; absent ones are left as they are. */
export interface Fields {
  readonly title?: string;
  readonly body?: JsonObject;
  readonly tag?: string | null;
  readonly secrets?: Readonly<Record<string, string>>;
}

/** A refusal, as an HTTP status and a text. */
export class Refused extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

interface State {
  readonly instance: string;
  /** Time of the last write, milliseconds since 1970; no two writes have the same. */
  last: number;
  readonly objects: MintObject[];
}

/** What Mint remembers; in a file too, where one is named, so that it outlives the process. */
export class MintStore {
  readonly #file: string | undefined;
  #state: State;

  constructor(file?: string) {
    this.#file = file;
    this.#state =
      file !== undefined && existsSync(file)
        ? (JSON.parse(readFileSync(file, 'utf8')) as State)
        : { instance: randomUUID(), last: 0, objects: [] };
  }

  get instance(): string {
    return this.#state.instance;
  }

  /** A copy of everything, for `restore`. */
  snapshot(): string {
    return JSON.stringify(this.#state);
  }

  restore(snapshot: string): void {
    this.#state = JSON.parse(snapshot) as State;
    this.#persist();
  }

  /** In the order of their making. */
  list(collection: Collection): readonly MintObject[] {
    return this.#state.objects.filter((object) => object.collection === collection);
  }

  get(collection: Collection, id: string): MintObject {
    const found = this.#state.objects.find((object) => object.collection === collection && object.id === id);
    if (found === undefined) throw new Refused(404, `no ${collection} ${id}`);
    return found;
  }

  create(collection: Collection, fields: Fields, by: string): MintObject {
    if (fields.title === undefined || fields.title === '') throw new Refused(400, 'title is missing');
    const now = this.#next();
    const object: MintObject = {
      id: randomUUID(),
      collection,
      title: fields.title,
      body: this.#accept(collection, fields),
      tag: tagOf(collection, fields) ?? null,
      secrets: fields.secrets ?? {},
      version: 1,
      createdAt: now,
      createdBy: by,
      changedAt: now,
      changedBy: by,
    };
    this.#state.objects.push(object);
    this.#persist();
    return object;
  }

  /** @throws Refused 412 when `expected` is given and is not the present version. */
  change(
    found: MintObject,
    fields: Fields,
    { by, expected }: { by: string; expected?: number | undefined },
  ): MintObject {
    if (expected !== undefined && expected !== found.version) throw new Refused(412, `version is ${found.version}`);
    const tag = tagOf(found.collection, fields);
    const changed: MintObject = {
      ...found,
      title: fields.title ?? found.title,
      body: this.#accept(found.collection, { ...fields, body: { ...found.body, ...fields.body } }),
      tag: tag === undefined ? found.tag : tag,
      secrets: { ...found.secrets, ...fields.secrets },
      version: found.version + 1,
      changedAt: this.#next(),
      changedBy: by,
    };
    this.#state.objects[this.#state.objects.indexOf(found)] = changed;
    this.#persist();
    return changed;
  }

  /** @throws Refused 409 while something refers to it, 412 when `expected` is given and is not the present version. */
  remove(found: MintObject, expected?: number): void {
    if (expected !== undefined && expected !== found.version) throw new Refused(412, `version is ${found.version}`);
    const referrer = this.#state.objects.find((object) => referencesOf(object).some(({ id }) => id === found.id));
    if (referrer !== undefined) throw new Refused(409, `${referrer.collection} ${referrer.id} refers to it`);
    this.#state.objects.splice(this.#state.objects.indexOf(found), 1);
    this.#persist();
  }

  /** A person duplicates an object: tag included, secrets too. */
  copy(found: MintObject, by: string): MintObject {
    return this.create(found.collection, { ...found, title: `${found.title} (copy)` }, by);
  }

  #accept(collection: Collection, fields: Fields): JsonObject {
    const body = withDefaults(collection, fields.body ?? {});
    for (const reference of referencesOf({ collection, body })) {
      const exists = this.#state.objects.some(({ id, collection: of }) => id === reference.id && of === reference.to);
      if (!exists) throw new Refused(400, `unknown ${reference.to} ${reference.id}`);
    }
    return body;
  }

  #next(): number {
    this.#state.last = Math.max(Date.now(), this.#state.last + 1);
    return this.#state.last;
  }

  #persist(): void {
    if (this.#file === undefined) return;
    writeFileSync(`${this.#file}.new`, JSON.stringify(this.#state));
    renameSync(`${this.#file}.new`, this.#file);
  }
}

function tagOf(collection: Collection, fields: Fields): string | null | undefined {
  if (fields.tag !== undefined && fields.tag !== null && !TAGGED.includes(collection)) {
    throw new Refused(400, `${collection} have no tag`);
  }
  return fields.tag;
}

/** What this platform adds and tidies by itself, as platforms do: the stuff that perpetual differences are made of. */
function withDefaults(collection: Collection, body: JsonObject): JsonObject {
  if (collection === 'applications') return { environment: null, release: null, owner: null, ...body };
  if (collection === 'roles') return { permissions: [], native: {}, ...body };
  if (collection === 'connections') return { settings: {}, ...body };
  if (collection === 'workflows') {
    const steps = objects(body['steps']).map((step) => ({ retries: 0, connection: null, ...step }));
    return { app: null, release: null, enabled: false, ...body, steps };
  }
  const people = list(body['people']).map((person) => textOf(person).toLowerCase());
  return { on: { all: true }, until: null, reason: null, ...body, people: people.sort() };
}

interface Reference {
  readonly to: Collection;
  readonly id: string;
}

function referencesOf({ collection, body }: Pick<MintObject, 'collection' | 'body'>): readonly Reference[] {
  const found: Reference[] = [];
  const add = (to: Collection, id: JsonValue | undefined): void => {
    if (id !== undefined && id !== null) found.push({ to, id: textOf(id) });
  };
  if (collection === 'workflows') {
    add('applications', body['app']);
    for (const step of objects(body['steps'])) add('connections', step['connection']);
  }
  if (collection === 'grants') {
    const [on] = objects([body['on'] ?? {}]);
    add('roles', body['role']);
    add('applications', on?.['app']);
    add('workflows', on?.['workflow']);
  }
  return found;
}

function textOf(value: JsonValue): string {
  return typeof value === 'string' ? value : '';
}

function list(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? (value as readonly JsonValue[]) : [];
}

function objects(value: JsonValue | undefined): readonly JsonObject[] {
  return list(value).filter((item): item is JsonObject => typeof item === 'object' && item !== null);
}
