import type { Engine } from './engine.ts';
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

/** Has every replica know whether a Sync is suspended. @throws ReconcilerError when the cluster could not be told */
export async function tellSuspension(engine: Engine, sync: string): Promise<void> {
  const { state } = engine.parts;
  if (state === undefined) return;
  await state.tellSuspension(sync);
  const platforms = engine.roster.ofSync(sync).map(({ platform }) => platform);
  await askHolders(engine, platforms, SUSPENSIONS);
}
