import { ReconcilerError } from '../../errors.ts';
import { slug } from '../../manifest/slug.ts';
import type { Outcome, Refusal, Step } from '../driver.ts';
import type { DirectusClient } from './client.ts';
import { type FolderNames, type Folders, folderObject } from './folders.ts';
import { objectId } from './ids.ts';
import { wordOf } from './json.ts';
import { asReconcilerError, failed, skipped, stale, taken, unconfirmed } from './outcomes.ts';

/** What a folder cannot say, and what it must be called, so that flows find it. */
export async function preflightFolders(steps: readonly Step[]): Promise<readonly Refusal[]> {
  const found: Refusal[] = [];
  for (const step of steps) {
    const { change } = step;
    if (change.verb === 'delete' || change.verb === 'release') continue;
    const { key, title } = change;
    const lost = Object.keys(await step.desired()).filter((field) => field !== 'title');
    const name = key.slice(key.indexOf('/') + 1);
    if (lost.length > 0)
      found.push({
        key,
        because: `an Application is a folder of flows on Directus, which has a name and no room for anything else: ${lost.join(', ')} would be lost`,
        remedy: `Take ${lost.join(', ')} out of it; an overlay that says null takes them out for this platform alone.`,
      });
    else if (slug(title) !== name)
      found.push({
        key,
        because: `its title "${title}" does not read like its name, and a folder on Directus says nothing else by which flows could find it`,
        remedy: `Write a title that reads like "${name}".`,
      });
  }
  return found;
}

/** Writes the folders of a stage. They are few, and they hold nothing but other things. */
export class FolderWriter {
  readonly #client: DirectusClient;
  readonly #folders: Folders;

  constructor(client: DirectusClient, folders: Folders) {
    this.#client = client;
    this.#folders = folders;
  }

  async *write(steps: readonly Step[], signal: AbortSignal): AsyncGenerator<Outcome> {
    if (steps.length === 0) return;
    const sent: Step[] = [];
    const present = await this.#folders.names(signal).catch(asReconcilerError);
    for (const step of steps) {
      if (signal.aborted) {
        yield skipped(step);
        continue;
      }
      try {
        if (present instanceof ReconcilerError) throw present;
        await this.#one(step, present, signal);
        sent.push(step);
      } catch (error) {
        yield failed(step, asReconcilerError(error));
      }
    }
    yield* this.#confirm(sent, signal);
  }

  async #one(step: Step, present: FolderNames | undefined, signal: AbortSignal): Promise<void> {
    const { change, owner } = step;
    const id = change.verb === 'create' ? objectId(owner, change.key) : change.remote.id;
    const row = present?.rows.find((one) => one['id'] === id);
    if (change.verb === 'create') {
      // An earlier try of which nobody heard; under another name it is not what we made.
      if (row !== undefined && row['name'] !== change.title) throw taken(step);
      const body = { id, name: change.title, type: 'flows' };
      if (row === undefined) await this.#client.send({ method: 'POST', route: '/folders', body, signal });
      return;
    }
    if (change.verb === 'release' || (change.verb === 'delete' && row === undefined)) return;
    if (row === undefined || folderObject(row).version !== change.remote.version) throw stale(step);
    const at = { route: '/folders/:id', params: { id }, signal };
    if (change.verb === 'delete') {
      await this.#expectEmpty(step, id, { present, signal });
      await this.#client.send({ method: 'DELETE', ...at });
    } else if (row['name'] !== change.title)
      await this.#client.send({ method: 'PATCH', ...at, body: { name: change.title }, idempotent: true });
  }

  /** What people put into a folder would lie outside of it afterwards, and nobody would hear of it. */
  async #expectEmpty(
    { change }: Step,
    id: string,
    { present, signal }: { readonly present: FolderNames | undefined; readonly signal: AbortSignal },
  ): Promise<void> {
    const filter = JSON.stringify({ folder: { _eq: id } });
    const flows = (await this.#client.list('/flows', { fields: 'id,name', filter }, signal)).rows;
    const held = [...flows, ...(present?.rows ?? []).filter(({ parent }) => parent === id)];
    if (held.length === 0) return;
    const some = held.slice(0, 3).map(({ name }) => wordOf(name));
    throw new ReconcilerError(`${change.key} holds what git does not take away: ${some.join(', ')}.`, 'never', {
      code: 'not-empty',
      remedy: 'Move it out of the folder on the platform, or release the Application.',
    });
  }

  async *#confirm(steps: readonly Step[], signal: AbortSignal): AsyncGenerator<Outcome> {
    if (steps.length === 0) return;
    const names = await this.#folders.names(signal).catch(asReconcilerError);
    for (const step of steps) {
      if (names instanceof ReconcilerError) yield failed(step, names);
      else yield confirmed(step, names);
    }
  }
}

function confirmed(step: Step, names: FolderNames | undefined): Outcome {
  const { change, owner } = step;
  const id = change.verb === 'create' ? objectId(owner, change.key) : change.remote.id;
  const row = names?.rows.find((one) => one['id'] === id);
  if (change.verb === 'delete')
    return row === undefined ? { status: 'applied', change } : failed(step, unconfirmed(step));
  if (change.verb === 'release') return { status: 'applied', change };
  if (row === undefined || row['name'] !== change.title) return failed(step, unconfirmed(step));
  return { status: 'applied', change, remote: { id, version: folderObject(row).version } };
}
