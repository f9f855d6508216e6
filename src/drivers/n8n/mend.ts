import { createHash } from 'node:crypto';
import type { JsonObject, JsonValue } from '../../manifest/manifest.ts';
import { isObject } from '../../manifest/pointer.ts';
import { cleanSettings } from './settings.ts';
import { objectOf, objectsOf, textOf } from './shapes.ts';

/** Something that n8n's API would have refused, and what was made of it. */
export interface Mend {
  readonly message: string;
  readonly remedy: string;
}

/** Keys of a node that the API takes (its OpenAPI file, 2.40.5). */
const NODE_KEYS: ReadonlySet<string> = new Set(
  (
    'id name webhookId disabled notesInFlow notes type typeVersion executeOnce alwaysOutputData retryOnFail maxTries ' +
    'waitBetweenTries continueOnFail onError position parameters credentials customTelemetryTags'
  ).split(' '),
);
/** What exports carry about the instance that they come from; no part of what a workflow does. */
const OF_THE_INSTANCE: ReadonlySet<string> = new Set(
  (
    'id name active createdAt updatedAt isArchived versionId versionCounter triggerCount meta tags shared staticData ' +
    'activeVersion activeVersionId sourceWorkflowId parentFolder parentFolderId homeProject usedCredentials scopes hash ' +
    'versionMetadata sharedWithProjects'
  ).split(' '),
);
const DEFINES: ReadonlySet<string> = new Set(['nodes', 'connections', 'settings', 'nodeGroups', 'pinData']);

/** A definition without what n8n's API would refuse, and what had to be left out for that. */
export function mend(definition: JsonValue): { readonly definition: JsonObject; readonly mends: readonly Mend[] } {
  const whole = objectOf(definition);
  const mends: Mend[] = [];
  const say = (message: string, remedy: string): void => void mends.push({ message, remedy });
  const strange = Object.entries(whole).flatMap(([key, value]) =>
    DEFINES.has(key) || OF_THE_INSTANCE.has(key) || value === null || value === '' ? [] : [key],
  );
  if (strange.length > 0)
    say(
      `${listed(strange)} at the top of the file is left out: n8n's API does not take it.`,
      'Remove it, or leave it.',
    );
  const taken = new Set<string>();
  const nodes = objectsOf(whole['nodes']).map((node) => mendNode(node, taken, say));
  const connections = mendConnections(objectOf(whole['connections']), nodes, say);
  const { settings, dropped } = cleanSettings(objectOf(whole['settings']));
  if (dropped.length > 0)
    say(
      `The settings ${listed(dropped)} are left out: n8n's API does not take them, or not with that value.`,
      "Remove them; n8n keeps what they mean in each node's own settings, if anywhere.",
    );
  const groups = objectsOf(whole['nodeGroups']);
  const pinned = objectOf(whole['pinData']);
  return {
    definition: {
      connections,
      ...(groups.length === 0 ? {} : { nodeGroups: groups }),
      nodes,
      ...(Object.keys(pinned).length === 0 ? {} : { pinData: pinned }),
      settings,
    },
    mends,
  };
}

type Say = (message: string, remedy: string) => void;

function mendNode(node: JsonObject, taken: Set<string>, say: Say): JsonObject {
  const name = textOf(node['name']) ?? '';
  const kept: Record<string, JsonValue> = { parameters: {} };
  const strange: string[] = [];
  for (const [key, value] of Object.entries(node)) {
    if (value === null || (key === 'webhookId' && value === '')) continue;
    if (NODE_KEYS.has(key)) kept[key] = value;
    else strange.push(key);
  }
  if (strange.length > 0)
    say(`${listed(strange)} of the node "${name}" is left out: n8n's API does not take it.`, 'Remove it, or leave it.');
  const id = textOf(node['id']);
  // An id of our own making is the same every time: n8n would make a new one, and a new version, at every write.
  kept['id'] = id === undefined || taken.has(id) ? stableId(name) : id;
  taken.add(kept['id']);
  if ('credentials' in kept) {
    const credentials = mendCredentials(kept['credentials'], name, say);
    if (Object.keys(credentials).length > 0) kept['credentials'] = credentials;
    else delete kept['credentials'];
  }
  return kept;
}

