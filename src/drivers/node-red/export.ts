import type { JsonObject } from '../../manifest/manifest.ts';
import type { RemoteObject } from '../../plan/types.ts';
import type { Driver } from '../driver.ts';
import type { Snapshot } from './client.ts';
import { slugOf } from './format.ts';
import { readInfo } from './marker.ts';
import { Names } from './names.ts';
import { type RawNode, textOf, without } from './raw.ts';

type Exported = ReturnType<NonNullable<Driver['toManifest']>>;

/**
 * An object as a person would keep it in git. A flow becomes the file that the editor's own export gives, with its real
 * ids, except that config nodes, subflows and links to other tabs stand there by name, as every instance knows them.
 */
export function exported(object: RemoteObject, snapshot: Snapshot | undefined): Exported {
  const name = slugOf(object.title);
  if (object.kind !== 'Workflow') return { name, spec: object.value };
  const entry = snapshot?.set.byId.get(object.remote);
  const { definition, ...spec } = object.value;
  const entries =
    entry === undefined || snapshot === undefined
      ? (definition as readonly JsonObject[])
      : new Names(snapshot.set).extract(entry).map(asExported);
  const file = `${name}.json`;
  return {
    name,
    spec: { ...spec, definitionFrom: { file } },
    definition: { file, text: `${JSON.stringify(entries, undefined, 2)}\n` },
  };
}

function asExported(node: RawNode): JsonObject {
  const bare = without(node, ['credentials', ...(node.type === 'tab' ? ['disabled'] : [])]);
  const info = textOf(node, 'info');
  return info === undefined || (node.type !== 'tab' && node.type !== 'subflow')
    ? bare
    : { ...bare, info: readInfo(info).text };
}
