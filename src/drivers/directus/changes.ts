import { ReconcilerError } from '../../errors.ts';
import type { JsonObject } from '../../manifest/manifest.ts';
import type { DirectusClient } from './client.ts';
import { objectOf, objectsOf, textOf, wordOf } from './json.ts';

/** Entries that are read the first time, the newest first; later only what is new. */
const FIRST_LOOK = 1_000;
/** Objects whose last change is remembered. */
const REMEMBERED = 20_000;

export interface Who {
  readonly changedBy?: string;
  /** Milliseconds since 1970. */
  readonly changedAt?: number;
}

/** Who changed what last, from Directus' activity. Only what the server keeps, and only since the first look's reach. */
export class Changes {
  readonly #client: DirectusClient;
  readonly #last = new Map<string, Who>();
  #cursor: number | undefined;

  constructor(client: DirectusClient) {
    this.#client = client;
  }

  /** Reads on. An account that may not see the activity learns no names; that is no reason not to look. */
  async read(signal: AbortSignal): Promise<void> {
    const first = this.#cursor === undefined;
    const filter = {
      action: { _in: ['create', 'update', 'delete'] },
      collection: { _starts_with: 'directus_' },
      ...(this.#cursor === undefined ? {} : { id: { _gt: this.#cursor } }),
    };
    const query = {
      fields: 'id,collection,item,timestamp,user.email,user.id',
      filter: JSON.stringify(filter),
      sort: first ? '-id' : 'id',
      limit: wordOf(FIRST_LOOK),
    };
    const data = await this.#client
      .data({ method: 'GET', route: '/activity', query, signal })
      .catch((error: unknown) => {
        if (error instanceof ReconcilerError && !signal.aborted) return [];
        throw error;
      });
    const rows = objectsOf(data);
    for (const row of first ? rows.toReversed() : rows) this.#note(row);
    this.#cursor ??= 0;
  }

  /** The last change of an object, or of a part of it. */
  of(collection: string, id: string, parts: readonly string[] = []): Who {
    const whole = this.#last.get(`${collection}:${id}`);
    const all = parts.flatMap((part) => this.#last.get(`directus_operations:${part}`) ?? []);
    return [...(whole === undefined ? [] : [whole]), ...all].reduce<Who>(
      (latest, one) => ((one.changedAt ?? 0) > (latest.changedAt ?? 0) ? one : latest),
      {},
    );
  }

  #note(row: JsonObject): void {
    const id = row['id'];
    if (typeof id === 'number') this.#cursor = Math.max(this.#cursor ?? 0, id);
    const user = objectOf(row['user']);
    const by = textOf(user['email']) ?? textOf(user['id']);
    const at = Date.parse(textOf(row['timestamp']) ?? '');
    const name = `${textOf(row['collection']) ?? ''}:${textOf(row['item']) ?? ''}`;
    this.#last.delete(name);
    this.#last.set(name, {
      ...(by === undefined ? {} : { changedBy: by }),
      ...(Number.isNaN(at) ? {} : { changedAt: at }),
    });
    const oldest = this.#last.size > REMEMBERED ? this.#last.keys().next().value : undefined;
    if (oldest !== undefined) this.#last.delete(oldest);
  }
}
