/** What bounds the work that a text can cause. Everything beyond is a problem at its place. */
export interface Limits {
  /** Bytes of one YAML file. */
  readonly maxManifestBytes: number;
  /** Bytes of one JSON file. */
  readonly maxDefinitionBytes: number;
  /** Documents in one file. */
  readonly maxDocuments: number;
  /** Values in one document, aliases counted each time they are used. */
  readonly maxNodes: number;
  /** Levels of nesting in one document. */
  readonly maxDepth: number;
}

export const DEFAULT_LIMITS: Limits = {
  maxManifestBytes: 1_000_000,
  maxDefinitionBytes: 10_000_000,
  maxDocuments: 1000,
  maxNodes: 100_000,
  maxDepth: 100,
};
