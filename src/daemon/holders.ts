import { ReconcilerError } from '../errors.ts';
import type { Engine } from './engine.ts';
import type { Queued } from './operations.ts';
import { SUSPENSIONS } from './shards.ts';

/**
 * Has the replicas that hold these platforms look there; this one is not asked. Resolves when the wish outlives this process.
 * @throws ReconcilerError `cluster-…` when it cannot be written down
 */
export async function askHolders(
  { parts: { shards } }: Engine,
  platforms: readonly string[],
  what: string,
): Promise<void> {
  if (shards === undefined) return;
  await Promise.all(platforms.flatMap((platform) => (shards.holds(platform) ? [] : [shards.ask(platform, what)])));
}

/**
 * For a command, which follows nothing: has the replicas look that hold the platforms of a Sync, or of all.
 * @throws ReconcilerError `daemon-unreachable` where no replica holds one; `cluster-…`
 */
export async function askReplicas(engine: Engine, sync: string | undefined): Promise<readonly Queued[]> {
  const { roster } = engine;
  const targets = (sync === undefined ? roster.targets() : roster.ofSync(sync)).map(({ sync, platform }) => ({
    sync,
    platform,
  }));
  const alone = targets.find(({ platform }) => engine.holds(platform));
  if (alone !== undefined) {
    throw new ReconcilerError(
      `No replica holds the platform ${alone.platform}, so there is nobody to look again.`,
      'never',
      {
        code: 'daemon-unreachable',
        remedy:
          'Start one with "plumbline start", or use "plumbline apply", which takes the Lease for as long as it runs.',
      },
    );
  }
  await Promise.all(targets.map(({ sync, platform }) => askHolders(engine, [platform], `sync/${sync}`)));
  return targets;
}

/** Has every replica know whether a Sync is suspended. @throws ReconcilerError when the cluster could not be told */
export async function tellSuspension(engine: Engine, sync: string): Promise<void> {
  const { state } = engine.parts;
  if (state === undefined) return;
  await state.tellSuspension(sync);
  const platforms = engine.roster.ofSync(sync).map(({ platform }) => platform);
  await askHolders(engine, platforms, SUSPENSIONS);
}
