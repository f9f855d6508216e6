import { ReconcilerError, messageOf } from '../../errors.ts';
import { KINDS } from '../../manifest/manifest.ts';
import type { Kind } from '../../manifest/manifest.ts';
import type { RemoteObject } from '../../plan/types.ts';
import type { Listed, Look } from '../driver.ts';
import type { N8nApi } from './api.ts';
import { Catalogue } from './catalogue.ts';
import type { RawWorkflow } from './shapes.ts';
import { credentialObject, locatorsIn, tagObject, workflowObject } from './view.ts';

type Only = Look['only'];

/** Lists what is there, kind by kind. A kind that could not be listed to its end says so; archived workflows are not there. */
export async function* observe(look: Look, api: N8nApi, signal: AbortSignal): AsyncGenerator<RemoteObject | Listed> {
  const catalogue = new Catalogue(api);
  let reached = false;
  for (const kind of KINDS.filter((one) => look.kinds.includes(one))) {
    let because: string | undefined;
    try {
      yield* LISTERS[kind]?.({ api, catalogue, only: look.only, signal }) ?? [];
    } catch (error) {
      const unreachable = error instanceof ReconcilerError && error.code === 'platform-unreachable' && !reached;
      if (signal.aborted || unreachable || !(error instanceof ReconcilerError)) throw error;
      because = messageOf(error);
    }
    reached = true;
    yield { listed: kind, complete: because === undefined, ...(because === undefined ? {} : { because }) };
  }
}

interface Listing {
  readonly api: N8nApi;
  readonly catalogue: Catalogue;
  readonly only: Only;
  readonly signal: AbortSignal;
}

const LISTERS: Partial<Record<Kind, (listing: Listing) => AsyncGenerator<RemoteObject>>> = {
  Application: async function* ({ api, only, signal }) {
    for (const tag of await api.all('tags', {}, signal)) if (isMeant(tag, only)) yield tagObject(tag);
  },
  Integration: async function* ({ api, catalogue, only, signal }) {
    const all = await api.all('credentials', {}, signal);
    catalogue.learnCredentials(all);
    for (const credential of all) if (isMeant(credential, only)) yield credentialObject(credential);
  },
  Workflow: async function* (listing) {
    const { catalogue, signal } = listing;
    await catalogue.needCredentials(signal);
    // A page may refer to workflows on the next: what refers to others waits for the end of the listing.
    const waiting: RawWorkflow[] = [];
    for await (const workflow of workflows(listing)) {
      if (workflow.isArchived === true) continue;
      if (locatorsIn(workflow).length > 0) waiting.push(workflow);
      else yield workflowObject(workflow, catalogue);
    }
    await catalogue.need(waiting.flatMap(locatorsIn), signal);
    for (const workflow of waiting) yield workflowObject(workflow, catalogue);
  },
};

function isMeant({ id, name }: { readonly id: string; readonly name: string }, only: Only): boolean {
  return only === undefined || only.remotes.includes(id) || only.titles.includes(name);
}

async function* workflows({ api, catalogue, only, signal }: Listing): AsyncGenerator<RawWorkflow> {
  if (only === undefined) {
    for await (const page of api.pages('workflows', {}, signal)) {
      for (const workflow of page) catalogue.learn(workflow);
      yield* page;
    }
    catalogue.complete();
    return;
  }
  const seen = new Set<string>();
  for (const id of new Set(only.remotes)) {
    const found = await api.get('workflows', id, signal);
    if (found === undefined) continue;
    seen.add(id);
    yield found;
  }
  for (const name of new Set(only.titles)) {
    // The filter finds parts of names too.
    for (const found of await api.all('workflows', { name }, signal)) {
      if (found.name !== name || seen.has(found.id)) continue;
      seen.add(found.id);
      yield found;
    }
  }
}
