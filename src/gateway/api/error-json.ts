import { ReconcilerError, messageOf, retryOf } from '../../errors.ts';
import type { Retry } from '../../errors.ts';

/** An error as it goes over HTTP. */
export interface ErrorJson {
  readonly message: string;
  readonly retry: Retry;
  readonly code?: string;
  readonly remedy?: string;
}

export function errorJson(error: unknown): ErrorJson {
  const { code, remedy } = error instanceof ReconcilerError ? error : {};
  return {
    message: messageOf(error),
    retry: retryOf(error),
    ...(code === undefined ? {} : { code }),
    ...(remedy === undefined ? {} : { remedy }),
  };
}
