import { closeSync, openSync, readFileSync, readSync, writeFileSync, writeSync } from 'node:fs';
import type { JsonObject } from '../../src/manifest/manifest.ts';
import type { Marker } from '../../src/plan/types.ts';

/** An object as the platform answers: parsed by whoever asked. */
export interface Shown {
  readonly id: string;
  readonly title: string;
  readonly version: string;
  readonly marker?: Marker;
  readonly value: JsonObject;
}

type Request =
  | { readonly page: number }
  | { readonly get: string }
  | { readonly title: string }
  | { readonly put: string }
  | { readonly remove: string };

interface Index {
  readonly ids: readonly string[];
  readonly titles: readonly string[];
  readonly lengths: readonly number[];
  readonly writes: number;
}

const PAGE = 100;

/**
 * A platform without a network: answers are bytes, kept outside of the JavaScript heap, one allocation per object. Counts its requests and
 * remembers them, so that they can be sent again bare.
 */
export class MemoryPlatform {
  readonly #answers = new Map<string, Buffer>();
  readonly #titles = new Map<string, string>();
  #order: string[] | undefined;
  #sent: Request[] = [];
  #writes = 0;

  /** Bytes of all answers: what a real platform would hold in a process of its own. */
  get bytes(): number {
    let bytes = 0;
    for (const { length } of this.#answers.values()) bytes += length;
    return bytes;
  }

  /** The requests since the last call. */
  takeRequests(): readonly Request[] {
    const sent = this.#sent;
    this.#sent = [];
    return sent;
  }

  /** A hundred objects, in the order of their making; none beyond the end. */
  page(page: number): readonly Buffer[] {
    this.#sent.push({ page });
    this.#order ??= [...this.#answers.keys()];
    return this.#order.slice(page * PAGE, (page + 1) * PAGE).flatMap((id) => this.#answers.get(id) ?? []);
  }

  get(id: string): Buffer | undefined {
    this.#sent.push({ get: id });
    return this.#answers.get(id);
  }

  withTitle(title: string): Buffer | undefined {
    this.#sent.push({ title });
    return this.#answers.get(this.#titles.get(title) ?? '');
  }

  /** Creates or replaces; the next version is the platform's own counter. */
  put(id: string, shown: Omit<Shown, 'version' | 'id'>): string {
    this.#writes += 1;
    const version = String(this.#writes);
    this.#keep(id, shown.title, Buffer.from(JSON.stringify({ id, version, ...shown } satisfies Shown)));
    return version;
  }

  nextId(): string {
    return `w${this.#writes + 1}`;
  }

  remove(id: string): void {
    this.#sent.push({ remove: id });
    this.#answers.delete(id);
    this.#order = undefined;
  }

  /** Sends the same requests again and does nothing with the answers: the floor under everything that a client does. */
  replay(requests: readonly Request[]): void {
    for (const request of requests) {
      if ('page' in request) this.page(request.page);
      else if ('get' in request) this.get(request.get);
      else if ('title' in request) this.withTitle(request.title);
      else if ('put' in request) this.#again(request.put);
      else this.#answers.delete(request.remove);
    }
    this.takeRequests();
  }

  /** Writes everything to two files, for the next process. */
  save(path: string): void {
    const file = openSync(path, 'w');
    for (const answer of this.#answers.values()) writeSync(file, answer);
    closeSync(file);
    const titles = new Map([...this.#titles].map(([title, id]) => [id, title]));
    const ids = [...this.#answers.keys()];
    const index: Index = {
      ids,
      titles: ids.map((id) => titles.get(id) ?? ''),
      lengths: [...this.#answers.values()].map(({ length }) => length),
      writes: this.#writes,
    };
    writeFileSync(`${path}.json`, JSON.stringify(index));
  }

  static load(path: string): MemoryPlatform {
    const platform = new MemoryPlatform();
    const { ids, titles, lengths, writes } = JSON.parse(readFileSync(`${path}.json`, 'utf8')) as Index;
    const file = openSync(path, 'r');
    for (const [at, id] of ids.entries()) {
      const answer = Buffer.allocUnsafeSlow(lengths[at] ?? 0);
      readSync(file, answer);
      platform.#keep(id, titles[at] ?? '', answer);
    }
    closeSync(file);
    platform.#writes = writes;
    platform.takeRequests();
    return platform;
  }

  #keep(id: string, title: string, answer: Buffer): void {
    this.#sent.push({ put: id });
    if (!this.#answers.has(id)) this.#order = undefined;
    this.#answers.set(id, answer);
    this.#titles.set(title, id);
  }

  #again(id: string): void {
    const answer = this.#answers.get(id);
    if (answer !== undefined) this.#answers.set(id, Buffer.from(answer));
  }
}
