import type { IntegrationRuns } from '../manifest/integration.ts';
import type { Marker } from '../plan/types.ts';

/** Code of an Integration that is in force on a platform. */
export interface RegisteredIntegration extends IntegrationDraft {
  /** The remote id of an Integration that is nothing but code; of others, an id of the register's own. */
  readonly id: string;
  /** Another value after every write. */
  readonly version: string;
  /** The commit that a person wants to run instead of the pinned one; the next pass shows and applies it. */
  readonly wanted?: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly changedAt: number;
  /** The owner whose pass changed it last. */
  readonly changedBy: string;
}

/** What is written, whole: without a `marker` it has none afterwards, and does not run. */
export interface IntegrationDraft {
  readonly platform: string;
  /** `metadata.name`; unique on its platform. */
  readonly name: string;
  readonly title: string;
  /** Remote id of the connection on the platform; absent where there is only code. */
  readonly connection?: string;
  /** With the commit that it is pinned to. */
  readonly runs: IntegrationRuns;
  readonly marker?: Marker;
}

/** The register of Integrations' code, kept in the ledger: its entries are what code is locked to. Methods throw ReconcilerErrors. */
export interface IntegrationRegister {
  /** All, or those of a platform; by id. */
  list(platform?: string): readonly RegisteredIntegration[];
  get(id: string): RegisteredIntegration | undefined;
  named(platform: string, name: string): RegisteredIntegration | undefined;
  /** @throws ReconcilerError `conflict` when the id is used, or the name on that platform. */
  create(draft: IntegrationDraft, id: string, by: string): RegisteredIntegration;
  /** What was synced so far goes along with a new name. @throws ReconcilerError `not-found`, and `stale` when it has not the version expected any more. */
  update(id: string, draft: IntegrationDraft, expected: { by: string; version: string }): RegisteredIntegration;
  /** Takes what it has synced and what waits along. @returns whether there was one. @throws ReconcilerError `stale` as `update`. */
  remove(id: string, version: string): boolean;
  /** Records that wait to be delivered. */
  waiting(platform: string, name: string): number;
}
