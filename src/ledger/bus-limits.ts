/** How much the bus takes in and keeps. Ages are milliseconds. */
export interface BusLimits {
  /** Events not routed and deliveries not finished, together, beyond which nothing more is taken in. */
  readonly pending: number;
  /** Bytes of all events that are kept, beyond which nothing more is taken in. */
  readonly bytes: number;
  /** Finished events are kept so long, and no more of them than `kept` and `keptBytes` allow: to know duplicates, and to replay. */
  readonly keptAge: number;
  readonly kept: number;
  readonly keptBytes: number;
  /** Dead letters are kept so long, and no more of them for one handler. */
  readonly deadAge: number;
  readonly deadPerHandler: number;
  /**
   * A handler that has failed for `lostAge` and has so many waiting gets no more: they are dead letters at once, so that
   * one receiver that is gone does not shut the door for everybody.
   */
  readonly lostAge: number;
  readonly lostPending: number;
}

const HOUR = 3_600_000;

export const BUS_LIMITS: BusLimits = {
  pending: 200_000,
  bytes: 512 * 1024 * 1024,
  keptAge: 7 * 24 * HOUR,
  kept: 200_000,
  keptBytes: 256 * 1024 * 1024,
  deadAge: 30 * 24 * HOUR,
  deadPerHandler: 100_000,
  lostAge: HOUR,
  lostPending: 50_000,
};
