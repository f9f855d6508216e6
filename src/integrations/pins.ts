import { ReconcilerError } from '../errors.ts';
import type { IntegrationRegister } from '../drivers/integration-register.ts';
import { canonicalJson } from '../manifest/canonical.ts';
import type { IntegrationSpec } from '../manifest/integration.ts';
import type { JsonObject } from '../manifest/manifest.ts';
import type { CodeStore } from './code-store.ts';
import type { RecordCheck } from './record-check.ts';
import { allowedBy } from './terms.ts';
import type { CodeTerms } from './terms.ts';

export interface PinParts {
  readonly store: CodeStore;
  readonly register: IntegrationRegister;
  readonly check: RecordCheck;
}

/** Whose code is to be pinned. */
export interface PinPlace {
  readonly sync: string;
  readonly platform: string;
  readonly terms: CodeTerms | undefined;
}

/**
 * Finds the commit that an Integration's code is locked to. What is in force stays locked while repository and ref are the same,
 * whatever the ref leads to meanwhile: nobody who can push to the repository changes what runs here. A lock moves when git changes the
 * reference, or when a person says so (`plumbline repin`), and either shows in the plan.
 */
export async function pinned(
  { store, register, check }: PinParts,
  { sync, platform, terms }: PinPlace,
  { name, spec }: { readonly name: string; readonly spec: JsonObject },
  signal: AbortSignal,
): Promise<JsonObject> {
  const { code, records } = spec as unknown as IntegrationSpec;
  if (code === undefined) return spec;
  const allowed = allowedBy(sync, terms, code.repository);
  const locked = register.named(platform, name);
  const same = locked !== undefined && referenceOf(locked.runs.code) === referenceOf(code);
  const commit =
    (same ? (locked.wanted ?? locked.runs.code.commit) : undefined) ?? (await store.resolve(code, allowed, signal));
  const known = locked?.runs.code;
  const isInForce = same && known?.commit === commit && known.path === code.path && known.entry === code.entry;
  // What runs already is here, or was: to look at it again would cost every start a conversation with the server.
  if (!isInForce) await store.open({ ...code, commit }, allowed, signal);
  if (records !== undefined && canonicalJson(records) !== canonicalJson(locked?.runs.records ?? null)) {
    const flaw = await check.flawOf(records.schema, signal);
    if (flaw !== undefined)
      throw new ReconcilerError(`spec.records is no JSON Schema that can be used: ${flaw}`, 'never', {
        code: 'schema-unusable',
        remedy: 'Correct it; JSON Schema 2020-12 is meant, draft-07 where its $schema says so.',
      });
  }
  return { ...spec, code: { ...code, commit } as unknown as JsonObject };
}

function referenceOf({ repository, ref }: { readonly repository: string; readonly ref: object }): string {
  return canonicalJson({ repository, ref: ref as JsonObject });
}
