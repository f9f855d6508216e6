import type { RemoteObject } from '../../plan/types.ts';
import { slug } from '../../manifest/slug.ts';
import type { Driver } from '../driver.ts';
import { without } from './shapes.ts';

/** An object as a person would keep it in git: a small manifest, and the definition as n8n's own download, without ids of the instance. */
export function exported({ kind, title, marker, value }: RemoteObject): ReturnType<NonNullable<Driver['toManifest']>> {
  const own = marker?.key.startsWith(`${kind}/`) === true ? marker.key.slice(kind.length + 1) : undefined;
  const name = own ?? slug(title);
  const { definition, ...rest } = value;
  const spec = without(rest, ['unpublishedDraft']);
  if (definition === undefined) return { name, spec };
  const file = `${name}.json`;
  return {
    name,
    spec: { ...spec, definitionFrom: { file } },
    definition: { file, text: `${JSON.stringify(definition, undefined, 2)}\n` },
  };
}
