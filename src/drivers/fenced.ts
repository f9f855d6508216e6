import { Agent, DecoratorHandler } from 'undici';
import type { Dispatcher } from 'undici';
import { ReconcilerError, messageOf } from '../errors.ts';
import type { Fence } from './driver.ts';

/**
 * Connections to a platform, whose requests ask the fence at the last moment before their first byte: the connection stands, and nothing
 * was written to it yet. Between the call of the client and this moment lies all that takes time, a connection to be made among it; between
 * this moment and the first byte lies no turn of the event loop. Hence bodies must be text or bytes (a stream is written in a later turn),
 * and HTTP/2 is left out (its requests are written in a later turn, and wait for others of their connection).
 */
export function agentBehind(fence: Fence | undefined, options: Agent.Options = {}): Dispatcher {
  const agent = new Agent({ ...options, allowH2: false });
  if (fence === undefined) return agent;
  return agent.compose((dispatch) => (wanted, handler) => dispatch(wanted, new FencedHandler(handler, fence)));
}

class FencedHandler extends DecoratorHandler {
  readonly #handler: Dispatcher.DispatchHandler;
  readonly #fence: Fence;

  constructor(handler: Dispatcher.DispatchHandler, fence: Fence) {
    super(handler);
    this.#handler = handler;
    this.#fence = fence;
  }

  onRequestStart(controller: Dispatcher.DispatchController, context: unknown): void {
    try {
      this.#fence.permit();
    } catch (error) {
      controller.abort(error instanceof Error ? error : new Error(messageOf(error)));
      return;
    }
    this.#handler.onRequestStart?.(controller, context);
  }
}

/** What is thrown where a fence is closed. `holder` says who may write, as far as is known; `guest`: a command asks, and no replica. */
export function notHolder(platform: string, holder: string | undefined, guest = false): ReconcilerError {
  const what = `Nothing was sent to platform ${platform}`;
  const who = holder === undefined ? 'no replica holds it at the moment' : `${holder} does`;
  const told = { code: 'not-holder', remedy: remedyFor(holder, guest) };
  const message =
    guest && holder !== undefined
      ? `${what}: ${holder} holds the Lease of its shard.`
      : `${what}: this ${guest ? 'command' : 'replica'} does not hold the Lease of its shard; ${who}.`;
  return new ReconcilerError(message, 'backoff', told);
}

function remedyFor(holder: string | undefined, guest: boolean): string {
  if (holder === undefined)
    return guest
      ? 'Try again: what nobody holds is taken as soon as the last Lease has run out.'
      : 'Nothing to do: a replica takes it within the duration of the Lease.';
  return guest
    ? 'It applies what the source says by itself; "plumbline reconcile" with the same flags has it look at once. To apply from here, end it first: that frees the Lease.'
    : 'Ask the replica that holds it.';
}
