import type { Origin, Problem } from '../errors.ts';
import type { SecretRef } from '../secrets/secrets.ts';
import type { FileContext } from './files.ts';
import type { JsonObject } from './manifest.ts';
import { isObject, valueAt } from './pointer.ts';
import { didYouMean } from './suggest.ts';

/** A reference to a secret, and where it is written. */
export interface SecretUse {
  readonly name: string;
  readonly ref: SecretRef;
  readonly path: readonly PropertyKey[];
}

/** References that only an Integration's code gets: they are checked like all others, and not handed to the platform. */
export function secretsOfCode(spec: JsonObject): readonly SecretUse[] {
  const secrets = valueAt(spec, ['code', 'secrets']);
  if (!isObject(secrets)) return [];
  return Object.entries(secrets).map(([name, secret]) => ({
    name,
    ref: valueAt(secret, ['valueFrom']) as unknown as SecretRef,
    path: ['spec', 'code', 'secrets', name, 'valueFrom'],
  }));
}

interface FoundSchema {
  readonly file: string;
  /** The spec with the schema in it. */
  readonly spec?: JsonObject;
  readonly problem?: Pick<Problem, 'origin' | 'message' | 'remedy'>;
}

/** Takes the schema of an Integration's records from the file that the spec names; undefined where it names none. */
export function schemaOf(
  spec: JsonObject,
  { files }: FileContext,
  placeOf: (path: readonly PropertyKey[]) => Origin,
): FoundSchema | undefined {
  const file = valueAt(spec, ['records', 'schemaFrom', 'file']);
  const { records } = spec;
  if (typeof file !== 'string' || !isObject(records)) return undefined;
  const { schemaFrom: _, ...rest } = records;
  const schema = files?.get(file)?.json?.schema;
  if (schema !== undefined)
    return { file, spec: { ...spec, records: { ...rest, schema: JSON.parse(schema) as JsonObject } } };
  const here = files?.get(file);
  const known = [...(files?.values() ?? [])].flatMap(({ path, json }) => (json?.schema === undefined ? [] : [path]));
  const [message, remedy] =
    here === undefined
      ? [`the schema file ${file} does not exist.`, didYouMean(file, known, 'Add the file, or correct its name.')]
      : [`the file ${file} is no JSON Schema of at most 256 KiB.`, 'Give it a "$schema" and a "type".'];
  return { file, problem: { origin: placeOf(['spec', 'records', 'schemaFrom', 'file']), message, remedy } };
}
