import type { Origin } from '../errors.ts';

/** A Platform, Sync or Plugin that is in order, and where it was written. */
export interface Configured<Document> {
  readonly document: Document;
  readonly origin: Origin;
  /** Where a field of it was written; the document's start when it was not written at all. */
  readonly at: (path: readonly PropertyKey[]) => Origin;
}
