/** One request to the API server, as its audit log has it. */
export interface Audited {
  readonly user: string;
  /** Of the token that was shown: tells processes of one account apart. */
  readonly credential: string;
  readonly verb: string;
  readonly resource: string;
  /** `namespace/name`; the name is empty for a collection. */
  readonly object: string;
  readonly status: number;
  /** Milliseconds since 1970. */
  readonly at: number;
}

interface Entry {
  readonly auditID: string;
  readonly verb: string;
  readonly user: { readonly username: string; readonly extra?: Readonly<Record<string, readonly string[]>> };
  readonly objectRef?: {
    readonly resource?: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly responseStatus?: { readonly code?: number };
  readonly requestReceivedTimestamp: string;
}

/** Requests as the audit log has them, each once. */
export function auditedIn(log: string): readonly Audited[] {
  const seen = new Map<string, Audited>();
  for (const line of log.split('\n')) {
    // The last line may be half written.
    if (!line.endsWith('}')) continue;
    const { auditID, user, verb, objectRef, responseStatus, requestReceivedTimestamp } = JSON.parse(line) as Entry;
    const { resource = '', subresource, namespace = '', name = '' } = objectRef ?? {};
    seen.set(auditID, {
      user: user.username,
      credential: user.extra?.['authentication.kubernetes.io/credential-id']?.[0] ?? '',
      verb,
      resource: subresource === undefined ? resource : `${resource}/${subresource}`,
      object: `${namespace}/${name}`,
      status: responseStatus?.code ?? 0,
      at: Date.parse(requestReceivedTimestamp),
    });
  }
  return [...seen.values()];
}

/** Requests by kind, the most frequent first. */
export function kindsOf(requests: readonly Audited[]): Readonly<Record<string, number>> {
  const counts = new Map<string, number>();
  for (const { verb, resource } of requests) {
    counts.set(`${verb} ${resource}`, (counts.get(`${verb} ${resource}`) ?? 0) + 1);
  }
  return Object.fromEntries([...counts].toSorted(([, a], [, b]) => b - a));
}
