import { Response } from 'undici';
import type { FormData } from 'undici';

/** A form as it goes over the wire. */
export interface EncodedForm {
  /** With the boundary of its parts. */
  readonly type: string;
  readonly bytes: Uint8Array;
}

/** Writes a form out: handed over as it is, it would be streamed, part by part. */
export async function encodedForm(form: FormData): Promise<EncodedForm> {
  const response = new Response(form);
  return { type: response.headers.get('content-type') ?? '', bytes: new Uint8Array(await response.arrayBuffer()) };
}
