import type { JsonObject } from '../../manifest/manifest.ts';
import type { Step } from '../driver.ts';
import { objectId } from './ids.ts';
import { textOf } from './json.ts';
import { readNote } from './note.ts';
import { titleIn, tokenFor } from './references.ts';

/** Columns that names are made of. */
export const NAME_FIELDS = 'id,name,description';

/** Who is called what among the flows of one server: references stand by title in git, and by id on the platform. */
export class FlowNames {
  readonly #titles = new Map<string, string>();
  /** Ids whose note says that it was written on them: a duplicate made in the editor carries the note of another. */
  readonly #original = new Set<string>();
  readonly #byTitle = new Map<string, Set<string>>();

  constructor(rows: readonly JsonObject[], steps: readonly Step[] = []) {
    for (const row of rows) {
      const id = textOf(row['id']) ?? '';
      this.#call(id, textOf(row['name']) ?? '');
      if (readNote(textOf(row['description']) ?? '').note.marker?.remote === id) this.#original.add(id);
    }
    for (const { change, owner } of steps) {
      if (change.kind !== 'Workflow') continue;
      if (change.verb === 'delete') this.#drop(change.remote.id);
      else if (change.verb !== 'release') {
        const id = change.verb === 'create' ? objectId(owner, change.key) : change.remote.id;
        this.#call(id, change.title);
        this.#original.add(id);
      }
    }
  }

  /** The name by which others know a flow; the id itself where there is none, or where the name says too little. */
  readonly nameOf = (id: string): string => {
    const title = this.#titles.get(id);
    return title !== undefined && this.idsOf(title).includes(id) && this.idsOf(title).length === 1
      ? tokenFor(title)
      : id;
  };

  /**
   * How a flow that stands on the server calls another: one that it knows by name only, because it came first, shows as a difference
   * as soon as the other is there, and is written again with its id.
   */
  readonly toldAs = (said: string): string => {
    const title = titleIn(said);
    if (title === undefined) return this.nameOf(said);
    return this.idsOf(title).length === 1 ? `${said} (by name only)` : said;
  };

  /** The id behind a name; what is no name, or leads nowhere, stays. */
  readonly idOf = (said: string): string => {
    const title = titleIn(said);
    const [id, ...more] = title === undefined ? [] : this.idsOf(title);
    return id === undefined || more.length > 0 ? said : id;
  };

  /** Flows with that title. Duplicates of ours do not count beside the original. */
  idsOf(title: string): readonly string[] {
    const all = [...(this.#byTitle.get(title) ?? [])];
    const original = all.filter((id) => this.#original.has(id));
    return original.length === 1 ? original : all;
  }

  #call(id: string, title: string): void {
    this.#drop(id);
    this.#titles.set(id, title);
    const same = this.#byTitle.get(title);
    if (same === undefined) this.#byTitle.set(title, new Set([id]));
    else same.add(id);
  }

  #drop(id: string): void {
    const old = this.#titles.get(id);
    if (old !== undefined) this.#byTitle.get(old)?.delete(id);
    this.#titles.delete(id);
    this.#original.delete(id);
  }
}

/** Why a name leads to no flow, and what to do; nothing where it leads to one. */
export function missingFlow(
  operation: string,
  title: string,
  names: FlowNames,
): readonly { readonly because: string; readonly remedy: string }[] {
  const count = names.idsOf(title).length;
  if (count === 1) return [];
  const runs = `operation "${operation}" runs the flow "${title}"`;
  return count === 0
    ? [
        {
          because: `${runs}, which is neither there nor in git`,
          remedy: `Write a Workflow titled "${title}", or create that flow on the platform.`,
        },
      ]
    : [{ because: `${runs}, and ${count} have that name`, remedy: 'Give each a name of its own.' }];
}
