import type { JsonObject, JsonValue, Kind } from '../../../src/manifest/manifest.ts';
import type { Sample } from '../contract-harness.ts';

type Row = JsonObject & { readonly id: string; readonly name: string };

/** n8n's API as somebody uses it who knows nothing of Plumbline. */
export class N8nClient {
  readonly #url: string;
  readonly #key: string;

  constructor(url: string, key: string) {
    this.#url = url;
    this.#key = key;
  }

  /** Sends a request. @throws Error on anything but 2xx. */
  async call(method: string, path: string, body?: JsonValue): Promise<JsonObject> {
    const answer = await fetch(`${this.#url}/api/v1${path}`, {
      method,
      headers: { 'x-n8n-api-key': this.#key, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text.slice(0, 300)}`);
    return text === '' ? {} : (JSON.parse(text) as JsonObject);
  }

  async list(of: 'workflows' | 'credentials' | 'tags' | 'data-tables'): Promise<readonly Row[]> {
    const rows: Row[] = [];
    let cursor = '';
    do {
      const { data, nextCursor } = await this.call('GET', `/${of}?limit=250${cursor}`);
      rows.push(...(data as readonly Row[]));
      cursor = typeof nextCursor === 'string' ? `&cursor=${encodeURIComponent(nextCursor)}` : '';
    } while (cursor !== '');
    return rows;
  }

  workflow(id: string): Promise<JsonObject> {
    return this.call('GET', `/workflows/${id}`);
  }

  /** Removes everything, archived workflows too. */
  async clear(): Promise<void> {
    const workflows = await this.list('workflows');
    await several(workflows, async ({ id, isArchived }) => {
      if (isArchived !== true) await this.call('POST', `/workflows/${id}/archive`, {});
      await this.#remove(`/workflows/${id}`);
    });
    for (const kind of ['credentials', 'tags', 'data-tables'] as const)
      await several(await this.list(kind), ({ id }) => this.#remove(`/${kind}/${id}`));
  }

  /** Makes an object with the sample's content, as a person would. */
  async make({ kind, spec, secrets }: Sample): Promise<string> {
    if (kind === 'Integration') {
      const { title, type, settings } = spec;
      const data = { ...(settings as JsonObject), ...secrets };
      return idIn(await this.call('POST', '/credentials', { name: title ?? '', type: type ?? '', data }));
    }
    const definition = spec['definition'] as JsonObject;
    return idIn(await this.call('POST', '/workflows', { name: spec['title'] ?? '', ...definition }));
  }

  /** Changes the content of an object. */
  async edit(kind: Kind, id: string): Promise<void> {
    if (kind === 'Integration') {
      await this.call('PATCH', `/credentials/${id}`, { data: { name: 'X-Edited' }, isPartialData: true });
      return;
    }
    const { name, nodes, connections, settings } = await this.workflow(id);
    const added = {
      id: `edited-${Date.now()}`,
      name: `Edited ${Date.now()}`,
      type: 'n8n-nodes-base.stickyNote',
      typeVersion: 1,
      position: [0, 0],
      parameters: { content: 'edited by hand' },
    };
    const body = { name, nodes: [...(nodes as readonly JsonValue[]), added], connections, settings };
    await this.call('PUT', `/workflows/${id}`, body as JsonObject);
  }

  /** Titles of what is there; archived workflows are not. */
  async titles(kind: Kind): Promise<readonly string[]> {
    const of = ({ Workflow: 'workflows', Integration: 'credentials', Application: 'tags' } as const)[
      kind as 'Workflow'
    ];
    if (of === undefined) return [];
    return (await this.list(of)).filter(({ isArchived }) => isArchived !== true).map(({ name }) => name);
  }

  /** n8n answers 409 while something is still being unpublished. */
  async #remove(path: string): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.call('DELETE', path);
        return;
      } catch (error) {
        if (attempt === 100 || !/: 409/.test(String(error))) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }
}

function idIn(answer: JsonObject): string {
  const { id } = answer;
  if (typeof id !== 'string') throw new Error('n8n gave no id');
  return id;
}

/** n8n does four at a time best. */
async function several<T>(items: readonly T[], run: (item: T) => Promise<unknown>): Promise<void> {
  const queue = [...items];
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      for (let item = queue.shift(); item !== undefined; item = queue.shift()) await run(item);
    }),
  );
}
