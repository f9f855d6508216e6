import type { Owner } from '../../plan/types.ts';
import { messageOf, ReconcilerError } from '../../errors.ts';
import type { N8nApi } from './api.ts';
import type { Locator, Target } from './locators.ts';
import { spellings } from './locators.ts';
import { readNote } from './note.ts';
import type { RawWorkflow } from './shapes.ts';

interface Named {
  readonly id: string;
  readonly name: string;
  /** Type of a credential. */
  readonly type?: string;
  readonly owner?: Owner;
}

type Learnt = Pick<RawWorkflow, 'id' | 'name' | 'settings' | 'isArchived'>;

/** Looks up names one by one up to this many; beyond it a listing of everything is cheaper. */
const ONE_BY_ONE = 24;

/** Who is called what on the platform, as of one look at it; fetched as far as somebody asks. */
export class Catalogue {
  readonly #api: N8nApi;
  readonly #known: Record<Target, Map<string, Named>> = { Workflow: new Map(), DataTable: new Map() };
  /** All workflows there are have been learnt. */
  #whole = false;
  readonly #asked = new Map<string, Promise<void>>();
  #credentials: readonly Named[] | undefined;
  #credentialsAsked: Promise<void> | undefined;
  #tablesAsked: Promise<void> | undefined;
  #workflowsAsked: Promise<void> | undefined;
  /** Why data tables are not known, where they are not. */
  #blind: string | undefined;

  constructor(api: N8nApi) {
    this.#api = api;
  }

  learnCredentials(all: readonly Named[]): void {
    this.#credentials = all;
  }

  learn(workflow: Learnt): void {
    if (workflow.isArchived === true) this.#known.Workflow.delete(workflow.id);
    else this.#known.Workflow.set(workflow.id, named(workflow));
  }

  /** All workflows there are have been learnt. */
  complete(): void {
    this.#whole = true;
  }

  /** Makes sure that credentials are known. @throws as the listing. */
  async needCredentials(signal: AbortSignal): Promise<void> {
    if (this.#credentials !== undefined) return;
    this.#credentialsAsked ??= this.#api.all('credentials', {}, signal).then((all) => this.learnCredentials(all));
    await this.#credentialsAsked;
  }

  /** Makes sure that what these locators mean is known, as far as it can be. @throws as the listings. */
  async need(locators: readonly Locator[], signal: AbortSignal): Promise<void> {
    if (locators.some(({ target }) => target === 'DataTable'))
      await (this.#tablesAsked ??= this.#learnDataTables(signal));
    if (this.#whole) return;
    const workflows = locators.filter(({ target }) => target === 'Workflow');
    const names = new Set(workflows.flatMap(({ name }) => (name === undefined ? [] : spellings(name))));
    const ids = new Set(workflows.flatMap(({ id }) => (id === undefined ? [] : [id])));
    const words = [
      ...[...names].map((name) => `name ${name}`),
      ...[...ids].filter((id) => !this.#known.Workflow.has(id)).map((id) => `id ${id}`),
    ];
    const open = words.filter((word) => !this.#asked.has(word));
    if (open.length + this.#asked.size > ONE_BY_ONE) {
      await (this.#workflowsAsked ??= this.#learnWorkflows(signal));
      return;
    }
    for (const word of open) this.#asked.set(word, this.#ask(word, signal));
    await Promise.all(words.map(async (word) => this.#asked.get(word)));
  }

  /** Present name of what has that id; undefined when nothing known has it. */
  nameOf(target: Target, id: string): string | undefined {
    return this.#known[target].get(id)?.name;
  }

  /** What an owner's definition means by a name: its own object first, else the only one. */
  find(target: Target, name: string, owner: Owner | undefined): readonly string[] {
    for (const spelling of spellings(name)) {
      const called = [...this.#known[target].values()].filter((one) => one.name === spelling);
      const own = called.filter((one) => owner !== undefined && one.owner === owner);
      const found = own.length > 0 ? own : called;
      if (found.length > 0) return found.map(({ id }) => id);
    }
    return [];
  }

  credential(id: string): Named | undefined {
    return this.#credentials?.find((one) => one.id === id);
  }

  findCredentials(type: string, name: string): readonly string[] {
    return (this.#credentials ?? []).filter((one) => one.type === type && one.name === name).map(({ id }) => id);
  }

  /** Whether nothing can be said about what a name means, and why. */
  blindFor(target: Target): string | undefined {
    return target === 'DataTable' ? this.#blind : undefined;
  }

  /**
   * Learns all workflows there are before a stage that writes many of them: later it would be listed among its own writes, which move
   * rows from page to page. When that fails, who needs to know asks anew.
   */
  async lookAhead(writes: number, signal: AbortSignal): Promise<void> {
    if (writes <= ONE_BY_ONE || this.#whole) return;
    await this.#learnWorkflows(signal).catch(() => undefined);
  }

  async #ask(word: string, signal: AbortSignal): Promise<void> {
    const [how, what] = [word.slice(0, word.indexOf(' ')), word.slice(word.indexOf(' ') + 1)];
    if (how === 'id') {
      const found = await this.#api.get('workflows', what, signal);
      if (found !== undefined) this.learn(found);
    } else {
      const query = { name: what, excludePinnedData: 'true' };
      for await (const page of this.#api.pages('workflows', query, signal)) for (const one of page) this.learn(one);
    }
  }

  async #learnWorkflows(signal: AbortSignal): Promise<void> {
    for await (const page of this.#api.pages('workflows', { excludePinnedData: 'true' }, signal))
      for (const workflow of page) this.learn(workflow);
    this.complete();
  }

  async #learnDataTables(signal: AbortSignal): Promise<void> {
    try {
      const tables = await this.#api.all('data-tables', {}, signal);
      for (const table of tables) this.#known.DataTable.set(table.id, table);
    } catch (error) {
      // A key without that right is no fault of the workflows: the names stay as they are written.
      if (!(error instanceof ReconcilerError) || error.code !== 'unauthorized') throw error;
      this.#blind = messageOf(error);
    }
  }
}

function named({ id, name, settings }: Learnt): Named {
  const owner = readNote(settings)?.marker?.owner;
  return { id, name, ...(owner === undefined ? {} : { owner }) };
}
