import type { ServiceLevelSpec } from '../manifest/service-level.ts';
import type { Marker } from '../plan/types.ts';

/** A service level that is in force on a platform. */
export interface RegisteredServiceLevel extends ServiceLevelDraft {
  /** Given by the register. */
  readonly id: string;
  /** Another value after every write. */
  readonly version: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly changedAt: number;
  /** The owner whose pass changed it last. */
  readonly changedBy: string;
}

/** What is written, whole: without a `marker` it has none afterwards. */
export interface ServiceLevelDraft {
  readonly platform: string;
  /** `metadata.name`: what metrics and alerts call it; unique on its platform. */
  readonly name: string;
  readonly spec: ServiceLevelSpec;
  readonly marker?: Marker;
}

/** The register of service levels, kept in the ledger. Methods throw ReconcilerErrors. */
export interface ServiceLevelRegister {
  /** All, or those of a platform; by id. */
  list(platform?: string): readonly RegisteredServiceLevel[];
  get(id: string): RegisteredServiceLevel | undefined;
  /** @throws ReconcilerError `conflict` when the id is used, or the name on that platform. */
  create(draft: ServiceLevelDraft, id: string, by: string): RegisteredServiceLevel;
  /** @throws ReconcilerError `not-found`, and `stale` when it has not the version expected any more. */
  update(id: string, draft: ServiceLevelDraft, expected: { by: string; version: string }): RegisteredServiceLevel;
  /** @returns whether there was one. @throws ReconcilerError `stale` as `update`. */
  remove(id: string, version: string): boolean;
}
