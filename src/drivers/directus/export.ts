import type { JsonObject } from '../../manifest/manifest.ts';
import { slug } from '../../manifest/slug.ts';
import type { RemoteObject } from '../../plan/types.ts';
import type { Driver } from '../driver.ts';
import { isObject, objectsOf } from './json.ts';

type Exported = ReturnType<NonNullable<Driver['toManifest']>>;

/** An object as a person would keep it in git: a flow's definition in a file of its own, links by key, no ids. `called` is how others refer to it. */
export function exported(object: RemoteObject, called?: string): Exported {
  const { kind, marker, title } = object;
  const noted = marker?.key.startsWith(`${kind}/`) === true ? marker.key.slice(kind.length + 1) : undefined;
  const name = called ?? noted ?? slug(title);
  if (kind !== 'Workflow') return { name, spec: object.value };
  const { definition, ...spec } = object.value;
  const file = `${name}.json`;
  return {
    name,
    spec: { ...spec, definitionFrom: { file } },
    definition: { file, text: `${JSON.stringify(readable(definition), undefined, 2)}\n` },
  };
}

/** What people look for first stands first. */
function readable(definition: JsonObject[string] | undefined): JsonObject {
  if (!isObject(definition)) return {};
  const { trigger, options, operation, operations, ...rest } = definition;
  const steps = objectsOf(operations).map(({ key, name, type, options: settings, resolve, reject, ...others }) =>
    present({ key, name, type, options: settings, resolve, reject, ...others }),
  );
  return present({ trigger, options, ...rest, operation, operations: steps });
}

function present(fields: Readonly<Record<string, JsonObject[string] | undefined>>): JsonObject {
  return Object.fromEntries(
    Object.entries(fields).filter((field): field is [string, JsonObject[string]] => field[1] !== undefined),
  );
}
