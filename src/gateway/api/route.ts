import type { z } from 'zod';
import type { ErrorJson } from './error-json.ts';
import type { Extent, Right } from './scopes.ts';

/** Who calls, as the token says. */
export interface Caller {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
}

/** An answer: a status, a body (none with 204), and headers of its own. */
export interface Answer {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a call needs, told from its path and query alone: nothing is looked up before it is granted. */
export type Need =
  /** Any token. */
  | 'token'
  | (Extent & {
      readonly right: Right;
      /** Some part of the platform is enough; the handler looks closer. */
      readonly partly?: boolean;
    });

/** Path parameters or a query as they were sent. */
export type Given = Readonly<Record<string, string | undefined>>;

type Parsed<Schema extends z.ZodType | undefined> = Schema extends z.ZodType ? z.output<Schema> : undefined;

/** A call that was let in and is in order. */
export interface Call<
  Params extends z.ZodType | undefined = z.ZodType | undefined,
  Query extends z.ZodType | undefined = z.ZodType | undefined,
  Body extends z.ZodType | undefined = z.ZodType | undefined,
> {
  readonly caller: Caller;
  readonly params: Parsed<Params>;
  readonly query: Parsed<Query>;
  readonly body: Parsed<Body>;
  readonly header: (name: string) => string | undefined;
  /** Tells the audit which run the call is about. */
  readonly about: (correlation: string) => void;
}

interface Definition<
  Params extends z.ZodObject | undefined,
  Query extends z.ZodObject | undefined,
  Body extends z.ZodType | undefined,
> {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Below /api/v1, with parameters such as `:platform`. */
  readonly path: string;
  /** Name in the OpenAPI document. */
  readonly id: string;
  readonly summary: string;
  readonly description?: string;
  readonly needs: (params: Given, query: Given) => Need;
  readonly params?: Params;
  readonly query?: Query;
  readonly headers?: z.ZodObject;
  readonly body?: Body;
  /** What it may answer beside the refusals that every route has; undefined: no body. */
  readonly answers: Readonly<Record<number, z.ZodType | undefined>>;
  /** Fields of the answer in which a secret is told on purpose. */
  readonly tells?: readonly string[];
  readonly handle: (call: Call<Params, Query, Body>) => Promise<Answer>;
}

/** One route: what the server runs and what the document says of it. */
export type Route = Omit<
  Definition<z.ZodObject | undefined, z.ZodObject | undefined, z.ZodType | undefined>,
  'handle'
> & {
  readonly handle: (call: Call) => Promise<Answer>;
};

/** Declares a route; the handler gets what the schemas give. */
export function route<
  Params extends z.ZodObject | undefined = undefined,
  Query extends z.ZodObject | undefined = undefined,
  Body extends z.ZodType | undefined = undefined,
>(definition: Definition<Params, Query, Body>): Route {
  // The server hands over what came out of these very schemas.
  return definition;
}

interface RefusalDetails extends Omit<ErrorJson, 'retry'> {
  readonly retry?: ErrorJson['retry'];
  readonly plugin?: string;
  readonly correlationId?: string;
  /** Milliseconds after which another try is worth it. */
  readonly retryAfter?: number;
}

/** An answer that says no. */
export function refused(status: number, { retryAfter, retry = 'never', ...details }: RefusalDetails): Answer {
  return {
    status,
    body: { error: { ...details, retry } },
    ...(retryAfter === undefined
      ? {}
      : { headers: { 'retry-after': String(Math.max(1, Math.ceil(retryAfter / 1000))) } }),
  };
}

/** The same for everything that is not there, or that this token is not to know of. */
export function nothing(): Answer {
  return refused(404, {
    code: 'not-found',
    message: 'There is nothing of that name.',
    remedy: 'Compare the names with the manifests: they count exactly as they are written there.',
  });
}
