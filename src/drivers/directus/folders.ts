import { ReconcilerError } from '../../errors.ts';
import type { JsonObject, Key } from '../../manifest/manifest.ts';
import { slug } from '../../manifest/slug.ts';
import type { Owner, RemoteObject } from '../../plan/types.ts';
import type { Look } from '../driver.ts';
import { hash } from './access-world.ts';
import { FOLDERS_SINCE } from './capabilities.ts';
import type { Seen } from './changes.ts';
import type { DirectusClient } from './client.ts';
import { objectId } from './ids.ts';
import { textOf, without, wordOf } from './json.ts';

/** Files have folders of their own, in the same table. */
const OF_FLOWS = { fields: 'id,name,parent,type', filter: JSON.stringify({ type: { _eq: 'flows' } }) };

/** The folders of one server, in which flows lie: an Application is one of them. They have a name and nothing else to say. */
export class FolderNames {
  readonly rows: readonly JsonObject[];

  constructor(rows: readonly JsonObject[]) {
    this.rows = rows;
  }

  /** How git calls the application whose folder has this id: nothing but its name could tell. */
  applicationOf(id: string): string | undefined {
    const name = textOf(this.rows.find((row) => row['id'] === id)?.['name']);
    return name === undefined ? undefined : slug(name);
  }

  /** The folder of an application: the one that we made, else the only one of that name. */
  idOf(application: string, owner: Owner): string | undefined {
    const ids = this.rows.filter(({ name }) => slug(wordOf(name)) === application).map(({ id }) => wordOf(id));
    const made = objectId(owner, `Application/${application}` satisfies Key);
    return ids.includes(made) ? made : ids.length === 1 ? ids[0] : undefined;
  }
}

/** Reads folders as Applications. */
export class Folders {
  readonly #client: DirectusClient;

  constructor(client: DirectusClient) {
    this.#client = client;
  }

  /** Undefined where flows have no folders, which they have since version 12, or where this account may not see them. */
  async names(signal: AbortSignal): Promise<FolderNames | undefined> {
    try {
      return await this.#list(signal);
    } catch (error) {
      if (isForbidden(error)) return undefined;
      throw error;
    }
  }

  /** All folders, or the named ones. @throws ReconcilerError when they could not be read. */
  async observe(only: Look['only'], signal: AbortSignal): Promise<readonly Seen[]> {
    const { rows } = (await this.#list(signal)) ?? { rows: [] };
    const seen = rows.map((row) => ({ object: folderObject(row), rows: [`directus_folders:${wordOf(row['id'])}`] }));
    if (only === undefined) return seen;
    return seen.filter(({ object: { remote, title } }) => only.remotes.includes(remote) || only.titles.includes(title));
  }

  /** Undefined on a version without such folders; what else is forbidden there may hide some. */
  async #list(signal: AbortSignal): Promise<FolderNames | undefined> {
    try {
      return new FolderNames((await this.#client.list('/folders', OF_FLOWS, signal)).rows);
    } catch (error) {
      if (!isForbidden(error)) throw error;
      const { version } = await this.#client.get('/server/info', {}, signal);
      if (Number.parseInt(textOf(version) ?? '', 10) < FOLDERS_SINCE) return undefined;
      throw error;
    }
  }
}

function isForbidden(error: unknown): boolean {
  return error instanceof ReconcilerError && error.code === 'forbidden';
}

export function folderObject(row: JsonObject): RemoteObject {
  const title = wordOf(row['name']);
  return { kind: 'Application', remote: wordOf(row['id']), title, value: { title }, version: hash(without(row, [])) };
}
