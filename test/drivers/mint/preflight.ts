import type { Refusal, Step } from '../../../src/drivers/driver.ts';
import { ReconcilerError } from '../../../src/errors.ts';
import type { JsonObject, Kind } from '../../../src/manifest/manifest.ts';
import type { MintApi } from './api.ts';
import { collectionOf, fieldsOf, object, textOf } from './normal-form.ts';
import type { Ids } from './normal-form.ts';
import { References } from './references.ts';

/** What Mint would refuse half-way: references to nothing, and deletes of what others still refer to. */
export async function refusals(steps: readonly Step[], api: MintApi, signal: AbortSignal): Promise<readonly Refusal[]> {
  const writes = steps.filter(({ change }) => change.verb !== 'delete' && change.verb !== 'release');
  const references = new References();
  for (const { change } of writes) await references.loadFor(change.kind, api, signal);
  const coming = new Set<string>();
  for (const step of writes) coming.add(`${step.change.kind}/${called(step.change.kind, step)}`);
  const found: Refusal[] = [];
  for (const step of writes) {
    const refusal = refusalOf(step, await step.desired(), hoping(references.idsFor(step.owner), coming));
    if (refusal !== undefined) found.push(refusal);
  }
  return [...found, ...(await refusedDeletes(steps, api, signal))];
}

function refusalOf(step: Step, desired: JsonObject, ids: Ids): Refusal | undefined {
  const { change } = step;
  if (change.kind === 'Workflow' && !Array.isArray(object(desired['definition'])['steps'])) {
    return { key: change.key, because: 'its definition has no steps.', remedy: 'Write {"steps": [...]}.' };
  }
  try {
    fieldsOf(change.kind, desired, ids);
    return undefined;
  } catch (error) {
    if (!(error instanceof ReconcilerError)) throw error;
    return { key: change.key, because: error.message, remedy: error.remedy ?? 'Look at the platform.' };
  }
}

/** References to what this very plan creates or renames will resolve once it is there. */
function hoping(ids: Ids, coming: ReadonlySet<string>): Ids {
  return { idOf: (kind, name) => (coming.has(`${kind}/${name}`) ? '' : ids.idOf(kind, name)) };
}

function called(kind: Kind, { change }: Step): string {
  return kind === 'Integration' ? change.title : change.key.slice(kind.length + 1);
}

/** A role that somebody holds by a grant of another's making is not taken away under them. */
async function refusedDeletes(steps: readonly Step[], api: MintApi, signal: AbortSignal): Promise<readonly Refusal[]> {
  const deletes = new Map(
    steps.flatMap(({ change }) => (change.verb === 'delete' ? [[change.remote.id, change] as const] : [])),
  );
  if (![...deletes.values()].some(({ kind }) => kind === 'AccessRole')) return [];
  const touched = new Set(steps.flatMap(({ change }) => ('remote' in change ? [change.remote.id] : [])));
  const found: Refusal[] = [];
  for await (const grant of api.list(collectionOf('AccessGrant'), undefined, signal)) {
    const role = deletes.get(textOf(grant.body['role']));
    if (role === undefined || touched.has(grant.id)) continue;
    const because = `the grant "${grant.title}", which is not in git, gives it to somebody.`;
    found.push({ key: role.key, because, remedy: 'Take that grant away on the platform first.' });
  }
  return found;
}
