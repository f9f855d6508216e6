import { ReconcilerError, messageOf } from '../errors.ts';
import type { JsonValue } from '../manifest/manifest.ts';
import { formsOf } from '../secrets/forms.ts';

/** What an error message may say about a request: its method, route template and platform. */
export interface RequestContext {
  readonly what: string;
  readonly idempotent: boolean;
}

/** Failures that happen before a byte of the request is sent: the platform has surely not acted on it. */
const NOT_SENT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);

/** Turns what a request failed with into an error that says whether the platform may have acted on it. */
export function failureOf(
  error: unknown,
  context: RequestContext,
  signal: AbortSignal,
  timeout?: AbortSignal,
): ReconcilerError {
  const code = codeOf(error);
  if (code !== undefined && NOT_SENT.has(code)) {
    return new ReconcilerError(`${context.what}: cannot connect (${code}).`, 'backoff', {
      code: 'platform-unreachable',
      cause: error,
      remedy: code.includes('CERT')
        ? 'The certificate is not trusted here; add its authority with NODE_EXTRA_CA_CERTS.'
        : 'Check that the platform is running and reachable from here.',
    });
  }
  const aborted = signal.aborted;
  const timedOut = !aborted && (timeout?.aborted === true || /TIMEOUT/.test(code ?? ''));
  const happened = aborted ? 'was stopped' : timedOut ? 'got no answer in time' : 'lost its connection';
  if (!context.idempotent) {
    return new ReconcilerError(`${context.what} ${happened}; its outcome is unknown.`, 'replan', {
      code: 'outcome-unknown',
      cause: error,
      remedy: 'Nothing to do: the platform is looked at again before anything is repeated.',
    });
  }
  return new ReconcilerError(`${context.what} ${happened} (${code ?? messageOf(error)}).`, 'backoff', {
    code: aborted ? 'aborted' : timedOut ? 'timeout' : 'connection-lost',
    cause: error,
    ...(timedOut ? { remedy: 'Raise limits.timeout if the platform is slow rather than down.' } : {}),
  });
}

interface Refused {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  readonly json: JsonValue | undefined;
  /** Header values that must not show up in a message even if the server repeats them. */
  readonly secrets: readonly string[];
}

/** Turns an answer outside 2xx into an error. */
export function refusalOf(answer: Refused, context: RequestContext, retryAfter: number | undefined): ReconcilerError {
  const { status } = answer;
  const wait = retryAfter === undefined ? {} : { retryAfter };
  const said = excerpt(answer);
  if (status >= 300 && status < 400) {
    const target = answer.headers['location'];
    const host = target !== undefined && URL.canParse(target) ? new URL(target).host : 'another path';
    return new ReconcilerError(
      `${context.what} was redirected (${status}) to ${host}; redirects are not followed.`,
      'never',
      {
        code: 'redirected',
        remedy: 'Credentials are sent only to the configured host: write the final address in spec.url.',
      },
    );
  }
  if (status === 401 || status === 403) {
    return new ReconcilerError(`${context.what} was refused (${status})${said}`, 'never', {
      code: 'unauthorized',
      remedy: 'Check the credentials in spec.auth and what they are allowed to do on the platform.',
    });
  }
  if (status === 429) {
    return new ReconcilerError(`${context.what} was put off (429): too many requests.`, 'backoff', {
      code: 'too-many-requests',
      remedy: 'Lower limits.requestsPerSecond.',
      retryAfter: retryAfter ?? 1_000,
    });
  }
  if (status === 503) {
    return new ReconcilerError(`${context.what}: the platform is unavailable (503)${said}`, 'backoff', {
      code: 'platform-unavailable',
      ...wait,
    });
  }
  if (status >= 500) {
    const unknown = !context.idempotent;
    const ending = unknown ? '; its outcome is unknown' : '';
    return new ReconcilerError(
      `${context.what} failed on the platform (${status})${said}${ending}`,
      unknown ? 'replan' : 'backoff',
      {
        code: unknown ? 'outcome-unknown' : 'platform-error',
        remedy: "Look into the platform's own log.",
        ...wait,
      },
    );
  }
  return new ReconcilerError(`${context.what} was refused (${status})${said}`, 'never', { code: 'refused' });
}

/** `Retry-After` in seconds or as a date, as milliseconds from now. */
export function retryAfterOf(headers: Readonly<Record<string, string>>): number | undefined {
  const value = headers['retry-after'];
  if (value === undefined) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

/** What the platform said, one bounded line without our credentials; HTML says nothing. */
function excerpt({ text, json, secrets }: Refused): string {
  const body = typeof json === 'object' && json !== null && !Array.isArray(json) ? json : {};
  const message = 'message' in body ? body['message'] : text;
  if (typeof message !== 'string' || message === '' || /^\s*</.test(message)) return '.';
  const bare = secrets.map((secret) => secret.replace(/^(Bearer|Basic) /, ''));
  // The longest first, so that no part of a secret is left beside its placeholder.
  const words = bare.flatMap(formsOf).sort((a, b) => b.length - a.length);
  const clean = words.reduce((said, word) => said.replaceAll(word, '***'), message.replace(/\s+/g, ' '));
  return `: ${clean.length > 200 ? `${clean.slice(0, 200)}…` : clean}`;
}

function codeOf(error: unknown): string | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if ('code' in at && typeof at.code === 'string') return at.code;
    if (at instanceof AggregateError) return codeOf(at.errors[0]);
  }
  return undefined;
}
