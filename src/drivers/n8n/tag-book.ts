import { ReconcilerError } from '../../errors.ts';
import { slug } from '../../manifest/slug.ts';
import type { N8nApi } from './api.ts';
import { readNote } from './note.ts';
import type { RawTag, RawWorkflow } from './shapes.ts';

/** The tags there are, listed when somebody asks, and which workflow bears which. */
export class TagBook {
  readonly #api: N8nApi;
  #tags: Promise<readonly RawTag[]> | undefined;

  constructor(api: N8nApi) {
    this.#api = api;
  }

  /** Gives a workflow the tag of its application, takes that of the former one, and leaves all others to people. */
  async attach(
    workflow: Pick<RawWorkflow, 'id' | 'settings' | 'tags'>,
    application: string | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const present = workflow.tags ?? [];
    const former = readNote(workflow.settings ?? null)?.application;
    const kept = present.filter(({ name }) => slug(name) !== former || former === application);
    const has = kept.some(({ name }) => slug(name) === application);
    const added = application === undefined || has ? [] : [await this.#tagOf(application, signal)];
    if (added.length === 0 && kept.length === present.length) return;
    const body = [...kept.map(({ id }) => ({ id })), ...added.map(({ id }) => ({ id }))];
    await this.#api.send(
      { method: 'PUT', route: '/api/v1/workflows/:id/tags', params: { id: workflow.id }, body },
      signal,
    );
  }

  async #tagOf(application: string, signal: AbortSignal): Promise<RawTag> {
    this.#tags ??= this.#api.all('tags', {}, signal);
    const tags = await this.#tags;
    const found = tags.find(({ name }) => slug(name) === application);
    if (found !== undefined) return found;
    this.#tags = undefined;
    throw new ReconcilerError(`There is no tag on n8n for the Application "${application}".`, 'replan', {
      code: 'unresolved-reference',
      remedy: `Create the Application first; its title has to read like its name ("${application}").`,
    });
  }
}
