import { ReconcilerError, messageOf } from '../errors.ts';
import type { Retry } from '../errors.ts';

/** What the API server says when it refuses: a `Status` object. */
interface StatusObject {
  readonly message?: string;
  readonly reason?: string;
  readonly code?: number;
}

/** What was asked, for messages: `GET syncs.plumbline.dev in shop`. */
export interface Asked {
  readonly what: string;
  readonly server: string;
}

interface Meaning {
  readonly code: string;
  readonly retry: Retry;
  readonly remedy: string;
}

const MEANINGS: Readonly<Record<number, Meaning>> = {
  400: meaning('cluster-bad-request', 'never', 'Update Plumbline, or its custom resource definitions, to one version.'),
  401: meaning('cluster-unauthorized', 'backoff', 'Renew the token or certificate; it is read anew at every try.'),
  403: meaning('cluster-forbidden', 'backoff', 'Grant that to the ServiceAccount (the chart does), then it goes on.'),
  404: meaning('cluster-not-found', 'never', 'Create it, or install the custom resource definitions if it is a kind.'),
  405: meaning('cluster-unsupported', 'never', 'Update the cluster: this API server cannot do that.'),
  409: meaning('cluster-conflict', 'replan', 'It was changed meanwhile; it is read and tried again.'),
  410: meaning('cluster-expired', 'backoff', 'It is listed anew.'),
  413: meaning('cluster-too-large', 'never', 'Make the object smaller.'),
  415: meaning('cluster-unsupported', 'never', 'Update the cluster: server-side apply needs Kubernetes 1.22.'),
  422: meaning('cluster-invalid', 'never', 'Update the custom resource definitions to those of this version.'),
  429: meaning('cluster-busy', 'backoff', 'Wait: it is tried again when the API server says so.'),
};
const UNAVAILABLE = meaning('cluster-unavailable', 'backoff', 'Look at the API server; it is tried again by itself.');

function meaning(code: string, retry: Retry, remedy: string): Meaning {
  return { code, retry, remedy };
}

/** A refusal of the API server as an error: what was asked, what it said, what to do. Codes begin with `cluster-`. */
export function refusedByServer(
  status: number,
  { text, retryAfter }: { readonly text: string; readonly retryAfter?: string | undefined },
  { what, server }: Asked,
): ReconcilerError {
  const { code, retry, remedy } = MEANINGS[status] ?? UNAVAILABLE;
  const said = statusOf(text)?.message ?? text.slice(0, 300).trim();
  const seconds = Number(retryAfter);
  return new ReconcilerError(`${what} at ${server} was answered with ${status}: ${said || 'nothing'}`, retry, {
    code,
    remedy,
    ...(Number.isFinite(seconds) && seconds > 0 ? { retryAfter: seconds * 1000 } : {}),
  });
}

/** No answer: unreachable, timed out, or aborted by whoever asked. */
export function noAnswer(cause: unknown, { what, server }: Asked, signal: AbortSignal): ReconcilerError {
  if (signal.aborted) {
    return new ReconcilerError(`${what} at ${server} was stopped.`, 'backoff', { cause, code: 'aborted' });
  }
  const timedOut = cause instanceof Error && cause.name === 'TimeoutError';
  return new ReconcilerError(`${what} at ${server} got no answer: ${messageOf(cause)}`, 'backoff', {
    cause,
    code: timedOut ? 'cluster-timeout' : 'cluster-unreachable',
    remedy: 'Check the address of the API server and the network between; it is tried again by itself.',
  });
}

/** Whether an error is one of the API server's with that code, such as `cluster-conflict`. */
export function isClusterError(error: unknown, code: string): boolean {
  return error instanceof ReconcilerError && error.code === code;
}

function statusOf(text: string): StatusObject | undefined {
  try {
    return JSON.parse(text) as StatusObject;
  } catch {
    return undefined;
  }
}
