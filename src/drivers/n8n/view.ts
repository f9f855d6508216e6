import { createHash } from 'node:crypto';
import { canonicalJson } from '../../manifest/canonical.ts';
import type { JsonObject } from '../../manifest/manifest.ts';
import { slug } from '../../manifest/slug.ts';
import type { Lack, RemoteObject } from '../../plan/types.ts';
import type { Catalogue } from './catalogue.ts';
import { credentialLack, isIdle, locatorLack } from './dangling.ts';
import { locatorsOf, rewrite, spellings } from './locators.ts';
import type { Locator } from './locators.ts';
import { mend } from './mend.ts';
import { readNote } from './note.ts';
import type { Note } from './note.ts';
import { isNeutral } from './settings.ts';
import { objectOf, objectsOf, textOf, without } from './shapes.ts';
import type { RawCredential, RawTag, RawWorkflow } from './shapes.ts';

/** A workflow as it is compared: by name what it refers to, without what n8n added by itself. */
export function workflowObject(raw: RawWorkflow, catalogue: Catalogue): RemoteObject {
  const note = readNote(raw.settings);
  const application = applicationOf(raw, note);
  const lacks = new Map<string, Lack>();
  const value: JsonObject = {
    title: raw.name,
    ...(application === undefined ? {} : { application }),
    ...(note?.version === undefined ? {} : { version: note.version }),
    active: raw.active,
    // What is saved is not what runs: a draft of somebody's, or a publication that failed.
    ...(isLive(raw) ? {} : { unpublishedDraft: true }),
    definition: withNames(raw, { note, catalogue, lacks }),
  };
  return {
    kind: 'Workflow',
    remote: raw.id,
    title: raw.name,
    value,
    version: versionOf(raw),
    ...(note?.marker === undefined ? {} : { marker: note.marker }),
    ...(lacks.size === 0 ? {} : { lacks: [...lacks.values()] }),
    createdAt: Date.parse(raw.createdAt),
    changedAt: Date.parse(raw.updatedAt),
  };
}

/** Whether what is saved is what runs; true where nothing is to run. */
export function isLive({ active, versionId, activeVersionId }: RawWorkflow): boolean {
  return !active || activeVersionId === undefined || activeVersionId === null || activeVersionId === versionId;
}

/** References of a workflow on the platform, for the catalogue. */
export function locatorsIn(raw: RawWorkflow): readonly Locator[] {
  return locatorsOf(mend(definitionOf(raw)).definition);
}

/** n8n counts versions of nodes only: this changes with everything that is compared or written. */
export function versionOf(raw: RawWorkflow): string {
  const { name, active, nodes, connections, settings } = raw;
  const seen = {
    name,
    active,
    nodes,
    connections,
    settings,
    archived: raw.isArchived === true,
    live: isLive(raw),
    groups: raw.nodeGroups ?? [],
    pinned: raw.pinData ?? {},
    tags: (raw.tags ?? []).map(({ id }) => id).toSorted(),
  };
  return createHash('sha256').update(canonicalJson(seen)).digest('hex').slice(0, 32);
}

/** A tag is called as what it is; nothing else can be said of it. */
export function tagObject({ id, name, createdAt }: RawTag): RemoteObject {
  return {
    kind: 'Application',
    remote: id,
    title: name,
    value: { title: name },
    version: name,
    ...(createdAt === undefined ? {} : { createdAt: Date.parse(createdAt) }),
  };
}

/** A credential; of its data n8n tells nothing but when it was changed. */
export function credentialObject(raw: RawCredential): RemoteObject {
  return {
    kind: 'Integration',
    remote: raw.id,
    title: raw.name,
    value: { title: raw.name, type: raw.type },
    version: credentialVersion(raw),
    createdAt: Date.parse(raw.createdAt),
    changedAt: Date.parse(raw.updatedAt),
  };
}

export function credentialVersion({ name, type, updatedAt }: RawCredential): string {
  return JSON.stringify([updatedAt, type, name]);
}

