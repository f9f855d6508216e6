import type { ReconcilerError } from '../../errors.ts';
import type { JsonObject } from '../../manifest/manifest.ts';
import type { Step } from '../driver.ts';
import type { N8nApi } from './api.ts';
import type { Catalogue } from './catalogue.ts';
import type { Confirmations } from './confirm.ts';
import type { RawWorkflow } from './shapes.ts';
import type { TagBook } from './tag-book.ts';

/** A workflow that was just created, and the content it was made from. */
export interface Made {
  readonly made: Pick<RawWorkflow, 'id' | 'name' | 'settings' | 'tags'>;
  readonly spec: JsonObject;
}

/** What writing one stage shares. */
export interface Writing {
  readonly api: N8nApi;
  readonly signal: AbortSignal;
  readonly catalogue: Catalogue;
  readonly tags: TagBook;
  readonly confirmations: Confirmations;
  /** Titles that workflows get in this stage. */
  readonly titles: ReadonlySet<string>;
  /** Steps that refer to what this very stage has yet to bring: written without those references, then again with them. */
  readonly late: Set<Step>;
  /** What came of the steps that went in packages. */
  readonly imported: Map<Step, Made | ReconcilerError>;
}
