import type { JsonObject } from '../../manifest/manifest.ts';
import type { Marker, Owner } from '../../plan/types.ts';
import type { Catalogue } from './catalogue.ts';
import { locatorsOf, rewrite } from './locators.ts';
import type { Locator } from './locators.ts';
import { mend } from './mend.ts';
import { tagsWith } from './note.ts';
import type { Note } from './note.ts';
import { settingsToSend } from './settings.ts';
import { objectOf, objectsOf, textOf } from './shapes.ts';
import type { RawWorkflow } from './shapes.ts';

/** What a workflow is written from. */
export interface Wanted {
  /** The normalised content of the manifest. */
  readonly spec: JsonObject;
  readonly owner: Owner;
  readonly marker: Marker | undefined;
  readonly catalogue: Catalogue;
}

/** The body that creates a workflow, or replaces `present`. References that lead nowhere are left by name. */
export function bodyFor(wanted: Wanted, present?: RawWorkflow): JsonObject {
  const { spec, marker, catalogue, owner } = wanted;
  const definition = objectOf(spec['definition']);
  const resolved = rewrite(definition, {
    credential: (type, entry) => credentialEntry(type, entry, catalogue),
    locator: (locator) => ({ ...locator, ...idFor(locator, { catalogue, owner }) }),
  });
  const settings = objectOf(resolved['settings']);
  const note = marker === undefined ? undefined : noteFor(spec, marker);
  const { customTelemetryTags, ...others } = settingsToSend(settings, present?.settings ?? null);
  const tags = tagsWith(note, customTelemetryTags);
  const had = present?.settings?.['customTelemetryTags'] !== undefined;
  return {
    name: textOf(spec['title']) ?? '',
    nodes: objectsOf(resolved['nodes']).map((node) => withWebhookId(node, present)),
    connections: resolved['connections'] ?? {},
    settings: { ...others, ...(tags.length > 0 || had ? { customTelemetryTags: tags } : {}) },
    ...('nodeGroups' in resolved || present !== undefined ? { nodeGroups: resolved['nodeGroups'] ?? [] } : {}),
    // Left out, what is pinned would stay.
    ...('pinData' in resolved || present !== undefined ? { pinData: resolved['pinData'] ?? null } : {}),
  };
}

/** The body that leaves a workflow as it is but for its note. */
export function bodyWithout(present: RawWorkflow): JsonObject {
  const { nodes, connections, nodeGroups } = present;
  const { definition } = mend({ nodes, connections, settings: present.settings });
  return {
    name: present.name,
    nodes: definition['nodes'] ?? [],
    connections,
    nodeGroups: nodeGroups ?? [],
    settings: {
      ...objectOf(definition['settings']),
      customTelemetryTags: tagsWith(undefined, present.settings?.['customTelemetryTags']),
    },
  };
}

function credentialEntry(type: string, entry: JsonObject, catalogue: Catalogue): JsonObject {
  if (entry['__aiGatewayManaged'] === true) return entry;
  const name = textOf(entry['name']) ?? '';
  const [id, ...others] = catalogue.findCredentials(type, name);
  return { id: others.length > 0 ? null : (id ?? null), name };
}

function idFor(
  { target, name, id }: Locator,
  { catalogue, owner }: Pick<Wanted, 'catalogue' | 'owner'>,
): { readonly id?: string } {
  if (name === undefined) return id === undefined ? {} : { id };
  const [found, ...others] = catalogue.find(target, name, owner);
  return found === undefined || others.length > 0 ? {} : { id: found };
}

/** n8n makes a new webhook id, and a new version, at every write that brings none; what stands there is carried over. */
function withWebhookId(node: JsonObject, present: RawWorkflow | undefined): JsonObject {
  if (node['webhookId'] !== undefined || present === undefined) return node;
  const before =
    present.nodes.find(({ id, type }) => id === node['id'] && type === node['type']) ??
    present.nodes.find(({ name, type }) => name === node['name'] && type === node['type']);
  const webhookId = textOf(before?.['webhookId']);
  return webhookId === undefined ? node : { ...node, webhookId };
}

function noteFor(spec: JsonObject, marker: Marker): Note {
  const definition = objectOf(spec['definition']);
  const application = textOf(spec['application']);
  const version = textOf(spec['version']);
  return {
    marker,
    ...(application === undefined ? {} : { application }),
    ...(version === undefined ? {} : { version }),
    given: {
      settings: Object.keys(objectOf(definition['settings'])).filter((name) => name !== 'customTelemetryTags'),
      hooks: objectsOf(definition['nodes']).flatMap((node) => textOf(node['webhookId']) ?? []),
      bare: locatorsOf(definition).flatMap(({ name, id }) => (name === undefined && id !== undefined ? [id] : [])),
    },
  };
}
