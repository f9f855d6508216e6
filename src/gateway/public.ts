import { Doorkeeper } from './hooks/doorkeeper.ts';
import { addGitHooks, LARGEST_PUSH } from './hooks/git.ts';
import type { HookParts } from './hooks/parts.ts';
import { addPlatformHooks } from './hooks/platforms.ts';
import { createServer, listen } from './server.ts';
import type { ServerLimits } from './server.ts';

/** What the public listener is made of. */
export interface PublicParts extends HookParts {
  readonly address: { readonly host: string; readonly port: number };
  /** Networks of the proxies in front, whose X-Forwarded-For says who asks. */
  readonly trustedProxies?: readonly string[];
  readonly limits?: Partial<ServerLimits>;
}

/** Milliseconds; nothing here takes long. */
const IDLE = 30_000;

/**
 * The listener that an ingress exposes: git pushes, events of platforms, `/healthz`, and nothing else.
 * @returns the address it is bound to, and how to close it.
 * @throws ReconcilerError 'never' (`listen-failed`)
 */
export async function startPublicListener(
  parts: PublicParts,
): Promise<AsyncDisposable & { readonly host: string; readonly port: number }> {
  const { address, reports, log, trustedProxies = [], limits } = parts;
  const server = createServer({
    name: 'public',
    bodyLimit: LARGEST_PUSH,
    reports,
    log,
    trustedProxies,
    limits: { idle: IDLE, ...limits },
  });
  const doorkeeper = new Doorkeeper(parts);
  await server.register(async (scope) => addGitHooks(scope, parts, doorkeeper));
  await server.register(async (scope) => addPlatformHooks(scope, parts, doorkeeper));
  server.get('/healthz', async () => ({ status: 'ok' }));
  return listen(server, address, '--listen-hooks');
}
