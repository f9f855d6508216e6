import { existsSync, openSync, readFileSync, readSync, writeFileSync, writeSync } from 'node:fs';
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

/** Where an answer lies in the file. */
interface Place {
  readonly title: string;
  readonly at: number;
  readonly length: number;
}

const PAGE = 100;

/**
 * A platform without a network. Its answers lie in a file, which the system keeps in its own memory: they cost next to nothing to
 * read, and do not count as memory of the process that is measured, as those of a real platform do not. Counts its requests and
 * remembers them, so that they can be sent again bare.
 */
export class MemoryPlatform {
  readonly #path: string;
  readonly #file: number;
  readonly #places = new Map<string, Place>();
  readonly #titles = new Map<string, string>();
  #order: string[] | undefined;
  #sent: Request[] = [];
  #writes = 0;
  #end = 0;
  #scratch: Buffer = Buffer.alloc(65_536);

  /** What an earlier process saved at `path`; empty when none did. */
  constructor(path: string) {
    this.#path = path;
    this.#file = openSync(path, existsSync(path) ? 'r+' : 'w+');
    if (!existsSync(`${path}.json`)) return;
    const saved = JSON.parse(readFileSync(`${path}.json`, 'utf8')) as readonly (readonly [string, Place])[];
    for (const [id, place] of saved) {
      this.#places.set(id, place);
      this.#titles.set(place.title, id);
      this.#end = Math.max(this.#end, place.at + place.length);
    }
    this.#writes = this.#end;
  }

  /** The requests since the last call. */
  takeRequests(): readonly Request[] {
    const sent = this.#sent;
    this.#sent = [];
    return sent;
  }

  /** A hundred objects, in the order of their making; none beyond the end. */
  page(page: number): readonly string[] {
    this.#sent.push({ page });
    this.#order ??= [...this.#places.keys()];
    return this.#order.slice(page * PAGE, (page + 1) * PAGE).flatMap((id) => this.#read(id) ?? []);
  }

  get(id: string): string | undefined {
    this.#sent.push({ get: id });
    return this.#read(id);
  }

  withTitle(title: string): string | undefined {
    this.#sent.push({ title });
    return this.#read(this.#titles.get(title) ?? '');
  }

  /** Creates or replaces; the next version is the platform's own counter. */
  put(id: string, shown: Omit<Shown, 'version' | 'id'>): string {
    this.#sent.push({ put: id });
    this.#writes += 1;
    const version = String(this.#writes);
    if (!this.#places.has(id)) this.#order = undefined;
    this.#write(id, shown.title, JSON.stringify({ id, version, ...shown } satisfies Shown));
    return version;
  }

  nextId(): string {
    return `w${this.#writes + 1}`;
  }

  remove(id: string): void {
    this.#sent.push({ remove: id });
    this.#places.delete(id);
    this.#order = undefined;
  }

  /** Sends the same requests again and does nothing with the answers: the floor under everything that a client does. */
  replay(requests: readonly Request[]): void {
    for (const request of requests) {
      if ('page' in request) this.page(request.page);
      else if ('get' in request) this.get(request.get);
      else if ('title' in request) this.withTitle(request.title);
      else if ('put' in request) this.#again(request.put);
      else this.#places.delete(request.remove);
    }
    this.takeRequests();
  }

  /** For the next process. */
  save(): void {
    writeFileSync(`${this.#path}.json`, JSON.stringify([...this.#places]));
  }

  #read(id: string): string | undefined {
    const place = this.#places.get(id);
    if (place === undefined) return undefined;
    if (this.#scratch.length < place.length) this.#scratch = Buffer.alloc(2 * place.length);
    readSync(this.#file, this.#scratch, { length: place.length, position: place.at });
    return this.#scratch.toString('utf8', 0, place.length);
  }

  #write(id: string, title: string, answer: string): void {
    const length = writeSync(this.#file, answer, this.#end);
    this.#places.set(id, { title, at: this.#end, length });
    this.#titles.set(title, id);
    this.#end += length;
  }

  /** Writes what is there already: the same bytes once more. */
  #again(id: string): void {
    const answer = this.#read(id);
    const place = this.#places.get(id);
    if (answer !== undefined && place !== undefined) this.#write(id, place.title, answer);
  }
}
