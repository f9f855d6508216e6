import { ReconcilerError } from '../../errors.ts';
import type { JsonObject } from '../../manifest/manifest.ts';
import type { RemoteObject } from '../../plan/types.ts';
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

/** An object as it was read, and the rows that it consists of, as the activity names them: `table:id`. */
export interface Seen {
  readonly object: RemoteObject;
  readonly rows: readonly string[];
}

/** Who changed what last, from Directus' activity. Only what the server keeps, and only since the first look's reach. */
export class Changes {
  readonly #client: DirectusClient;
  readonly #last = new Map<string, Who>();
  readonly #versions = new Map<string, string>();
  #cursor: number | undefined;

  constructor(client: DirectusClient) {
    this.#client = client;
  }

  /** Reads on if one of these objects is not as it was the last time: while nothing has changed, nobody is asked who did it. */
  async follow(objects: readonly Pick<RemoteObject, 'remote' | 'version'>[], signal: AbortSignal): Promise<void> {
    if (objects.every(({ remote, version }) => this.#versions.get(remote) === version)) return;
    await this.#read(signal);
    for (const { remote, version } of objects) remember(this.#versions, remote, version);
  }

  /** An account that may not see the activity learns no names; that is no reason not to look. */
  async #read(signal: AbortSignal): Promise<void> {
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

  /** The last change of an object, which is any of its rows. */
  of(rows: readonly string[]): Who {
    return rows
      .flatMap((row) => this.#last.get(row) ?? [])
      .reduce<Who>((latest, one) => ((one.changedAt ?? 0) > (latest.changedAt ?? 0) ? one : latest), {});
  }

  #note(row: JsonObject): void {
    const id = row['id'];
    if (typeof id === 'number') this.#cursor = Math.max(this.#cursor ?? 0, id);
    const user = objectOf(row['user']);
    const by = textOf(user['email']) ?? textOf(user['id']);
    const at = Date.parse(textOf(row['timestamp']) ?? '');
    const name = `${textOf(row['collection']) ?? ''}:${textOf(row['item']) ?? ''}`;
    remember(this.#last, name, {
      ...(by === undefined ? {} : { changedBy: by }),
      ...(Number.isNaN(at) ? {} : { changedAt: at }),
    });
  }
}

/** What was not seen for longest is forgotten. */
function remember<Value>(map: Map<string, Value>, name: string, value: Value): void {
  map.delete(name);
  map.set(name, value);
  const oldest = map.size > REMEMBERED ? map.keys().next().value : undefined;
  if (oldest !== undefined) map.delete(oldest);
}
