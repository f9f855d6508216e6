import { lookup, Resolver } from 'node:dns/promises';
import type { LookupAddress } from 'node:dns';

/** Finds the addresses of a host name, IPv4 and IPv6. Rejects with an error that has a `code`. */
export type ResolveHost = (host: string) => Promise<readonly LookupAddress[]>;

/** Milliseconds that one question to a name server may take, and how often it is asked. */
const QUESTION = { timeout: 2500, tries: 2 };
/** The system's own resolver is not asked when name servers do not answer: it would block one of its few threads. */
const SILENT = new Set(['ETIMEOUT', 'ECANCELLED']);

/**
 * Asks the name servers, and the system (its hosts file, its search domains) for what they do not know. The system alone
 * would do, were it not that every question of it holds one of four threads of this process for as long as it takes: four
 * names on a silent server would stop all others, and the file system with them.
 */
export function systemResolver(): ResolveHost {
  const resolver = new Resolver(QUESTION);
  return async (host) => {
    const [four, six] = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
    const found = [
      ...(four.status === 'fulfilled' ? four.value.map((address) => ({ address, family: 4 })) : []),
      ...(six.status === 'fulfilled' ? six.value.map((address) => ({ address, family: 6 })) : []),
    ];
    if (found.length > 0) return found;
    for (const answer of [four, six]) {
      if (answer.status === 'rejected' && SILENT.has(codeOf(answer.reason))) throw answer.reason;
    }
    return await lookup(host, { all: true });
  };
}

/** The word a system error is known by. */
export function codeOf(error: unknown): string {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if ('code' in at && typeof at.code === 'string') return at.code;
    if (at instanceof AggregateError && at.errors.length > 0) return codeOf(at.errors[0]);
  }
  return 'unknown';
}
