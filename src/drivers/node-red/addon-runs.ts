import { z } from 'zod';
import { ReconcilerError } from '../../errors.ts';
import type { Execution } from '../driver.ts';
import { type SendAuthorized, read } from './addon-client.ts';

const Ended = z.object({
  id: z.string(),
  workflow: z.string(),
  status: z.enum(['success', 'error']),
  startedAt: z.number(),
  endedAt: z.number(),
  durationMs: z.number(),
  error: z.string().optional(),
  caught: z.boolean().optional(),
  unfinished: z.boolean().optional(),
  correlation: z.string().optional(),
});

const Running = z.object({
  id: z.string(),
  workflow: z.string(),
  status: z.literal('running'),
  startedAt: z.number(),
  correlation: z.string().optional(),
});

const Executions = z.object({
  epoch: z.string(),
  next: z.string(),
  /** Records that were dropped before this reader came for them. */
  lost: z.number(),
  /** The runtime was started anew since the cursor was given: what it had not told by then is lost. */
  restarted: z.boolean(),
  running: z.number(),
  executions: z.array(Ended),
  /** The newest of those that have begun and not ended; add-ons before triggers do not tell them. */
  open: z.array(Running).default([]),
});
/** Executions that ended after a cursor, oldest first, and what a reader has to know to count each once. */
export type ExecutionPage = z.infer<typeof Executions>;

const Announced = z.object({ workflow: z.string(), execution: z.string().optional() });

/** A run that is about to be started, by us: at this node of this tab. */
export interface Announcement {
  readonly correlation: string;
  readonly workflow: string;
  readonly entry: string;
}

/** The part of Plumbline's add-on that knows what runs inside a Node-RED. */
export class AddonRuns {
  readonly #send: SendAuthorized;

  constructor(send: SendAuthorized) {
    this.#send = send;
  }

  async executions(cursor: string | undefined, limit: number, signal: AbortSignal): Promise<ExecutionPage> {
    const query = { limit: String(limit), ...(cursor === undefined ? {} : { after: cursor }) };
    const answer = await this.#send({ method: 'GET', route: '/plumbline/executions', query, signal });
    return read(Executions, answer.json);
  }

  /** One execution, running or ended; undefined when there is none (any more), or the add-on cannot tell. */
  async execution(id: string, signal: AbortSignal): Promise<Execution | undefined> {
    const route = '/plumbline/executions/:id';
    const answer = await this.#send({ method: 'GET', route, params: { id }, accept: [404], signal });
    return answer.status === 404 ? undefined : executionOf(read(z.union([Ended, Running]), answer.json));
  }

  /**
   * Says that a correlation will come to a node, so that the execution it begins is known by it.
   * @returns whether it will be recognised: not by an older add-on, without the right to announce, or when too many are.
   * @throws ReconcilerError `already-triggered` when it was announced before.
   */
  async announce({ correlation, workflow, entry }: Announcement, signal: AbortSignal): Promise<boolean> {
    const body = { correlation, workflow, entry };
    const answer = await this.#send({
      method: 'POST',
      route: '/plumbline/correlations',
      body,
      idempotent: false,
      accept: [404, 409, 503],
      signal,
    }).catch((error: unknown) => {
      if (error instanceof ReconcilerError && error.code === 'unauthorized') return undefined;
      throw notBegun(error);
    });
    if (answer?.status !== 409) return answer?.status === 201;
    throw new ReconcilerError('A workflow was triggered with this correlation before; it is not run again.', 'never', {
      code: 'already-triggered',
      remedy: 'Look for the execution with this correlation, or trigger with a new one.',
    });
  }

  /** The execution that began with an announced correlation, `none` as long as there is none; undefined when nobody knows. */
  async begun(correlation: string, signal: AbortSignal): Promise<{ readonly execution: string } | 'none' | undefined> {
    const route = '/plumbline/correlations/:id';
    const answer = await this.#send({ method: 'GET', route, params: { id: correlation }, accept: [404], signal });
    if (answer.status === 404) return undefined;
    const { execution } = read(Announced, answer.json);
    return execution === undefined ? 'none' : { execution };
  }
}

/** The shape in which a Driver reports a run. */
export function executionOf(record: z.infer<typeof Ended> | z.infer<typeof Running>): Execution {
  const { id, workflow, status, startedAt, correlation } = record;
  const told = { id, workflow, status, startedAt, ...(correlation === undefined ? {} : { correlation }) };
  if (record.status === 'running') return told;
  return { ...told, endedAt: record.endedAt, ...(record.error === undefined ? {} : { error: record.error }) };
}

/** A lost answer to an announcement is no unknown outcome: nothing was started yet. */
function notBegun(error: unknown): unknown {
  if (!(error instanceof ReconcilerError && error.code === 'outcome-unknown')) return error;
  return new ReconcilerError(
    'The connection broke before the workflow was triggered; nothing was started.',
    'backoff',
    {
      code: 'platform-unreachable',
      cause: error,
      remedy: 'Trigger it again once the platform answers.',
    },
  );
}
