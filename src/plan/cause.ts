/** Why a change is wanted. */
export type Cause =
  'new' | 'changed' | 'renamed' | 'drift' | 'vanished' | 'secret' | 'marker' | 'adoption' | 'removed' | 'released';

/** Who changed the platform, as far as it tells. */
export interface Who {
  readonly by?: string;
  /** Milliseconds since 1970. */
  readonly at?: number;
}
