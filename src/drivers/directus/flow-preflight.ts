import type { JsonObject } from '../../manifest/manifest.ts';
import type { Refusal, Step } from '../driver.ts';
import type { DirectusClient } from './client.ts';
import { withContents } from '../contents.ts';
import { inspectFlow } from './flow-check.ts';
import { normalizeDefinition } from './flow-definition.ts';
import { FlowNames, NAME_FIELDS, missingFlow } from './flow-names.ts';
import { objectOf, objectsOf, textOf } from './json.ts';
import type { Licence } from './licence.ts';
import { flowOf, titleIn } from './references.ts';

export type Obstacle = Omit<Refusal, 'key'>;

/** Types of operations that every Directus has. */
const BUILT_IN = new Set(
  (
    'condition exec item-create item-delete item-read item-update json-web-token log mail notification request sleep ' +
    'throw-error transform trigger'
  ).split(' '),
);
/** Length of the columns for names and keys. */
const LONGEST_NAME = 255;

/** What the server has, as far as flows depend on it; each is asked for when the first flow does. */
interface Ground {
  readonly standing: () => Promise<Standing>;
  /** Whether an extension brings operations; which types it brings is not told. */
  readonly hasExtensions: () => Promise<boolean>;
}
interface Standing {
  readonly names: FlowNames;
  readonly active: ReadonlySet<string>;
  readonly licence: Licence | undefined;
}
interface Asking {
  readonly client: DirectusClient;
  readonly licence: () => Promise<Licence | undefined>;
  readonly signal: AbortSignal;
}

/**
 * What Directus would take without a word although it cannot run it, or could not survive: it checks neither types nor
 * links nor circles. And what its licence would refuse half-way. New flows that rest and run no others ask it for nothing.
 */
export async function preflightFlows(steps: readonly Step[], asking: Asking): Promise<readonly Refusal[]> {
  const writes = steps.filter(({ change }) => change.verb !== 'delete' && change.verb !== 'release');
  const ground = groundOf(steps, asking);
  const refusals: Refusal[] = [];
  let added = 0;
  for await (const { task, desired } of withContents(writes.map((step) => ({ step })))) {
    const { step } = task;
    const spec = await desired();
    const found = await Array.fromAsync(obstaclesOf(step, spec, ground));
    const first = found.find(({ bearable }) => bearable !== true);
    const adds = spec['active'] === true && !(await isActive(step, ground));
    const full = first === undefined && adds ? quota(await ground.standing(), added) : undefined;
    const obstacle = first ?? full;
    for (const one of obstacle === undefined ? found : [obstacle]) refusals.push({ key: step.change.key, ...one });
    if (obstacle === undefined && adds) added += 1;
  }
  return refusals;
}

function groundOf(steps: readonly Step[], { client, licence, signal }: Asking): Ground {
  let standing: Promise<Standing> | undefined;
  let hasExtensions: Promise<boolean> | undefined;
  const ask = async (): Promise<Standing> => {
    const [{ rows }, known] = await Promise.all([
      client.list('/flows', { fields: `${NAME_FIELDS},status` }, signal),
      licence(),
    ]);
    const active = rows.filter(({ status }) => status === 'active').flatMap(({ id }) => textOf(id) ?? []);
    return { names: new FlowNames(rows, steps), active: new Set(active), licence: known };
  };
  const askExtensions = async (): Promise<boolean> => {
    const extensions = await client.data({ method: 'GET', route: '/extensions', accept: [403], signal });
    return extensions === undefined || objectsOf(extensions).some(bringsOperations);
  };
  return { standing: () => (standing ??= ask()), hasExtensions: () => (hasExtensions ??= askExtensions()) };
}

async function isActive({ change }: Step, { standing }: Ground): Promise<boolean> {
  return change.verb !== 'create' && (await standing()).active.has(change.remote.id);
}

async function* obstaclesOf(step: Step, spec: JsonObject, ground: Ground): AsyncGenerator<Obstacle> {
  const { change } = step;
  for (const problem of inspectFlow(spec['definition'] ?? null).problems)
    if (problem.severity === 'error') yield { because: problem.message, remedy: problem.remedy };
  if (change.title.length > LONGEST_NAME)
    yield {
      because: `the title has ${change.title.length} characters, and Directus keeps ${LONGEST_NAME}`,
      remedy: 'Shorten it.',
    };
  // What does not run breaks nothing: it waits for what it lacks, and says so.
  const runs = (spec['active'] ?? (await isActive(step, ground))) === true;
  for (const operation of objectsOf(normalizeDefinition(spec['definition'])['operations'])) {
    const type = textOf(operation['type']) ?? '';
    const key = textOf(operation['key']) ?? '';
    if (runs && !BUILT_IN.has(type) && !(await ground.hasExtensions()))
      yield {
        because: `operation "${key}" is of type ${type}, which this Directus does not have; the flow would end there without a word`,
        remedy: `Install the extension that brings ${type}, correct the type, or write active: false until then.`,
      };
    const title = titleIn(flowOf(operation) ?? '');
    if (title === undefined) continue;
    for (const missing of missingFlow(key, title, (await ground.standing()).names))
      yield runs ? missing : { ...missing, bearable: true };
  }
}

function quota({ licence, active }: Standing, added: number): Obstacle | undefined {
  const { flows, name } = licence ?? {};
  const running = active.size + added;
  if (flows === undefined || running < flows.limit) return undefined;
  return {
    because: `the licence "${name}" lets ${flows.limit} flows be active at once, and with this one it would be ${running + 1}`,
    remedy: 'Write active: false, deactivate another flow first, or get a licence that includes more.',
  };
}

function bringsOperations(extension: JsonObject): boolean {
  const { type, entries } = objectOf(extension['schema']);
  return (
    type === 'operation' || (type === 'bundle' && objectsOf(entries).some((entry) => entry['type'] === 'operation'))
  );
}
