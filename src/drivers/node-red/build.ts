import type { JsonObject, JsonValue } from '../../manifest/manifest.ts';
import type { Marker } from '../../plan/types.ts';
import { assignIds } from './identity.ts';
import { ROOT_LABEL, labelsOf } from './labels.ts';
import { readInfo, writeInfo } from './marker.ts';
import type { Names } from './names.ts';
import { canonical, localDefinition } from './normalize.ts';
import { type FlowSet, type RawNode, isObject, textOf, titleOf, without } from './raw.ts';
import { rewriteLocal } from './references.ts';

/** What is to stand on the server under one id. */
export interface Wanted {
  readonly id: string;
  /** The object's normal form. */
  readonly spec: JsonObject;
  readonly marker?: Marker;
  /** Values to write, in the clear: goes straight into the request. */
  readonly secrets: Readonly<Record<string, string>>;
}

/** What is known of the server while a stage is put together. */
export interface Server {
  readonly names: Names;
  /** Whether an id belongs to something already. */
  readonly isTaken: (id: string) => boolean;
}

/** The entries of a tab or subflow; what it refers to outside is still named, not numbered. */
export function buildWorkflow(set: FlowSet, wanted: Wanted, server: Server): readonly RawNode[] {
  const { id, spec } = wanted;
  const current = set.byId.get(id);
  const [root, ...nodes] = canonicalEntries(spec);
  const present = current === undefined ? undefined : server.names.extract(current);
  const ids = new Map([
    [ROOT_LABEL, id],
    ...assignIds({
      root: id,
      wanted: nodes,
      present: present?.slice(1) ?? [],
      labels: present === undefined ? new Map() : labelsOf(present[0], present.slice(1)),
      isTaken: server.isTaken,
    }),
  ]);
  const local = new Map([root, ...nodes].map((node) => [node.id, node]));
  const [home, ...members] = [root, ...nodes].map((node) => {
    const placed = rewriteLocal(node, local, (label) => ids.get(label) ?? label);
    return { ...placed, id: ids.get(node.id) ?? node.id };
  });
  const fields = fieldsOf(spec, ['application', 'version']);
  const info = writeInfo(textOf(root, 'info') ?? '', noteOf(wanted, fields));
  return [
    { ...home, ...rootProperties(root, current, spec), id, type: root.type, info },
    ...members.map((node): RawNode => ({ ...node, id: node.id, type: node.type, z: id })),
  ];
}

/** A tab that only says that the application exists: disabled, so that nothing placed on it by mistake runs. */
export function buildApplication(current: RawNode | undefined, wanted: Wanted): RawNode {
  const { spec } = wanted;
  const lines = ['version', 'environment', 'owner'].flatMap((name) => {
    const value = textOf(spec, name);
    return value === undefined ? [] : [`- **${name}**: ${value}`];
  });
  const title = textOf(spec, 'title') ?? '';
  const text = [`# ${title}`, ...(lines.length === 0 ? [] : ['', ...lines])].join('\n');
  const fields = fieldsOf(spec, ['environment', 'version', 'owner']);
  return {
    ...without(current ?? {}, []),
    id: wanted.id,
    type: 'tab',
    label: title,
    disabled: true,
    info: writeInfo(text, noteOf(wanted, fields)),
    env: current?.['env'] ?? [],
  };
}

/** A config node. Its name is written only where the editor would not show the title anyway. */
export function buildIntegration(current: RawNode | undefined, wanted: Wanted): RawNode {
  const { spec, id, secrets } = wanted;
  const settings = isObject(spec['settings']) ? spec['settings'] : {};
  const title = textOf(spec, 'title') ?? '';
  const nameless: RawNode = { ...settings, id, type: textOf(spec, 'type') ?? '' };
  const scope = current?.['z'];
  return {
    ...(titleOf(nameless) === title && textOf(current ?? {}, 'name') === undefined
      ? nameless
      : { ...nameless, name: title }),
    id,
    type: nameless.type,
    ...(scope === undefined ? {} : { z: scope }),
    ...(Object.keys(secrets).length === 0 ? {} : { credentials: secrets }),
  };
}

/** An object that is let go: everything stays but who owns it. */
export function withoutMarker(entry: RawNode): RawNode {
  const { text, note } = readInfo(textOf(entry, 'info') ?? '');
  return { ...entry, info: writeInfo(text, { fields: note.fields }) };
}

function canonicalEntries(spec: JsonObject): readonly [RawNode, ...RawNode[]] {
  const [root, ...nodes] = localDefinition(spec['definition'] ?? [], textOf(spec, 'title'));
  const [home, ...members] = canonical(root, nodes) as readonly RawNode[];
  return [home ?? root, ...members];
}

function rootProperties(root: RawNode, current: RawNode | undefined, spec: JsonObject): JsonObject {
  const title = textOf(spec, 'title') ?? titleOf(root);
  if (root.type === 'subflow') return { name: title };
  const active = spec['active'];
  const disabled = typeof active === 'boolean' ? !active : current?.['disabled'] === true;
  return { label: title, disabled, env: root['env'] ?? [] };
}

function fieldsOf(spec: JsonObject, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name): [string, string][] => {
      const value: JsonValue | undefined = spec[name];
      return typeof value === 'string' && value !== '' ? [[name, value]] : [];
    }),
  );
}

function noteOf(wanted: Wanted, fields: Readonly<Record<string, string>>): Parameters<typeof writeInfo>[1] {
  return { ...(wanted.marker === undefined ? {} : { marker: wanted.marker }), fields };
}