/** The application whose tag a workflow bears: what its note says, or where there is none, its only tag. */
function applicationOf({ tags = [] }: RawWorkflow, note: Note | undefined): string | undefined {
  const names = tags.map(({ name }) => slug(name));
  if (note === undefined) return names.length === 1 ? names[0] : undefined;
  return note.application !== undefined && names.includes(note.application) ? note.application : undefined;
}

function definitionOf(raw: RawWorkflow): JsonObject {
  const { nodes, connections, settings, nodeGroups, pinData } = raw;
  return { nodes, connections, settings, nodeGroups: nodeGroups ?? null, pinData: pinData ?? null };
}

/** What names are read with; what leads nowhere is told on the way, each thing once. */
interface Reading {
  readonly note: Note | undefined;
  readonly catalogue: Catalogue;
  readonly lacks: Map<string, Lack>;
}

function withNames(raw: RawWorkflow, reading: Reading): JsonObject {
  const { note } = reading;
  const { definition } = mend(definitionOf(raw));
  const originals = new Map(raw.nodes.map((node) => [node['name'], node]));
  const named = rewrite(definition, {
    credential: (type, entry, node) => credentialName(type, entry, originals.get(node['name'] ?? '') ?? {}, reading),
    locator: (locator) => locatorName(locator, reading),
  });
  return note === undefined ? named : asGiven(named, note);
}

/** The credential's present name. One that leads nowhere although it could is told apart, so that it is set right. */
function credentialName(
  type: string,
  entry: JsonObject,
  original: JsonObject,
  { catalogue, lacks }: Reading,
): JsonObject {
  if (entry['__aiGatewayManaged'] === true) return entry;
  const id = textOf(objectOf(objectOf(original['credentials'])[type])['id']);
  const present = id === undefined ? undefined : catalogue.credential(id);
  if (present !== undefined) return { name: present.name };
  const name = textOf(entry['name']) ?? '';
  const count = catalogue.findCredentials(type, name).length;
  if (count !== 1 && !isIdle(entry, original))
    lacks.set(`${type}\n${name}`, credentialLack({ type, name, node: textOf(original['name']) ?? '' }, count));
  return { ...entry, ...(count === 1 ? { unresolved: true } : {}) };
}

function locatorName(locator: Locator, { note, catalogue, lacks }: Reading): Locator {
  const { target, id, name: written, node, idle } = locator;
  const present = id === undefined ? undefined : catalogue.nameOf(target, id);
  const bare = id !== undefined && (written === undefined || note?.given.bare.includes(id) === true);
  // A missing error workflow that git names by an id keeps nothing from running.
  const matters = idle !== true && catalogue.blindFor(target) === undefined && !(bare && node === undefined);
  const count = bare || written === undefined ? 0 : catalogue.find(target, written, note?.marker?.owner).length;
  if (present === undefined && count !== 1 && matters)
    lacks.set(`${target}\n${written ?? id ?? ''}`, locatorLack(bare ? without_(locator, 'name') : locator, count));
  if (id !== undefined && note?.given.bare.includes(id) === true) return without_(locator, 'name');
  if (present !== undefined) {
    // What we wrote in the editor's own spelling is read back in it.
    const kept = note !== undefined && written !== undefined && spellings(written).includes(present);
    return { ...without_(locator, 'id'), name: kept ? written : present };
  }
  if (written === undefined) return locator;
  return { ...without_(locator, 'id'), ...(count === 1 ? { unresolved: true } : {}) };
}

function without_(locator: Locator, field: 'id' | 'name'): Locator {
  const { [field]: _dropped, ...rest } = locator;
  return rest;
}

/** Drops what n8n or its editor added to what git gave: webhook ids, and settings that say no more than their absence. */
function asGiven(definition: JsonObject, { given }: Note): JsonObject {
  const nodes = objectsOf(definition['nodes']).map((node) =>
    given.hooks.includes(textOf(node['webhookId']) ?? '') ? node : without(node, ['webhookId']),
  );
  const settings = Object.entries(objectOf(definition['settings'])).filter(
    ([name, value]) => given.settings.includes(name) || !isNeutral(name, value),
  );
  return { ...definition, nodes, settings: Object.fromEntries(settings) };
}
