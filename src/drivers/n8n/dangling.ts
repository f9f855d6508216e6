import type { JsonObject } from '../../manifest/manifest.ts';
import type { Lack, Owner } from '../../plan/types.ts';
import type { Catalogue } from './catalogue.ts';
import { rewrite } from './locators.ts';
import type { Locator } from './locators.ts';
import { objectOf, textOf } from './shapes.ts';

/** Where names lead: what is on the platform, and what the plan brings besides (`Kind/title`, `Integration/type/title`). */
export interface Reachable {
  readonly catalogue: Catalogue;
  readonly owner: Owner;
  readonly coming: ReadonlySet<string>;
}

/** Every reference of a definition in git that leads nowhere, or to more than one object; each thing once. */
export function danglingIn(spec: JsonObject, reachable: Reachable): readonly Lack[] {
  const found = new Map<string, Lack>();
  rewrite(objectOf(spec['definition']), {
    credential: (type, entry, node) => {
      const name = textOf(entry['name']) ?? '';
      const count = reachable.catalogue.findCredentials(type, name).length;
      const comes = count === 0 && reachable.coming.has(`Integration/${type}/${name}`);
      if (!isIdle(entry, node) && count !== 1 && !comes)
        found.set(`${type}\n${name}`, credentialLack({ type, name, node: textOf(node['name']) ?? '' }, count));
      return entry;
    },
    locator: (locator) => {
      const lack = danglingLocator(locator, reachable);
      if (lack !== undefined) found.set(`${locator.target}\n${locator.name ?? locator.id ?? ''}`, lack);
      return locator;
    },
  });
  return [...found.values()];
}

/** Whether a node never asks for the credential that it names. */
export function isIdle(entry: JsonObject, node: JsonObject): boolean {
  return node['disabled'] === true || entry['__aiGatewayManaged'] === true;
}

/** `count` credentials are called so; one would be right. */
export function credentialLack(
  { type, name, node }: { readonly type: string; readonly name: string; readonly node: string },
  count: number,
): Lack {
  const who = `the node "${node}" uses the ${type} credential "${name}"`;
  return count === 0
    ? {
        message: `${who}, which is not on n8n.`,
        remedy: `Add an Integration of type ${type} titled "${name}", or create it in n8n.`,
      }
    : { message: `${who}, and ${count} are called so.`, remedy: 'Rename all but the one that is meant.' };
}

/** As `credentialLack`, for a workflow or a data table. */
export function locatorLack({ target, node, name, id }: Locator, count: number): Lack {
  const word = target === 'Workflow' ? 'workflow' : 'data table';
  const who = node === undefined ? 'the setting errorWorkflow names' : `the node "${node}" names`;
  if (name === undefined)
    return {
      message: `${who} a ${word} by the id ${id ?? ''}, which n8n does not have.`,
      remedy: `Choose the ${word} by its name.`,
    };
  return count === 0
    ? {
        message: `${who} the ${word} "${name}", which is not on n8n.`,
        remedy: `Add the ${word} "${name}", or correct the name.`,
      }
    : {
        message: `${who} the ${word} "${name}", and ${count} are called so.`,
        remedy: 'Rename all but the one that is meant.',
      };
}

function danglingLocator(locator: Locator, { catalogue, owner, coming }: Reachable): Lack | undefined {
  const { target, node, name, id, idle } = locator;
  if (idle === true || catalogue.blindFor(target) !== undefined) return undefined;
  if (name === undefined) {
    // A missing error workflow keeps nothing from running.
    const leads = node === undefined || id === undefined || catalogue.nameOf(target, id) !== undefined;
    return leads ? undefined : locatorLack(locator, 0);
  }
  const count = catalogue.find(target, name, owner).length;
  return count === 1 || coming.has(`${target}/${name}`) ? undefined : locatorLack(locator, count);
}
