import { ReconcilerError } from '../errors.ts';
import { formatDuration } from '../manifest/duration.ts';
import type { JsonObject, Key } from '../manifest/manifest.ts';
import { batchesOf, type AskedChange, type ChangesAsked, type PendingChange } from './changes.ts';
import { pluginError } from './plugin-error.ts';
import { failureOf, refusalsOf, type PluginRefusal } from './refusal.ts';
import type { Verdict } from './plugin-pool.ts';

/** One plugin that is asked about changes. */
export interface Asked {
  readonly plugin: string;
  readonly redact: (text: string) => string;
  execute(context: JsonObject, signal: AbortSignal): Promise<Verdict>;
}

/**
 * Asks one plugin about changes, batch by batch. What it does not name a key for concerns all that it is asked about; a
 * batch that it fails on is refused, and the rest goes on.
 */
export async function askChanges(
  asked: ChangesAsked,
  plugin: Asked,
  signal: AbortSignal,
): Promise<ReadonlyMap<Key, readonly PluginRefusal[]>> {
  const refused = new Map<Key, PluginRefusal[]>();
  const add = (keys: readonly Key[], refusal: PluginRefusal): void => {
    for (const key of keys) refused.set(key, [...(refused.get(key) ?? []), refusal]);
  };
  const all = asked.changes.map(({ key }) => key);
  const patience = AbortSignal.timeout(asked.patience);
  const limited = AbortSignal.any([signal, patience]);
  const left = new Set(all);
  try {
    for await (const { changes, tooLarge } of batchesOf(asked.changes, limited)) {
      const keys = changes.map(({ key }) => key);
      const large = pluginError(plugin.plugin, 'plugin-failed', 'is not asked about more than 32 MiB');
      add(tooLarge, failureOf(plugin.plugin, large));
      for (const refusal of await askBatch(asked, { plugin, changes }, limited))
        add(refusal.key !== undefined ? [refusal.key as Key] : refusal.error === undefined ? all : keys, refusal);
      // Only what was judged is settled: whatever is left when the time is up is refused.
      for (const key of [...keys, ...tooLarge]) left.delete(key);
    }
  } catch (error) {
    signal.throwIfAborted();
    if (!patience.aborted) throw error;
  }
  if (left.size === 0) return refused;
  const late = `did not answer for all changes within ${formatDuration(asked.patience)}`;
  add([...left], failureOf(plugin.plugin, pluginError(plugin.plugin, 'plugin-timeout', late)));
  return refused;
}

async function askBatch(
  { platform, sync, revision }: ChangesAsked,
  { plugin, changes }: { readonly plugin: Asked; readonly changes: readonly AskedChange[] },
  signal: AbortSignal,
): Promise<readonly PluginRefusal[]> {
  if (changes.length === 0) return [];
  const context = { about: 'changes', platform, sync, revision, changes: changes as unknown as JsonObject[] };
  try {
    const refusals = refusalsOf(plugin.plugin, await plugin.execute(context, signal), plugin.redact);
    const known = new Set<string>(changes.map(({ key }) => key));
    const stranger = refusals.find(({ key }) => key !== undefined && !known.has(key));
    if (stranger === undefined) return refusals;
    throw pluginError(plugin.plugin, 'plugin-malformed', 'refuses a key that it was not asked about');
  } catch (error) {
    if (error instanceof ReconcilerError) return [failureOf(plugin.plugin, error)];
    throw error;
  }
}

/** Whether a change is one that a plugin with these kinds is asked about. */
export function isOfKinds({ kind }: Pick<PendingChange, 'kind'>, kinds: readonly string[] | undefined): boolean {
  return kinds === undefined || kinds.includes(kind);
}
