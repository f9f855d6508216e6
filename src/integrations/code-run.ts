import { dirname } from 'node:path';
import { ReconcilerError } from '../errors.ts';
import type { RegisteredIntegration } from '../drivers/integration-register.ts';
import type { JsonObject, JsonValue } from '../manifest/manifest.ts';
import { PluginPool } from '../plugins/plugin-pool.ts';
import type { SecretRef } from '../secrets/secrets.ts';
import type { CodeStore } from './code-store.ts';
import { allowedBy } from './terms.ts';
import type { CodeTerms } from './terms.ts';

/** On which terms code may run now. */
export interface Permit {
  readonly sync: string;
  readonly terms: CodeTerms;
  /** The value behind a reference, within what the Sync lets its manifests refer to. */
  readonly reveal: (ref: SecretRef) => Promise<string>;
}

export interface CodeRunParts {
  readonly store: CodeStore;
  readonly redact: (text: string) => string;
  /** One line that the code printed, bounded and without secrets. */
  readonly onLine: (line: string) => void;
}

type Code = RegisteredIntegration['runs']['code'] & { readonly commit: string };

/**
 * The code of one Integration in a child process of its own, for one run: its secrets and settings go along with every call, and
 * nothing of them stays behind. Disposing ends the process.
 */
export class CodeRun implements AsyncDisposable {
  readonly #pool: PluginPool;
  readonly #besides: JsonObject;

  private constructor(pool: PluginPool, besides: JsonObject) {
    this.#pool = pool;
    this.#besides = besides;
  }

  /** @throws ReconcilerError `code-not-allowed`, `code-unusable`, as a git source, or when a secret is missing */
  static async open(
    { platform, name, runs }: RegisteredIntegration,
    { sync, terms, reveal }: Permit,
    { store, redact, onLine }: CodeRunParts,
    { run, signal }: { readonly run: string; readonly signal: AbortSignal },
  ): Promise<CodeRun> {
    const code = lockedCode(name, runs.code);
    const folder = await store.open(code, allowedBy(sync, terms, code.repository), signal);
    const secrets: Record<string, string> = {};
    for (const [field, { valueFrom }] of Object.entries(code.secrets)) secrets[field] = await reveal(valueFrom);
    const place = { name: `Integration/${name}`, folder, entry: code.entry, baseDir: dirname(folder) };
    const pool = new PluginPool({ place, limits: terms.limits, processes: 1, redact, onLine });
    return new CodeRun(pool, { integration: name, platform, run, settings: code.settings, secrets });
  }

  /** Runs `execute(context)` once. @throws ReconcilerError `code-refused` when it refuses on purpose, or as a plugin; the signal's reason */
  async call(context: JsonObject, signal: AbortSignal): Promise<JsonValue> {
    const verdict = await this.#pool.execute({ ...this.#besides, ...context }, 'context', signal);
    if ('result' in verdict) return verdict.result;
    throw new ReconcilerError(`The code refuses it: ${verdict.refused}.`, 'backoff', {
      code: 'code-refused',
      remedy: 'Correct what it refuses.',
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool[Symbol.asyncDispose]();
  }
}

function lockedCode(name: string, code: RegisteredIntegration['runs']['code']): Code {
  const { commit } = code;
  if (commit !== undefined) return { ...code, commit };
  throw new ReconcilerError(`The code of Integration/${name} is locked to no commit.`, 'never', {
    code: 'code-not-locked',
    remedy: 'Apply its Sync again.',
  });
}
