import { DecoratorHandler } from 'undici';
import type { Dispatcher } from 'undici';
import { ReconcilerError, messageOf } from '../errors.ts';
import type { Fence } from './driver.ts';

/**
 * Asks the fence at the last moment before a request's first byte: the connection stands, nothing was written to it yet. Between
 * the call of the client and this moment lies all that takes time, a connection to be made among it.
 */
export function fenced(fence: Fence): Dispatcher.DispatcherComposeInterceptor {
  return (dispatch) => (options, handler) => dispatch(options, new FencedHandler(handler, fence));
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

/** What is thrown where a fence is closed. `holder` says who may write, as far as is known. */
export function notHolder(platform: string, holder: string | undefined): ReconcilerError {
  const who = holder === undefined ? 'no replica holds it at the moment' : `${holder} does`;
  return new ReconcilerError(
    `Nothing was sent to platform ${platform}: this replica does not hold the Lease of its shard; ${who}.`,
    'backoff',
    {
      code: 'not-holder',
      remedy:
        holder === undefined
          ? 'Nothing to do: a replica takes it within the duration of the Lease.'
          : 'Ask the replica that holds it.',
    },
  );
}
