import { ReconcilerError } from '../errors.ts';
import type { ReplicaOptions } from '../daemon/workshop.ts';
import { parseDuration } from '../manifest/duration.ts';
import type { GlobalFlags } from './context.ts';

/** Replicas tell each other more often than this by far; less would be lost to a slow request. */
const SHORTEST_LEASE = 1_000;
const MOST_SHARDS = 1_000;

/**
 * What the flags say about sharing the platforms with other replicas; undefined when this process is alone.
 * @throws ReconcilerError 'never' when one of them is not in order
 */
export function replicasOf(flags: GlobalFlags): ReplicaOptions | undefined {
  const shards = Number(flags.shards);
  if (!Number.isSafeInteger(shards) || shards < 0 || shards > MOST_SHARDS) {
    throw new ReconcilerError(`--shards ${flags.shards} is no number of shards`, 'never', {
      remedy: `Give a whole number up to ${MOST_SHARDS}, the same for every replica; 0 for one process without Leases.`,
    });
  }
  if (shards === 0) return undefined;
  const duration = durationOf('--lease-duration', flags.leaseDuration);
  const retry = durationOf('--lease-retry', flags.leaseRetry);
  if (duration < SHORTEST_LEASE || retry * 3 > duration) {
    throw new ReconcilerError(
      `A Lease of ${flags.leaseDuration} that is renewed every ${flags.leaseRetry} would be lost to one slow request`,
      'never',
      { remedy: 'Let --lease-duration be at least 1s, and three times --lease-retry.' },
    );
  }
  return {
    shards,
    duration,
    retry,
    ...(flags.kubeconfig === '' ? {} : { kubeconfig: flags.kubeconfig }),
    ...(flags.namespace === '' ? {} : { namespace: flags.namespace }),
  };
}

function durationOf(flag: string, text: string): number {
  const duration = parseDuration(text);
  if (duration !== undefined && duration > 0) return duration;
  throw new ReconcilerError(`${flag} ${text} is no duration`, 'never', { remedy: 'Write it such as 35s or 500ms.' });
}
