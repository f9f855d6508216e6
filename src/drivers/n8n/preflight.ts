import type { JsonObject, Key } from '../../manifest/manifest.ts';
import { slug } from '../../manifest/slug.ts';
import { withContents } from '../contents.ts';
import type { Refusal, Step } from '../driver.ts';
import type { N8nApi } from './api.ts';
import { Catalogue } from './catalogue.ts';
import { danglingIn } from './dangling.ts';
import { refusedCredentials } from './credential-check.ts';
import { credentialsOf, locatorsOf } from './locators.ts';
import { listed } from './mend-node.ts';
import { objectOf, textOf } from './shapes.ts';

/** Longest name of a tag; one more is refused with a message about something else. */
const TAG_LENGTH = 24;
const WORKFLOW_NAME_LENGTH = 128;

/** What n8n would refuse half-way, or take and not survive: found before the first write. */
export async function preflight(steps: readonly Step[], api: N8nApi, signal: AbortSignal): Promise<readonly Refusal[]> {
  const writes = steps.filter(({ change }) => change.verb !== 'delete' && change.verb !== 'release');
  const contents = await Promise.all(writes.map(async (step) => [step, await smallOf(step)] as const));
  const catalogue = new Catalogue(api);
  const coming = new Set(contents.flatMap(([{ change }, spec]) => comingFrom(change.kind, change.title, spec)));
  const found: Refusal[] = [];
  for (const [step, spec] of contents)
    if (step.change.kind === 'Application') found.push(...refusedApplication(step.change.key, spec));
  const workflows = writes.filter(({ change }) => change.kind === 'Workflow').map((step) => ({ step }));
  for await (const { task, desired } of withContents(workflows))
    found.push(...(await refusedWorkflow(task.step, await desired(), { api, catalogue, coming, signal })));
  return [...found, ...(await refusedCredentials(steps, contents, { api, signal }))];
}

/** Definitions are large: they are loaded a few at a time, when their turn comes. */
async function smallOf(step: Step): Promise<JsonObject> {
  return step.change.kind === 'Workflow' ? {} : step.desired();
}

function comingFrom(kind: string, title: string, spec: JsonObject): readonly string[] {
  if (kind === 'Integration') return [`Integration/${textOf(spec['type']) ?? ''}/${title}`];
  return kind === 'Workflow' ? [`Workflow/${title}`] : [];
}

function refusedApplication(key: Key, spec: JsonObject): readonly Refusal[] {
  const lost = Object.keys(spec).filter((field) => field !== 'title');
  if (lost.length > 0)
    return [
      {
        key,
        because: `an Application is a tag on n8n, which has a name and no room for anything else: ${listed(lost)} would be lost.`,
        remedy: `Take ${listed(lost)} out of it; an overlay that says null takes them out for this platform alone.`,
      },
    ];
  const title = textOf(spec['title']) ?? '';
  const name = key.slice(key.indexOf('/') + 1);
  if (title.length > TAG_LENGTH)
    return [
      {
        key,
        because: `an Application is a tag on n8n, and "${title}" has more than the ${TAG_LENGTH} characters of a tag.`,
        remedy: 'Give it a shorter title.',
      },
    ];
  if (slug(title) === name) return [];
  return [
    {
      key,
      because: `an Application is a tag on n8n and found by its title; "${title}" does not read like "${name}".`,
      remedy: `Give it a title that reads like its name, or call it "${slug(title)}".`,
    },
  ];
}

interface Aids {
  readonly api: N8nApi;
  readonly catalogue: Catalogue;
  readonly coming: ReadonlySet<string>;
  readonly signal: AbortSignal;
}

/** A workflow that is to run has to have all it refers to; one that is not may wait for it, and what it lacks is told. */
async function refusedWorkflow(
  step: Step,
  spec: JsonObject,
  { api, catalogue, coming, signal }: Aids,
): Promise<readonly Refusal[]> {
  const { key } = step.change;
  const title = textOf(spec['title']) ?? '';
  if (title.length > WORKFLOW_NAME_LENGTH) {
    const because = `its title has ${title.length} characters, and n8n takes ${WORKFLOW_NAME_LENGTH}.`;
    return [{ key, because, remedy: 'Give it a shorter title.' }];
  }
  const definition = objectOf(spec['definition']);
  const locators = locatorsOf(definition);
  if (locators.length === 0 && credentialsOf(definition).length === 0) return [];
  await catalogue.needCredentials(signal);
  await catalogue.need(locators, signal);
  const dangling = danglingIn(spec, { owner: step.owner, catalogue, coming });
  const [first, ...others] = dangling;
  if (first === undefined) return [];
  if (!(await willRun(step, spec, { api, signal })))
    return dangling.map(({ message, remedy }) => ({ key, because: message, remedy, bearable: true }));
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  return [
    { key, because: `it is active, and ${first.message}${more}`, remedy: `${first.remedy} Or set active: false.` },
  ];
}

/** Where git leaves it open, what runs now goes on running. */
async function willRun(
  { change }: Step,
  { active }: JsonObject,
  { api, signal }: Pick<Aids, 'api' | 'signal'>,
): Promise<boolean> {
  if (typeof active === 'boolean') return active;
  const present = 'remote' in change ? await api.get('workflows', change.remote.id, signal) : undefined;
  return present?.active === true;
}
