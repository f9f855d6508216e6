import type { JsonObject, Key } from '../../manifest/manifest.ts';
import type { Refusal, Step } from '../driver.ts';
import type { N8nApi } from './api.ts';
import { objectOf, objectsOf, textOf } from './shapes.ts';
import type { RawWorkflow } from './shapes.ts';

interface Aids {
  readonly api: N8nApi;
  readonly signal: AbortSignal;
}

/** Lengths that creating and changing a credential both take. */
const NAME = { least: 3, most: 128 };

/** Credentials that n8n would refuse (by the schema of their type), and deletes of those that something running still uses. */
export async function refusedCredentials(
  steps: readonly Step[],
  contents: readonly (readonly [Step, JsonObject])[],
  aids: Aids,
): Promise<readonly Refusal[]> {
  const schemas = new Map<string, JsonObject | undefined>();
  const found: Refusal[] = [];
  for (const [step, spec] of contents) {
    if (step.change.kind !== 'Integration') continue;
    const type = textOf(spec['type']) ?? '';
    if (!schemas.has(type)) schemas.set(type, await schemaOf(type, aids));
    const refusal = refusalOf(step, spec, schemas.get(type));
    if (refusal !== undefined) found.push(refusal);
  }
  return [...found, ...(await refusedDeletes(steps, aids))];
}

async function schemaOf(type: string, { api, signal }: Aids): Promise<JsonObject | undefined> {
  const route = '/api/v1/credentials/schema/:type';
  const answer = await api.send({ method: 'GET', route, params: { type }, accept: [404] }, signal);
  return answer.status === 404 ? undefined : objectOf(answer.json);
}

function refusalOf({ change }: Step, spec: JsonObject, schema: JsonObject | undefined): Refusal | undefined {
  const { key } = change;
  const title = textOf(spec['title']) ?? '';
  const type = textOf(spec['type']) ?? '';
  if (title.length < NAME.least || title.length > NAME.most) {
    const because = `n8n takes ${NAME.least} to ${NAME.most} characters as the name of a credential, and its title has ${title.length}.`;
    return { key, because, remedy: 'Give it another title.' };
  }
  if (schema === undefined) {
    const because = `this n8n has no credential type "${type}".`;
    return { key, because, remedy: 'Correct spec.type, or install the community package that brings it.' };
  }
  const known = Object.keys(objectOf(schema['properties']));
  const secrets = 'secrets' in change ? change.secrets.filter((name) => name !== 'spec.settings') : [];
  const given = [...Object.keys(objectOf(spec['settings'])), ...secrets];
  const strange = given.filter((name) => !known.includes(name));
  if (schema['additionalProperties'] === false && strange.length > 0) {
    const because = `the credential type ${type} has no field ${strange.map((name) => `"${name}"`).join(', ')}.`;
    return { key, because, remedy: `Its fields are ${known.join(', ')}.` };
  }
  return undefined;
}

/** n8n deletes a credential that is in use without a word, and what used it fails at its next run. */
async function refusedDeletes(steps: readonly Step[], { api, signal }: Aids): Promise<readonly Refusal[]> {
  const deleted = new Map<string, Key>();
  const touched = new Set<string>();
  for (const { change } of steps) {
    if (!('remote' in change)) continue;
    if (change.kind === 'Integration' && change.verb === 'delete') deleted.set(change.remote.id, change.key);
    if (change.kind === 'Workflow' && change.verb !== 'release') touched.add(change.remote.id);
  }
  if (deleted.size === 0) return [];
  const found = new Map<Key, Refusal>();
  const query = { active: 'true', excludePinnedData: 'true' };
  for await (const page of api.pages('workflows', query, signal)) {
    for (const workflow of page) {
      if (touched.has(workflow.id)) continue;
      for (const [id, key] of deleted) {
        if (!uses(workflow, id)) continue;
        const because = `the active workflow "${workflow.name}" uses it.`;
        found.set(key, { key, because, remedy: 'Take it out of that workflow, or deactivate the workflow, first.' });
      }
    }
  }
  return [...found.values()];
}

function uses({ nodes }: RawWorkflow, credential: string): boolean {
  return objectsOf(nodes).some((node) =>
    Object.values(objectOf(node['credentials'])).some((entry) => objectOf(entry)['id'] === credential),
  );
}
