import { ReconcilerError } from '../errors.ts';
import { canonicalJson } from '../manifest/canonical.ts';
import type { JsonObject, JsonValue, Key, Kind } from '../manifest/manifest.ts';
import type { Plugin } from '../manifest/plugin.ts';
import { isPlainObject } from './answer.ts';
import { askChanges, isOfKinds } from './ask-changes.ts';
import type { ChangeChecks, ChangesAsked } from './changes.ts';
import { openFolder, type PluginPlace } from './folder.ts';
import { pluginError } from './plugin-error.ts';
import { PluginPool, type Verdict } from './plugin-pool.ts';
import { failureOf, refusalsOf, type PluginRefusal } from './refusal.ts';

export interface PluginHostOptions {
  /** Takes secrets out of a text (`Secrets.redact`): whatever a plugin says or prints goes through it. */
  readonly redact: (text: string) => string;
  /** One line that a plugin printed, bounded and without secrets. */
  readonly onPrinted: (plugin: string, line: string) => void;
  /** What came of a call, and how many seconds it took, waiting included. */
  readonly onCall?: (plugin: string, result: 'answered' | 'refused' | 'failed', seconds: number) => void;
}

export interface TriggerAsked {
  readonly platform: string;
  /** Name of the Workflow that somebody wants to run. */
  readonly workflow: string;
  readonly input: JsonValue;
}

/** A plugin that events are handed to. */
export interface EventHandler {
  readonly name: string;
  /** As `matchesEvent` reads them. */
  readonly patterns: readonly string[];
  /** Platforms whose events it gets; all when absent. */
  readonly platforms?: readonly string[];
}

interface Running {
  readonly name: string;
  readonly spec: Plugin['spec'];
  readonly pool: PluginPool;
  /** Settings and content of the folder: what is equal goes on as it is. */
  readonly stamp: string;
}

/** All plugins that are configured. Whatever one of them does, the others and whoever asks are not harmed by it. */
export class PluginHost implements ChangeChecks, AsyncDisposable {
  readonly #options: PluginHostOptions;
  #running: ReadonlyMap<string, Running> = new Map();
  readonly #retiring = new Set<Promise<void>>();
  #turn: Promise<void> = Promise.resolve();

  constructor(options: PluginHostOptions) {
    this.#options = options;
  }

  /**
   * Puts plugins in force, by name. One whose settings or files changed is started anew with the next call, while calls under
   * way end on the old one; files are looked at here only, not watched, so that half-copied code never runs.
   * @param baseDir folder from which the plugins' folders count
   */
  configure(plugins: ReadonlyMap<string, Plugin>, baseDir: string): Promise<void> {
    this.#turn = this.#turn.then(() => this.#configure(plugins, baseDir));
    return this.#turn;
  }

