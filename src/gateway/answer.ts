import type { FastifyReply } from 'fastify';

/** A refusal as it goes out: what, and what to do. Nothing in it may tell a stranger what exists. */
export interface Refusal {
  readonly status: number;
  /** A stable word for programs. */
  readonly code: string;
  readonly message: string;
  readonly remedy?: string;
  /** Seconds after which another try is worth it. */
  readonly retryAfter?: number;
}

const COMMON: Readonly<Record<number, Omit<Refusal, 'status'>>> = {
  400: { code: 'malformed', message: 'This is not a request that can be read.' },
  404: { code: 'not-found', message: 'There is nothing here.' },
  408: { code: 'too-slow', message: 'The request did not arrive in time.' },
  413: { code: 'too-large', message: 'The body is larger than is taken here.' },
  431: { code: 'headers-too-large', message: 'The headers are more or larger than are taken here.' },
  500: { code: 'internal', message: 'Something went wrong here; the log says what.' },
  503: { code: 'unavailable', message: 'There is no room at the moment.' },
};

/** The refusal that every listener gives for a status; the same bytes whoever asks for whatever. */
export function commonRefusal(status: number): Refusal {
  const known = COMMON[status];
  if (known !== undefined) return { status, ...known };
  return { status, code: 'refused', message: 'The request is refused.' };
}

/** JSON body of the refusal for a status, for answers written below the level of requests. */
export function errorText(status: number): string {
  return bodyOf(commonRefusal(status));
}

/** Sends `{"error": {"code", "message", "remedy"?}}` with the refusal's status. */
export function refuse(reply: FastifyReply, refusal: Refusal): FastifyReply {
  if (refusal.retryAfter !== undefined) reply.header('retry-after', String(refusal.retryAfter));
  return reply.code(refusal.status).type('application/json; charset=utf-8').send(bodyOf(refusal));
}

function bodyOf({ code, message, remedy }: Refusal): string {
  return JSON.stringify({ error: { code, message, ...(remedy === undefined ? {} : { remedy }) } });
}
