import { resolve } from 'node:path';
import { ReconcilerError } from '../errors.ts';
import { readSecretFile } from './file.ts';
import { Redactor } from './redactor.ts';
import { checkVariable, isBelow, namespaceOfSecret } from './scope.ts';
import type { ReadClusterSecret, SecretRef, SecretScope, SecretValue, Secrets } from './secrets.ts';
import { HiddenValue } from './value.ts';

export interface SecretStoreOptions {
  /** The environment that `env` references are read from, anew at each call. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The installation's key for `keyedHash`, 32 bytes. */
  readonly hashKey: Uint8Array;
  /**
   * What configuration refers to and the daemon keeps for itself (its state directory): no pattern and no directory of
   * a source reaches it. A `file` covers everything below it.
   */
  readonly reserved?: readonly SecretRef[];
  /** How Secrets of a cluster are read; there is none when absent. */
  readonly cluster?: ReadClusterSecret;
}

/** References to values: from the environment and from files, within their scope, and kept out of every text. */
export class SecretStore implements Secrets {
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly #hashKey: Uint8Array;
  readonly #cluster: ReadClusterSecret | undefined;
  readonly #redactor = new Redactor();
  /** Grows by what is resolved for configuration, so that a reference nobody announced is covered from its first use. */
  readonly #reservedVariables = new Set<string>();
  readonly #reservedPaths = new Set<string>();

  constructor({ env, hashKey, reserved = [], cluster }: SecretStoreOptions) {
    this.#env = env;
    this.#cluster = cluster;
    this.#hashKey = hashKey;
    for (const ref of reserved) {
      if ('env' in ref) this.#reservedVariables.add(ref.env);
      else if ('file' in ref) this.#reservedPaths.add(resolve(ref.file));
    }
  }

  async resolve(ref: SecretRef, scope: SecretScope): Promise<SecretValue> {
    if ('env' in ref) return this.#resolveVariable(ref.env, scope);
    if ('secretKeyRef' in ref) return this.#resolveKey(ref.secretKeyRef, scope);
    const { text, path } = await readSecretFile(ref.file, scope, (path) => this.#isReserved(path));
    if (scope.kind === 'configuration') this.#reservedPaths.add(path);
    if (text === '') throw empty(`The secret file ${ref.file} is empty.`, 'Write the secret into the file');
    return this.hold(text);
  }

  /** A value that was not read through a reference (a generated password): hidden and redacted like all others. */
  hold(value: string): SecretValue {
    this.#redactor.add(value);
    return new HiddenValue(value, this.#hashKey);
  }

  redact(text: string): string {
    return this.#redactor.redact(text);
  }

  /** As `redact` for anything that goes into a structured log entry. @returns plain data without cycles. */
  redactDeep(value: unknown): unknown {
    return this.#redactor.redactDeep(value);
  }

  #resolveVariable(name: string, scope: SecretScope): SecretValue {
    checkVariable(name, scope, this.#reservedVariables);
    if (scope.kind === 'configuration') this.#reservedVariables.add(name);
    const value = Object.hasOwn(this.#env, name) ? this.#env[name] : undefined;
    if (value === undefined || value === '') {
      throw empty(
        `The environment variable ${name} is ${value === undefined ? 'not set' : 'empty'}.`,
        `Start plumbline with ${name} set to the secret`,
      );
    }
    return this.hold(value);
  }

  async #resolveKey(
    { name, key }: { readonly name: string; readonly key: string },
    scope: SecretScope,
  ): Promise<SecretValue> {
    const namespace = namespaceOfSecret(name, scope);
    const values = await this.#cluster?.(namespace, name);
    const where = `Secret ${name} in the namespace ${namespace}`;
    const create = `Create it, for example by "kubectl create secret generic ${name} -n ${namespace} --from-literal=${key}=…"`;
    if (values === undefined) throw empty(`There is no ${where}.`, create);
    const value = Object.hasOwn(values, key) ? (values[key] ?? '') : undefined;
    if (value !== undefined && value !== '') return this.hold(value);
    const known = Object.keys(values).join(', ') || 'no keys';
    throw empty(
      `The ${where} has ${value === undefined ? `no key ${key}` : `nothing in its key ${key}`}.`,
      `Add it (there ${known === 'no keys' ? 'are' : 'is'} ${known})`,
    );
  }

  #isReserved(path: string): boolean {
    return [...this.#reservedPaths].some((reserved) => path === reserved || isBelow(path, reserved));
  }
}

function empty(message: string, remedy: string): ReconcilerError {
  return new ReconcilerError(message, 'backoff', {
    code: 'secret-missing',
    remedy: `${remedy}, or correct the reference.`,
  });
}
