import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { exclusively } from './exclusive.ts';
import { GitAccess, baseEnvironment } from './git-access.ts';
import { checkConfig } from './git-config.ts';
import type { GitSourceConfig, GitSourceOptions } from './git-config.ts';
import { GitMirror, placeOf } from './git-mirror.ts';
import { patternsOf, resolveRef } from './git-ref.ts';

/**
 * The commit that a ref leads to on its server at present, on the same guarded way that a `GitSource` takes. Fetches nothing.
 * @throws ReconcilerError 'never' (`source-config`) when the configuration is unsafe or incomplete, 'backoff' (`source-ref-missing`, …)
 */
export async function commitOf(
  config: GitSourceConfig,
  options: GitSourceOptions,
  signal: AbortSignal,
): Promise<string> {
  const checked = checkConfig(config);
  const patterns = patternsOf(checked.ref);
  if (patterns.length === 0) return resolveRef(checked.ref, new Map()).commit;
  const dir = join(options.cacheDir, createHash('sha256').update(checked.url).digest('hex').slice(0, 24));
  const environment = options.environment ?? {};
  return exclusively(dir, async () => {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const mirrorDir = join(dir, 'refs.git');
    const access = new GitAccess(checked, mirrorDir, baseEnvironment(mirrorDir, checked.target.transport, environment));
    const mirror = new GitMirror(checked, placeOf(mirrorDir, environment), access, options.onConversed);
    await mirror.open();
    return resolveRef(checked.ref, await mirror.advertised(patterns, signal)).commit;
  });
}
