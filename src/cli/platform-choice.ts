import { z } from 'zod';
import type { RemoteApi } from '../daemon/remote-api.ts';
import { ReconcilerError } from '../errors.ts';

const Status = z.object({ syncs: z.array(z.object({ platform: z.string() })) });

/**
 * The Platform that is meant: the one named, else the only one that has a Sync.
 * @throws ReconcilerError 'never' when there are several, and what the daemon answers.
 */
export async function onePlatform(api: RemoteApi, named: string | undefined): Promise<string> {
  if (named !== undefined) return named;
  const { syncs } = Status.parse(await api('GET', '/status'));
  const names = [...new Set(syncs.map(({ platform }) => platform))];
  const [only, ...others] = names;
  if (only !== undefined && others.length === 0) return only;
  throw new ReconcilerError(only === undefined ? 'no Sync is configured' : 'there are several Platforms', 'never', {
    remedy: only === undefined ? 'Configure one first.' : `Name one with --platform: ${names.join(', ')}.`,
  });
}