/** Old exports name a credential by a text; some hold something else altogether, which must not be sent anywhere. */
function mendCredentials(value: JsonValue | undefined, node: string, say: Say): JsonObject {
  const entries = Object.entries(objectOf(value)).flatMap(([type, entry]): [string, JsonObject][] => {
    const named = typeof entry === 'string' ? { name: entry } : objectOf(entry);
    if (named['__aiGatewayManaged'] === true) return [[type, named]];
    const name = textOf(named['name']);
    if (name !== undefined) return [[type, keptCredential(named, name)]];
    say(
      `The ${type} credential of the node "${node}" is left out: it has no name to find it by.`,
      `Choose the credential in n8n and export the workflow again, or write {"name": "…"} for ${type}.`,
    );
    return [];
  });
  return Object.fromEntries(entries);
}

function keptCredential(entry: JsonObject, name: string): JsonObject {
  return { name, ...(entry['unresolved'] === true ? { unresolved: true } : {}) };
}

function mendConnections(connections: JsonObject, nodes: readonly JsonObject[], say: Say): JsonObject {
  const names = new Set(nodes.map(({ name }) => name));
  const sources: string[] = [];
  const targets = new Map<string, Set<string>>();
  const kept = Object.entries(connections).flatMap(([source, outputs]): [string, JsonObject][] => {
    if (!names.has(source)) {
      sources.push(source);
      return [];
    }
    const leads = (edge: JsonObject): boolean => {
      const target = textOf(edge['node']) ?? '';
      if (names.has(target)) return true;
      targets.set(source, (targets.get(source) ?? new Set()).add(target));
      return false;
    };
    const byType = Object.entries(objectOf(outputs)).map(([type, branches]): [string, JsonValue] => [
      type,
      branchesOf(branches, type).map((edges) => edges.filter(leads)),
    ]);
    return [[source, Object.fromEntries(byType)]];
  });
  for (const [source, lost] of targets)
    say(
      `Connections of the node "${source}" lead to ${quoted([...lost])}, which the file does not hold; they are left out.`,
      'Connect the node anew in n8n and export the workflow again, or leave it.',
    );
  if (sources.length > 0)
    say(
      `Connections begin at ${quoted(sources)}, which the file does not hold; they are left out.`,
      'Remove them, or leave them.',
    );
  return Object.fromEntries(kept);
}

function branchesOf(branches: JsonValue, type: string): readonly (readonly JsonObject[])[] {
  if (!Array.isArray(branches)) return [];
  return (branches as readonly JsonValue[]).map((branch) =>
    objectsOf(branch).map((edge) => ({ index: 0, type, ...edge })),
  );
}

/** A UUID that is the same for the same name. */
export function stableId(name: string): string {
  const hex = createHash('sha256').update(`n8n node/${name}`).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

function listed(words: readonly string[]): string {
  return quoted(words.slice(0, 8)) + (words.length > 8 ? ` and ${words.length - 8} more` : '');
}

function quoted(words: readonly string[]): string {
  return words.map((word) => `"${word}"`).join(', ');
}

/** Whether a JSON value looks like what n8n's "Download" writes. */
export function isExport(json: JsonValue): json is JsonObject {
  if (!isObject(json) || !Array.isArray(json['nodes'])) return false;
  const nodes = json['nodes'] as readonly JsonValue[];
  const typed = nodes.every((node) => isObject(node) && typeof node['type'] === 'string');
  // Diagrams of other programs have nodes with types too; n8n's are "package.name".
  const n8n = nodes.some((node) => isObject(node) && /^[@\w/-]+\.\w/.test(textOf(node['type']) ?? ''));
  return typed && (isObject(json['connections']) || (n8n && json['connections'] === undefined));
}
