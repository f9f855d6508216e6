import { createHash } from 'node:crypto';
import type { KubeClient } from './client.ts';
import { isClusterError } from './failure.ts';
import { EVENTS, apiVersionOf } from './object.ts';
import type { KubeObject } from './object.ts';

/** Longest note that the API server takes. */
const LONGEST_NOTE = 1024;
/** Milliseconds within which the same is not told again: as long as the API server keeps an Event, unless it was told otherwise. */
const WINDOW = 3_600_000;
/** Sayings that are remembered, and events that wait while the API server is away. */
const REMEMBERED = 5_000;
const WAITING = 200;
/** Events about one object: so many at once, and one more each five minutes. */
const BURST = 25;
const REFILL = 300_000;

/** What is to be told about an object, as "kubectl describe" shows it. */
export interface KubeTelling {
  readonly type: 'Normal' | 'Warning';
  /** One word in CamelCase. */
  readonly reason: string;
  /** What was done or tried, one word in CamelCase. */
  readonly action: string;
  readonly note: string;
}

export interface EventRecorderParts {
  readonly client: KubeClient;
  /** Who reports: the pod's name. */
  readonly instance: string;
  readonly now: () => number;
  /** Told when an event could not be written; events are never worth more than that. */
  readonly onFault: (error: unknown) => void;
}

/**
 * Writes Events. The same about the same object is written once for as long as the Event is there, by whichever replica: its name follows from what it
 * says. One object has a budget: an object that goes wrong again and again does not fill etcd. Telling never waits and never throws.
 */
export class EventRecorder implements AsyncDisposable {
  readonly #parts: EventRecorderParts;
  readonly #told = new Map<string, number>();
  readonly #budgets = new Map<string, { left: number; since: number }>();
  readonly #waiting: KubeObject[] = [];
  readonly #ended = new AbortController();
  #sending: Promise<void> = Promise.resolve();
  #busy = false;

  constructor(parts: EventRecorderParts) {
    this.#parts = parts;
  }

  tell(about: KubeObject, telling: KubeTelling): void {
    const now = this.#parts.now();
    const { uid = '', name, namespace } = about.metadata;
    const what = createHash('sha256')
      .update(JSON.stringify([about.kind, namespace, name, uid, telling]))
      .digest('hex');
    const last = this.#told.get(what);
    if (last !== undefined && now - last < WINDOW) return;
    if (!this.#spend(`${about.kind}/${namespace}/${name}`, now)) return;
    this.#told.delete(what);
    this.#told.set(what, now);
    trim(this.#told);
    this.#waiting.push(eventOf(about, telling, { now, what, instance: this.#parts.instance }));
    if (this.#waiting.length > WAITING) this.#waiting.shift();
    if (!this.#busy) this.#sending = this.#send();
  }

  /** Resolves when what was told has been written, or given up. */
  async flushed(): Promise<void> {
    await this.#sending;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    await this.#sending;
  }

  #spend(key: string, now: number): boolean {
    const budget = this.#budgets.get(key) ?? { left: BURST, since: now };
    const refilled = Math.floor((now - budget.since) / REFILL);
    const left = Math.min(BURST, budget.left + refilled);
    this.#budgets.delete(key);
    this.#budgets.set(key, { left: Math.max(0, left - 1), since: budget.since + refilled * REFILL });
    trim(this.#budgets);
    return left > 0;
  }

  async #send(): Promise<void> {
    this.#busy = true;
    const { client, onFault } = this.#parts;
    for (let event = this.#waiting.shift(); event !== undefined; event = this.#waiting.shift()) {
      if (this.#ended.signal.aborted) break;
      try {
        await client.create(EVENTS, event, { signal: this.#ended.signal, timeout: 10_000 });
      } catch (error) {
        // It stands there already, told by another replica or by this one before it was started anew.
        if (!isClusterError(error, 'cluster-conflict')) onFault(error);
      }
    }
    this.#busy = false;
  }
}

function trim(map: Map<string, unknown>): void {
  for (const key of map.keys()) {
    if (map.size <= REMEMBERED) return;
    map.delete(key);
  }
}

function eventOf(
  { apiVersion, kind, metadata: { name, namespace = 'default', uid, resourceVersion } }: KubeObject,
  { type, reason, action, note }: KubeTelling,
  { now, what, instance }: { readonly now: number; readonly what: string; readonly instance: string },
): KubeObject {
  return {
    apiVersion: apiVersionOf(EVENTS),
    kind: EVENTS.kind,
    metadata: { name: `${name.slice(0, 200)}.${what.slice(0, 32)}`, namespace },
    // Six digits: the server refuses fewer.
    eventTime: new Date(now).toISOString().replace('Z', '000Z'),
    type,
    reason,
    action,
    note: note.length > LONGEST_NOTE ? `${note.slice(0, LONGEST_NOTE - 1)}…` : note,
    reportingController: 'plumbline.dev/plumbline',
    reportingInstance: instance.slice(0, 128),
    regarding: {
      apiVersion,
      kind,
      name,
      namespace,
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
  };
}
