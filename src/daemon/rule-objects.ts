import { isDeepStrictEqual } from 'node:util';
import { messageOf } from '../errors.ts';
import { isClusterError } from '../kube/failure.ts';
import { RuleStore } from '../kube/rule-store.ts';
import type { FoundRules } from '../kube/rule-store.ts';
import { KubeClient } from '../kube/client.ts';
import type { Level } from '../monitor/levels.ts';
import type { Monitor } from '../monitor/monitor.ts';
import { windowGroups } from '../monitor/rules/rules.ts';
import type { Log } from '../report/log.ts';
import type { Timers } from './timers.ts';

/** Where the objects are kept. */
export interface RulePlace {
  /** The PrometheusRule that they stand beside. */
  readonly beside: string;
  /** A kubeconfig file; the ServiceAccount of this pod when absent. */
  readonly kubeconfig?: string;
  /** That of the kubeconfig's context, or of the pod, when absent. */
  readonly namespace?: string;
}

/** With a client of its own, which ends with it. @throws ReconcilerError as `KubeClient.open` */
export async function openRuleObjects({
  place,
  installation,
  environment,
  version,
  monitor,
  ...parts
}: Omit<RuleObjectsParts, 'store' | 'levels' | 'settled'> & {
  readonly place: RulePlace;
  readonly installation: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  readonly monitor: Monitor;
}): Promise<RuleObjects> {
  const { kubeconfig, beside } = place;
  const client = await KubeClient.open({ ...(kubeconfig === undefined ? {} : { kubeconfig }), environment, version });
  const store = new RuleStore(client, { namespace: place.namespace ?? client.namespace, installation }, beside);
  return new RuleObjects(
    { ...parts, store, levels: () => monitor.held, settled: (platform) => monitor.settled(platform) },
    client,
  );
}

export interface RuleObjectsParts {
  readonly store: RuleStore;
  readonly log: Log;
  readonly timers: Timers;
  /** Service levels in force on platforms that are held here. */
  readonly levels: () => readonly Level[];
  /** Every platform that is configured. */
  readonly platforms: () => readonly string[];
  /** Whether these levels are all that there are on a platform, so that what is not needed for them is needed no more. */
  readonly settled: (platform: string) => boolean;
}

/** Milliseconds between two looks at what is in force, and at objects that somebody may have changed meanwhile. */
const EVERY = 5_000;
const AGAIN = 600_000;
/** Milliseconds before what failed is tried again. */
const RETRY = 30_000;

/**
 * Keeps PrometheusRules in step with the service levels in force: one for each window, since all else about service levels is read
 * from metrics. Asks the API server nothing while nothing changes, but once in ten minutes.
 */
export class RuleObjects implements AsyncDisposable {
  readonly #parts: RuleObjectsParts;
  readonly #client: AsyncDisposable;
  readonly #ended = new AbortController();
  /** What the objects were made for last, when, and for how many milliseconds they are left alone while it is the same. */
  #made = '';
  #at = Number.NEGATIVE_INFINITY;
  #pause = AGAIN;
  #said = '';
  #cancel: () => void = () => undefined;
  #working: Promise<void> = Promise.resolve();

  constructor(parts: RuleObjectsParts, client: AsyncDisposable) {
    this.#parts = parts;
    this.#client = client;
  }

  start(): void {
    this.#cancel = this.#parts.timers.after(EVERY, () => {
      this.#working = this.turn().finally(() => {
        if (!this.#ended.signal.aborted) this.start();
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cancel();
    this.#ended.abort(new Error('plumbline stops'));
    await this.#working;
    await this.#client[Symbol.asyncDispose]();
  }

  /** Puts the objects in step, if there is anything to do. Never throws. */
  async turn(): Promise<void> {
    const { timers } = this.#parts;
    try {
      const wanted = this.#wanted();
      const made = this.#madeOf(wanted);
      // A clock that was set back must not put it off until it has caught up.
      if (made === this.#made && Math.abs(timers.now() - this.#at) < this.#pause) return;
      [this.#made, this.#at, this.#pause] = [made, timers.now(), RETRY];
      await this.#keep(wanted);
      [this.#pause, this.#said] = [AGAIN, ''];
    } catch (error) {
      if (!this.#ended.signal.aborted) this.#tell(error);
    }
  }

  #madeOf(wanted: ReadonlyMap<string, ReadonlySet<string>>): string {
    const { platforms, settled } = this.#parts;
    const known = platforms().map((platform) => [platform, settled(platform)]);
    return JSON.stringify([[...wanted].map(([window, words]) => [window, [...words]]), known]);
  }

  /** Words of the platforms that need rules for a window, by window. */
  #wanted(): ReadonlyMap<string, ReadonlySet<string>> {
    const wanted = new Map<string, Set<string>>();
    for (const { platform, spec } of this.#parts.levels()) {
      const words = wanted.get(spec.window) ?? new Set();
      wanted.set(spec.window, words.add(RuleStore.wordOf(platform)));
    }
    return wanted;
  }

  async #keep(wanted: ReadonlyMap<string, ReadonlySet<string>>): Promise<void> {
    const { store } = this.#parts;
    const { signal } = this.#ended;
    const found = await store.list(signal);
    const applied = wanted.size > 0 && (await this.#apply(wanted, found));
    for (const one of applied ? await store.list(signal) : found) {
      for (const word of one.wanted.keys())
        if (this.#isOurs(word) && wanted.get(one.about)?.has(word) !== true) await store.release(word, one, signal);
    }
  }

  /** @returns whether anything was not as it should be */
  async #apply(wanted: ReadonlyMap<string, ReadonlySet<string>>, found: readonly FoundRules[]): Promise<boolean> {
    const { store, log } = this.#parts;
    const { signal } = this.#ended;
    const owner = await store.owner(signal);
    if (owner === undefined) throw new Error('the PrometheusRule that they are to stand beside does not exist');
    let applied = false;
    for (const [window, words] of wanted) {
      const rules = store.make(window, windowGroups(window), owner);
      const present = found.find(({ name }) => name === rules.object.metadata.name);
      const asIs = isDeepStrictEqual(present?.spec, rules.object['spec']);
      for (const word of words) {
        if (asIs && present?.wanted.get(word) === rules.made) continue;
        await store.want(word, rules, signal);
        applied = true;
        log.info('rules of service levels applied', { window, name: rules.object.metadata.name });
      }
    }
    return applied;
  }

  /** What another replica holds is that one's; what is configured no more is anybody's. */
  #isOurs(word: string): boolean {
    const { platforms, settled } = this.#parts;
    const name = platforms().find((platform) => RuleStore.wordOf(platform) === word);
    return name === undefined || settled(name);
  }

  /** Said once for each reason, and again after it has worked. */
  #tell(error: unknown): void {
    const { log } = this.#parts;
    const text = messageOf(error);
    if (text === this.#said) return;
    this.#said = text;
    const missing = isClusterError(error, 'cluster-not-found');
    log.warn('rules of service levels not in step', {
      error,
      ...(missing ? { because: 'the cluster has no PrometheusRules: the Prometheus operator is not installed' } : {}),
    });
  }
}