  /** Has a process of every plugin ready. Never throws. */
  async warm(): Promise<void> {
    await Promise.all([...this.#running.values()].map(({ pool }) => pool.warm()));
  }

  /** Process ids of all plugins, for whoever has to account for them. */
  get pids(): readonly number[] {
    return [...this.#running.values()].flatMap(({ pool }) => pool.pids);
  }

  /** Everything that any plugin has against running a workflow with this input, in the order of their names. Fails closed. */
  async checkTrigger(asked: TriggerAsked, signal: AbortSignal): Promise<readonly PluginRefusal[]> {
    const { platform, workflow, input } = asked;
    const concerned = this.#on(platform).filter(({ spec: { triggers } }) => {
      return triggers !== undefined && (triggers.workflows?.includes(workflow) ?? true);
    });
    const context = { about: 'trigger', platform, workflow, input };
    const found = await Promise.all(
      concerned.map(async (one) => {
        try {
          return refusalsOf(one.name, await this.#execute(one, context, 'refusals', signal), this.#options.redact);
        } catch (error) {
          if (error instanceof ReconcilerError) return [failureOf(one.name, error)];
          throw error;
        }
      }),
    );
    return found.flat();
  }

  concerns(kind: Kind, platform: string): boolean {
    return this.#on(platform).some(
      ({ spec: { changes } }) => changes !== undefined && isOfKinds({ kind }, changes.kinds),
    );
  }

  async checkChanges(asked: ChangesAsked, signal: AbortSignal): Promise<ReadonlyMap<Key, readonly PluginRefusal[]>> {
    const { redact } = this.#options;
    const concerned = this.#on(asked.platform).filter(({ spec }) => spec.changes !== undefined);
    const answers = await Promise.all(
      concerned.map((one) => {
        const changes = asked.changes.filter((change) => isOfKinds(change, one.spec.changes?.kinds));
        const plugin = {
          plugin: one.name,
          redact,
          execute: (context: JsonObject, limited: AbortSignal) => this.#execute(one, context, 'refusals', limited),
        };
        return askChanges({ ...asked, changes }, plugin, signal);
      }),
    );
    const found = new Map<Key, readonly PluginRefusal[]>();
    for (const answer of answers)
      for (const [key, refusals] of answer) found.set(key, [...(found.get(key) ?? []), ...refusals]);
    return found;
  }

  /** Plugins that want events, in the order of their names. */
  eventHandlers(): readonly EventHandler[] {
    return [...this.#running.values()].flatMap(({ name, spec: { events, platforms } }) =>
      events.length === 0 ? [] : [{ name, patterns: events, ...(platforms === undefined ? {} : { platforms }) }],
    );
  }

  /**
   * Hands one event (CloudEvents JSON) to a plugin.
   * @returns the context it answers; undefined when it answers nothing
   * @throws ReconcilerError with a code of `PluginErrorCode`: 'never' (`plugin-refused`) when it refuses the event on
   *   purpose, 'backoff' when it failed.
   */
  async handleEvent(plugin: string, event: JsonObject, signal: AbortSignal): Promise<JsonObject | undefined> {
    const one = this.#running.get(plugin);
    if (one === undefined) throw pluginError(plugin, 'plugin-stopped', 'is not configured any more');
    const verdict = await this.#execute(one, { about: 'event', event }, 'context', signal);
    if ('refused' in verdict) throw pluginError(plugin, 'plugin-refused', `refuses the event: ${verdict.refused}`);
    const { result } = verdict;
    if (result === null) return undefined;
    if (!isPlainObject(result)) throw pluginError(plugin, 'plugin-malformed', 'gave an answer that is not its context');
    const refusals = refusalsOf(plugin, { result: { refusals: result['refusals'] ?? [] } }, this.#options.redact);
    if (refusals.length === 0) return result;
    throw pluginError(plugin, 'plugin-refused', `refuses the event: ${refusals.map((one) => one.message).join(' ')}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#turn;
    const running = [...this.#running.values()];
    this.#running = new Map();
    await Promise.all([...running.map(({ pool }) => pool[Symbol.asyncDispose]()), ...this.#retiring]);
  }

  async #execute(
    { name, spec, pool }: Running,
    context: JsonObject,
    reply: 'context' | 'refusals',
    signal: AbortSignal,
  ): Promise<Verdict> {
    const began = performance.now();
    const tell = (result: 'answered' | 'refused' | 'failed'): void =>
      this.#options.onCall?.(name, result, (performance.now() - began) / 1000);
    try {
      const verdict = await pool.execute({ plugin: name, settings: spec.settings, ...context }, reply, signal);
      tell('refused' in verdict ? 'refused' : 'answered');
      return verdict;
    } catch (error) {
      tell('failed');
      throw error;
    }
  }

  #on(platform: string): readonly Running[] {
    return [...this.#running.values()].filter(({ spec: { platforms } }) => platforms?.includes(platform) ?? true);
  }

  async #configure(plugins: ReadonlyMap<string, Plugin>, baseDir: string): Promise<void> {
    const next = new Map<string, Running>();
    for (const [name, { spec }] of [...plugins].toSorted(([one], [other]) => (one < other ? -1 : 1))) {
      const place: PluginPlace = { name, folder: spec.folder, entry: spec.entry, baseDir };
      const stamp = canonicalJson([spec as unknown as JsonObject, baseDir, await stampOf(place)]);
      const present = this.#running.get(name);
      next.set(name, present?.stamp === stamp ? present : { name, spec, stamp, pool: this.#pool(place, spec) });
    }
    for (const [name, { pool }] of this.#running) if (next.get(name)?.pool !== pool) this.#retire(pool);
    this.#running = next;
  }

  #pool(place: PluginPlace, { limits }: Plugin['spec']): PluginPool {
    const { redact, onPrinted } = this.#options;
    const onLine = (line: string) => onPrinted(place.name, line);
    return new PluginPool({ place, limits, processes: limits.processes, redact, onLine });
  }

  #retire(pool: PluginPool): void {
    const retired = pool.retire().finally(() => this.#retiring.delete(retired));
    this.#retiring.add(retired);
  }
}

/** A folder that cannot be opened is told by the first call. */
async function stampOf(place: PluginPlace): Promise<string> {
  try {
    return (await openFolder(place)).stamp;
  } catch {
    return '';
  }
}
