import type { JsonObject, JsonValue } from '../../manifest/manifest.ts';
import { isObject } from '../../manifest/pointer.ts';
import { asNumber, listed, mendNode, quoted } from './mend-node.ts';
import { named } from './mend-notes.ts';
import type { Say } from './mend-node.ts';
import { cleanSettings } from './settings.ts';
import { listOf, objectOf, objectsOf, textOf } from './shapes.ts';

/** Something that n8n's API would have refused, and what was made of it. */
export interface Mend {
  readonly message: string;
  readonly remedy: string;
}

/** What exports carry about the instance that they come from; no part of what a workflow does. */
const OF_THE_INSTANCE: ReadonlySet<string> = new Set(
  (
    'id name active createdAt updatedAt isArchived versionId versionCounter triggerCount meta tags shared staticData ' +
    'activeVersion activeVersionId sourceWorkflowId parentFolder parentFolderId homeProject usedCredentials scopes hash ' +
    'versionMetadata sharedWithProjects'
  ).split(' '),
);
/** What the API takes at the top of a workflow, and in which shape. */
const DEFINES: ReadonlyMap<string, (value: JsonValue) => boolean> = new Map<string, (value: JsonValue) => boolean>([
  ['nodes', Array.isArray],
  ['connections', isObject],
  ['settings', isObject],
  ['nodeGroups', Array.isArray],
  ['pinData', isObject],
]);

/** A definition without what n8n's API would refuse, and what had to be left out for that. */
export function mend(definition: JsonValue): { readonly definition: JsonObject; readonly mends: readonly Mend[] } {
  const whole = objectOf(definition);
  const mends: Mend[] = [];
  const say = (message: string, remedy: string): void => void mends.push({ message, remedy });
  const strange = Object.entries(whole).flatMap(([key, value]) =>
    OF_THE_INSTANCE.has(key) || DEFINES.get(key)?.(value) === true || isEmpty(value) ? [] : [key],
  );
  if (strange.length > 0)
    say(
      `${listed(strange)} at the top of the file is left out: n8n's API does not take it.`,
      'Remove it, or leave it.',
    );
  const taken = new Set<string>();
  const nodes = named(nodesIn(whole['nodes'], say), say).map((node) => mendNode(node, taken, say));
  const connections = mendConnections(objectOf(whole['connections']), nodes, say);
  const { settings, dropped } = cleanSettings(objectOf(whole['settings']));
  if (dropped.length > 0)
    say(
      `The settings ${listed(dropped)} are left out: n8n's API does not take them, or not with that value.`,
      "Remove them; n8n keeps what they mean in each node's own settings, if anywhere.",
    );
  const groups = mendGroups(objectsOf(whole['nodeGroups']), nodes, say);
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

/** Nothing is lost with these; an empty list is what PHP writes for an object that is empty. */
function isEmpty(value: JsonValue): boolean {
  return value === null || value === '' || (Array.isArray(value) && value.length === 0);
}

function nodesIn(value: JsonValue | undefined, say: Say): readonly JsonObject[] {
  const nodes = objectsOf(value);
  const others = listOf(value).length - nodes.length;
  if (others > 0) say(`${others} entries of the list of nodes are no nodes; they are left out.`, 'Remove them.');
  return nodes;
}

function mendConnections(connections: JsonObject, nodes: readonly JsonObject[], say: Say): JsonObject {
  const names = new Set(nodes.map(({ name }) => name));
  const sources: string[] = [];
  const bent: string[] = [];
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
      branchesOf(branches, type, () => void bent.push(source)).map((edges) => edges.filter(leads)),
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
  if (bent.length > 0)
    say(
      `Connections of ${listed([...new Set(bent)])} are not written as n8n writes them; they lead to the first input where they name none.`,
      'Connect the nodes anew in n8n and export the workflow again, or see that this is what is meant.',
    );
  return Object.fromEntries(kept);
}

/** Edges by output; `bent` is told of what can be read only in part. */
function branchesOf(branches: JsonValue, type: string, bent: () => void): readonly (readonly JsonObject[])[] {
  if (!Array.isArray(branches) && branches !== null) bent();
  return listOf(branches).map((branch) => {
    const entries = isObject(branch) ? [branch] : listOf(branch);
    const edges = objectsOf(entries);
    if (edges.length < entries.length || (branch !== null && !isObject(branch) && !Array.isArray(branch))) bent();
    return edges.map(({ node, type: given, index = 0 }) => {
      const input = asNumber(index);
      if (input === undefined || !Number.isInteger(input) || input < 0) bent();
      return { node: node ?? '', type: textOf(given) ?? type, index: inputOf(input) };
    });
  });
}

function inputOf(index: number | undefined): number {
  return index !== undefined && Number.isInteger(index) && index >= 0 ? index : 0;
}

/** n8n takes a group only with what it knows of one, and only of nodes that are there. */
function mendGroups(groups: readonly JsonObject[], nodes: readonly JsonObject[], say: Say): readonly JsonObject[] {
  const ids = new Set(nodes.map(({ id }) => id));
  return groups.flatMap(({ id, name, nodeIds }) => {
    const members = Array.isArray(nodeIds) ? (nodeIds as readonly JsonValue[]) : [];
    const whole = textOf(id) !== undefined && textOf(name) !== undefined && members.every((one) => ids.has(one));
    if (whole && members.length > 0) return [{ id: id ?? '', name: name ?? '', nodeIds: members }];
    say(`The group "${textOf(name) ?? ''}" is left out: it holds nodes that the file does not.`, 'Group them anew.');
    return [];
  });
}

/** Whether a JSON value looks like what n8n's "Download" writes. Diagrams of other programs have nodes too; n8n's are of a type "package.name". */
export function isExport(json: JsonValue): json is JsonObject {
  if (!isObject(json) || !Array.isArray(json['nodes'])) return false;
  const nodes = json['nodes'] as readonly JsonValue[];
  if (nodes.some((node) => isObject(node) && /^[@\w/-]+\.\w/.test(textOf(node['type']) ?? ''))) return true;
  const typed = nodes.every((node) => isObject(node) && typeof node['type'] === 'string');
  return typed && isObject(json['connections']);
}
