import type { Log } from '../report/log.ts';
import type { Trigger } from '../report/pass-report.ts';
import type { Source } from '../source/source.ts';
import type { Timers } from './timers.ts';
import { SyncTriggers } from './triggers.ts';

export interface SourceWatchesParts {
  readonly timers: Timers;
  readonly log: Log;
  /** There may be something new in the source of a Sync. */
  readonly wake: (sync: string, trigger: Trigger) => void;
}

interface Wanted {
  readonly name: string;
  readonly source: Source;
  readonly schedule?: string;
}

/** The sources that are followed, each for its Sync. */
export class SourceWatches implements AsyncDisposable {
  readonly #parts: SourceWatchesParts;
  readonly #followed = new Map<string, { readonly source: Source; readonly triggers: SyncTriggers }>();

  constructor(parts: SourceWatchesParts) {
    this.#parts = parts;
  }

  /** Follows these from now on, and no others. */
  follow(sources: readonly Wanted[]): void {
    const { timers, log, wake } = this.#parts;
    const wanted = new Map(sources.map((one) => [one.name, one]));
    for (const [name, { source, triggers }] of this.#followed) {
      if (wanted.get(name)?.source === source) continue;
      this.#followed.delete(name);
      void triggers[Symbol.asyncDispose]().catch((error: unknown) =>
        log.warn('source not closed cleanly', { sync: name, error }),
      );
    }
    for (const [name, sync] of wanted) {
      if (this.#followed.has(name)) continue;
      const triggers = new SyncTriggers(sync, timers, (trigger) => wake(name, trigger));
      this.#followed.set(name, { source: sync.source, triggers });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#followed.values()].map(({ triggers }) => triggers[Symbol.asyncDispose]()));
    this.#followed.clear();
  }
}
