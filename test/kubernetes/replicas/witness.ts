import { subscribe } from 'node:diagnostics_channel';

/** One request to a platform, as the process that sent it saw it go. */
export interface Begun {
  /** Milliseconds between the end of the sender's Lease and the request's first byte, by the sender's own clock; not above 0 while it held. */
  readonly overdue: number;
}

interface Sent {
  readonly origin: string | URL;
  readonly path: string;
  readonly method: string;
  readonly body?: unknown;
}

const DURATION = 'plumbline.dev/duration-milliseconds';

/**
 * Runs in a replica and judges its requests without asking what it judges: a Lease holds from the moment at which the write of it was begun that the
 * API server confirmed, for as long as that write says. Of several Leases the last one to expire counts for all platforms.
 * The moment of the first byte is taken by the code that hands it to the operating system, so that no load of the machine blurs it.
 */
export function witnessRequests(platforms: readonly string[], tell: (begun: Begun) => void): void {
  const origins = new Set(platforms.map((url) => new URL(url).origin));
  const writes = new WeakMap<object, { readonly lease: string; readonly until: number }>();
  const expiries = new Map<string, number>();
  subscribe('undici:request:create', (message) => {
    const { request } = message as { readonly request: Sent };
    const wanted = leaseWrittenBy(request);
    if (wanted === undefined) return;
    const { lease, duration } = wanted;
    if (duration === 0) expiries.delete(lease);
    else writes.set(request, { lease, until: performance.now() + duration });
  });
  subscribe('undici:request:headers', (message) => {
    const { request, response } = message as { readonly request: Sent; readonly response: { statusCode: number } };
    const written = writes.get(request);
    if (written !== undefined && response.statusCode < 300) expiries.set(written.lease, written.until);
  });
  subscribe('undici:client:sendHeaders', (message) => {
    const { request } = message as { readonly request: Sent };
    const now = performance.now();
    if (origins.has(new URL(request.origin).origin)) tell({ overdue: now - Math.max(0, ...expiries.values()) });
  });
}

/** What a write says of the Lease of a shard: milliseconds for which it holds, 0 when it is released. Undefined for any other request. */
function leaseWrittenBy({
  method,
  path,
  body,
}: Sent): { readonly lease: string; readonly duration: number } | undefined {
  if (!/^(POST|PUT)$/.test(method) || !/\/leases\b/.test(path)) return undefined;
  const { metadata, spec } = JSON.parse(String(body)) as {
    readonly metadata: { readonly name: string; readonly annotations: Readonly<Record<string, string>> };
    readonly spec: { readonly holderIdentity?: string };
  };
  if (!/-\d+-of-\d+$/.test(metadata.name)) return undefined;
  const held = spec.holderIdentity !== undefined;
  return { lease: metadata.name, duration: held ? Number(metadata.annotations[DURATION]) : 0 };
}
