import type { DefinitionFormat, JsonObject, JsonValue, RawObject } from '../../manifest/manifest.ts';
import { credentialProblems } from './credentials.ts';
import { inspectDefinition } from './inspect.ts';
import { placed } from './layout.ts';
import { Names } from './names.ts';
import { kindOf, partsOf, specOf } from './objects.ts';
import { FlowSet, type RawNode, entriesOf, isRoot, parentOf, roleOf, titleOf } from './raw.ts';
import { referencesOf, subflowOf } from './references.ts';

type Split = ReturnType<DefinitionFormat['split']>;
type Found = Split['problems'][number];

/** Node-RED's own format: the flat list of entries that the editor exports and the server stores. */
export const nodeRedFormat: DefinitionFormat = {
  name: 'node-red',
  recognizes,
  split,
  nodes: (definition) =>
    (entriesOf(definition) ?? []).map((entry, index) => ({ name: titleOf(entry), pointer: `/${index}` })),
  inspect: inspectDefinition,
};

/** A list of entries with id and type, one of which says where it stands, is a root, or is wired. */
function recognizes(json: JsonValue): boolean {
  const entries = entriesOf(json);
  if (entries === undefined || entries.length === 0) return false;
  return entries.some(
    (entry) => isRoot(entry) || 'z' in entry || 'wires' in entry || /^[0-9a-f]{6,16}(\.[0-9a-f]+)?$/.test(entry.id),
  );
}

/** One Workflow per tab and per subflow, one Integration per config node; loose nodes make a flow titled by the file. */
function split(json: JsonValue, name: string): Split {
  const entries = entriesOf(placed(json));
  if (entries === undefined) {
    return {
      objects: [],
      problems: [
        { message: 'This is not a list of Node-RED nodes.', remedy: 'Export the flow again from the editor.' },
      ],
    };
  }
  const set = new FlowSet(housed(entries, name));
  const names = new Names(set);
  const owners = set.entries.filter((entry) => kindOf(entry) !== undefined);
  const parts = partNames(owners);
  const objects = owners.map((entry): RawObject => {
    const { active: _, ...spec } = specOf(entry, names) as JsonObject & { active?: JsonValue };
    return {
      kind: kindOf(entry) ?? 'Workflow',
      part: parts.get(entry.id) ?? '',
      title: titleOf(entry),
      spec,
      needs: needsOf(set, entry, parts),
    };
  });
  return { objects, problems: [...credentialProblems(set.entries), ...ambiguities(set, names)] };
}

/** Loose nodes get a tab of their own, as the editor gives them when it imports them. */
function housed(entries: readonly RawNode[], title: string): readonly RawNode[] {
  const set = new FlowSet(entries);
  const missing = new Set(set.missingParents);
  const isLoose = (entry: RawNode): boolean =>
    !isRoot(entry) && (parentOf(entry) === undefined ? roleOf(entry) === 'node' : missing.has(parentOf(entry) ?? ''));
  if (!entries.some(isLoose)) return entries;
  const home: RawNode = { id: set.missingParents[0] ?? 'flow', type: 'tab', label: title };
  return [home, ...entries.map((entry) => (isLoose(entry) ? { ...entry, z: home.id } : entry))];
}

/** '' where an object is the only one of its kind, else its title as a slug, numbered among equals. */
function partNames(owners: readonly RawNode[]): ReadonlyMap<string, string> {
  const parts = new Map<string, string>();
  for (const [, group] of Map.groupBy(owners, kindOf)) {
    const taken = new Set<string>();
    for (const entry of group) {
      const slug = group.length === 1 ? '' : slugOf(titleOf(entry));
      let part = slug;
      for (let number = 2; taken.has(part); number++) part = `${slug}-${number}`;
      taken.add(part);
      parts.set(entry.id, part);
    }
  }
  return parts;
}

/** A DNS label made of what people see. */
export function slugOf(title: string): string {
  const slug = title
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 50)
    .replace(/^-+|-+$/g, '');
  return slug === '' ? 'flow' : slug;
}

function needsOf(set: FlowSet, owner: RawNode, parts: ReadonlyMap<string, string>): RawObject['needs'] {
  const needs = new Map<string, RawObject['needs'][number]>();
  for (const node of partsOf(set, owner)) {
    for (const { place, id } of referencesOf(node)) {
      const target = set.byId.get(id);
      const kind = target === undefined || place === 'link' || id === owner.id ? undefined : kindOf(target);
      const fits = place === 'subflow' ? target?.type === 'subflow' : place === 'config' && kind === 'Integration';
      if (fits && kind !== undefined) needs.set(id, { kind, part: parts.get(id) ?? '' });
    }
  }
  return [...needs.values()];
}

function ambiguities(set: FlowSet, names: Names): readonly Found[] {
  const used = new Set(set.entries.flatMap((entry) => referencesOf(entry).map(({ id }) => id)));
  const instances = new Set(set.entries.flatMap((entry) => subflowOf(entry) ?? []));
  return [...set.globals, ...set.roots.filter((root) => instances.has(root.id))]
    .filter((entry) => used.has(entry.id) && names.isAmbiguous(entry))
    .map((entry) => ({
      message: `Two nodes of type ${entry.type} are called "${titleOf(entry)}", and others refer to one of them (${entry.id}).`,
      remedy: 'Give each a name of its own: flows refer to them by name.',
    }));
}
