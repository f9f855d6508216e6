const tails = new Map<string, Promise<unknown>>();

/**
 * Runs `work` when everything begun before under the same key has ended. Two Syncs of one source share a mirror, and git's own
 * locks would make one of them fail instead of wait.
 */
export async function exclusively<T>(key: string, work: () => Promise<T>): Promise<T> {
  const before = tails.get(key);
  const mine = (async () => {
    await before?.catch(() => undefined);
    return work();
  })();
  tails.set(key, mine);
  try {
    return await mine;
  } finally {
    if (tails.get(key) === mine) tails.delete(key);
  }
}
