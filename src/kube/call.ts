import type { KubeObject } from './object.ts';

/** How one request is made. */
export interface CallOptions {
  readonly signal: AbortSignal;
  /** Milliseconds; default 30,000. */
  readonly timeout?: number;
}

/** A server-side apply. `manager`: whose the fields are; Plumbline's as a whole when absent. */
export interface ApplyOptions extends CallOptions {
  readonly manager?: string;
}

export interface ListOptions extends CallOptions {
  /** All namespaces when absent. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

export interface KubeList {
  readonly resourceVersion: string;
  readonly items: readonly KubeObject[];
}
