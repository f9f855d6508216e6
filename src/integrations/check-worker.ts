// Checks records in a thread of its own: a pattern of a schema can take longer than anybody wants to wait, and would hold up
// everything else here.
import { parentPort } from 'node:worker_threads';
import { Ajv } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import type { JsonObject, JsonValue } from '../manifest/manifest.ts';

export interface CheckRequest {
  readonly schema: JsonObject;
  readonly records: readonly JsonValue[];
}

/** Why the schema cannot be used, or for each record why it breaks it; null where it does not. */
export type CheckAnswer = { readonly unusable: string } | { readonly flaws: readonly (string | null)[] };

const OPTIONS = {
  strict: true,
  strictTypes: false,
  strictRequired: false,
  strictTuples: false,
  allowUnionTypes: true,
} as const;

function answer({ schema, records }: CheckRequest): CheckAnswer {
  let validate: ReturnType<Ajv['compile']>;
  try {
    const { $schema } = schema;
    const old = typeof $schema === 'string' && /draft-0[67]/.test($schema);
    const ajv = old ? new Ajv(OPTIONS) : new Ajv2020(OPTIONS);
    formats.default(ajv);
    validate = ajv.compile(schema);
  } catch (error) {
    return { unusable: error instanceof Error ? error.message : String(error) };
  }
  // Where something is wrong, and which rule it breaks: never the value (law 9).
  const flaws = records.map((record) => {
    if (validate(record)) return null;
    const [error] = validate.errors ?? [];
    return `${error?.instancePath || '/'} ${error?.message ?? 'breaks the schema'}`;
  });
  return { flaws };
}

parentPort?.once('message', (request: CheckRequest) => parentPort?.postMessage(answer(request), []));
