/** Where a secret's value is kept. Values themselves are never written into a manifest. */
export type SecretRef =
  | { readonly env: string }
  | { readonly file: string }
  | { readonly secretKeyRef: { readonly name: string; readonly key: string } };

/**
 * What references may reach (OWNERSHIP.md, Secrets). Configuration in files may use variables and files as it likes, a
 * custom resource the Secrets of its namespace and nothing of the daemon's own; a source's manifests only what their Sync
 * allows: environment names by pattern (`ORDERS_*`), files below one directory, Secrets by name or pattern.
 */
export type SecretScope =
  | { readonly kind: 'configuration'; readonly baseDir: string }
  | { readonly kind: 'namespace'; readonly namespace: string }
  | {
      readonly kind: 'source';
      readonly env: readonly string[];
      readonly dir?: string;
      readonly cluster?: { readonly namespace: string; readonly names: readonly string[] };
    };

/** Reads a Secret of the cluster: its values by key as text; undefined when there is no such Secret. */
export type ReadClusterSecret = (
  namespace: string,
  name: string,
) => Promise<Readonly<Record<string, string>> | undefined>;

/** A value that shows itself only to `reveal()`: printing, logging and JSON give a placeholder. */
export interface SecretValue {
  reveal(): string;
  /** HMAC-SHA256 under the installation's hash key, bound to `context`, as hex: what the ledger keeps instead of the value. */
  keyedHash(context: string): string;
}

export interface Secrets {
  /**
   * The value behind a reference, read anew at each call so that rotation is seen.
   * @throws ReconcilerError ('never') when the scope forbids it, ('backoff') when it is missing or empty.
   */
  resolve(ref: SecretRef, scope: SecretScope): Promise<SecretValue>;
  /** Replaces every value resolved so far (also URL-encoded, base64 and JSON-escaped) by a placeholder. */
  redact(text: string): string;
}
