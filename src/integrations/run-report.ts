/** What came of one run, as `plumbline run` and the API show it. */
export interface RunReport {
  readonly platform: string;
  readonly integration: string;
  /** Id of the run, as the code and the log have it. */
  readonly run: string;
  readonly commit: string;
  readonly result: 'success' | 'failed';
  readonly milliseconds: number;
  /** Records that were read, by what their schema said. */
  readonly collected: { readonly valid: number; readonly invalid: number; readonly unchecked: number };
  /** Attempts to deliver records. */
  readonly delivered: { readonly applied: number; readonly failed: number; readonly dead: number };
  /** Records that still wait. */
  readonly waiting: number;
  readonly error?: { readonly message: string; readonly code?: string; readonly remedy?: string };
}

/** How an Integration with code stands. Times are RFC 3339 in UTC. */
export interface IntegrationStatus {
  readonly sync: string;
  readonly platform: string;
  readonly integration: string;
  readonly repository: string;
  /** As the manifest writes it: `tag v2.1.0`. */
  readonly ref: string;
  /** What it is locked to. */
  readonly commit: string;
  /** What a person wants it to be locked to; the next pass moves the lock. */
  readonly wanted?: string;
  readonly schedule?: string;
  readonly events: readonly string[];
  /** `blocked` while it may not run, `elsewhere` where another replica holds its platform. */
  readonly state: 'idle' | 'running' | 'failing' | 'blocked' | 'elsewhere';
  /** Why it fails, or may not run. */
  readonly because?: string;
  readonly lastRun?: string;
  readonly lastSuccess?: string;
  /** When it runs next by itself. */
  readonly nextRun?: string;
  /** Records that wait to be delivered. */
  readonly waiting: number;
  /** Where records are that were given up. */
  readonly deadLetters: string;
}
