import { setTimeout as pause } from 'node:timers/promises';
import type { Fence } from '../driver.ts';
import { isObject, textOf } from './raw.ts';
import { type Notice, openComms } from './comms.ts';

/** What the runtime does with the flows it was given. */
export type Runtime =
  | { readonly state: 'running' }
  /** Stopped by a person or in safe mode: the flows are there, and start when somebody says so. */
  | { readonly state: 'stopped' }
  /** It took the flows but runs none, because of `missing` (node types or modules). */
  | { readonly state: 'failed'; readonly reason: string; readonly missing: readonly string[] }
  /** The websocket told nothing in time. */
  | { readonly state: 'unknown' };

/**
 * Watches what the runtime makes of a deploy. The answer to POST /flows says nothing about it, and /flows/state says
 * "start" even when a missing type stops everything (runtime/lib/flows/index.js, start): only the notifications tell.
 */
export class RuntimeWatch implements Disposable {
  readonly #comms: Disposable;
  readonly #waiting = new Set<() => void>();
  #runtime: Runtime = { state: 'running' };
  #deploys: string[] = [];
  #closed = false;

  constructor(url: string, token: string | undefined, fence?: Fence) {
    this.#comms = openComms({
      url,
      token,
      fence,
      onNotice: (notice) => this.#note(notice),
      onClose: () => {
        this.#closed = true;
        this.#wake();
      },
    });
  }

  /** The state before a deploy, from what the server retains. */
  async before(milliseconds: number, signal: AbortSignal): Promise<Runtime> {
    const told = await this.#until(() => this.#deploys.length > 0, milliseconds, signal);
    this.#deploys = [];
    return told ? this.#runtime : { state: 'unknown' };
  }

  /** The state after the deploy of `rev`, which was sent after `before` was asked. */
  async after(rev: string, milliseconds: number, signal: AbortSignal): Promise<Runtime> {
    const told = await this.#until(() => this.#deploys.includes(rev), milliseconds, signal);
    return told ? this.#runtime : { state: 'unknown' };
  }

  [Symbol.dispose](): void {
    this.#comms[Symbol.dispose]();
  }

  #note({ topic, data }: Notice): void {
    const payload = isObject(data) ? data : {};
    if (topic === 'notification/runtime-state') this.#runtime = runtimeOf(payload);
    if (topic === 'notification/runtime-deploy') this.#deploys.push(textOf(payload, 'revision') ?? '');
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }

  async #until(holds: () => boolean, milliseconds: number, signal: AbortSignal): Promise<boolean> {
    const done = new AbortController();
    const deadline = pause(milliseconds, undefined, { signal: AbortSignal.any([signal, done.signal]) }).catch(
      () => undefined,
    );
    const told = new Promise<void>((resolve) => {
      const wake = (): void => {
        if (holds() || this.#closed) resolve();
      };
      this.#waiting.add(wake);
      wake();
    });
    await Promise.race([told, deadline]);
    done.abort();
    this.#waiting.clear();
    return holds();
  }
}

function runtimeOf(payload: Readonly<Record<string, unknown>>): Runtime {
  const { error, types, modules, state } = payload;
  if (error === 'missing-types') {
    const missing = names(types);
    return { state: 'failed', reason: `these node types are not installed: ${missing.join(', ')}`, missing };
  }
  if (error === 'missing-modules') {
    const missing = names(modules);
    return {
      state: 'failed',
      reason: `these modules of function nodes cannot be loaded: ${missing.join(', ')}`,
      missing,
    };
  }
  return { state: state === 'stop' || state === 'safe' ? 'stopped' : 'running' };
}

function names(list: unknown): readonly string[] {
  if (!Array.isArray(list)) return [];
  return list.map((entry: unknown) => {
    const name = typeof entry === 'object' && entry !== null && 'module' in entry ? entry.module : entry;
    return typeof name === 'object' && name !== null && 'module' in name ? String(name.module) : String(name);
  });
}
