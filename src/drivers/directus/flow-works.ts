import { ReconcilerError } from '../../errors.ts';
import type { JsonObject } from '../../manifest/manifest.ts';
import type { Outcome, Step } from '../driver.ts';
import { withContents } from '../contents.ts';
import type { FlowNames } from './flow-names.ts';
import { flowBody, releaseBody } from './flow-rows.ts';
import { objectId } from './ids.ts';
import type { FolderNames } from './folders.ts';
import { objectOf, objectsOf, textOf } from './json.ts';
import { readNote } from './note.ts';
import { asReconcilerError, failed } from './outcomes.ts';
import { flowOf, renameFlows, titleIn } from './references.ts';

/** What one step sends. */
export interface Work {
  readonly step: Step;
  readonly id: string;
  readonly body: JsonObject;
  readonly size: number;
}
/** A step that writes a flow, with what stands there; nothing for a new one. */
export interface Task {
  readonly step: Step;
  readonly row?: JsonObject;
}
/** What the writes of one stage share. */
export interface Writing {
  /** Names of all flows as they will be, read when a step first refers to another flow. */
  readonly names: () => Promise<FlowNames>;
  /** Folders, read when a step first has to do with one; undefined where flows have none. */
  readonly folders: () => Promise<FolderNames | undefined>;
  readonly signal: AbortSignal;
}

/** What the tasks send, one after the other; one whose body cannot be made is told, and the others go on. */
export async function* worksOf(
  tasks: readonly Task[],
  context: Writing,
  tell: (outcome: Outcome) => void,
): AsyncGenerator<Work> {
  const writing = tasks.filter(({ step }) => step.change.verb !== 'release');
  for (const { step, row } of tasks)
    if (step.change.verb === 'release' && row !== undefined) yield workOf(step, idOf(step), releaseBody(row));
  for await (const { task, desired } of withContents(writing)) {
    const { step } = task;
    let work: Work;
    try {
      const body = await bodyOf(task, await desired(), context);
      work = workOf(step, idOf(step), body);
    } catch (error) {
      tell(failed(step, asReconcilerError(error)));
      continue;
    }
    yield work;
  }
}

export function workOf(step: Step, id: string, body: JsonObject): Work {
  return { step, id, body, size: JSON.stringify(body).length };
}

/** The body that makes of a flow what a step wants. @throws ReconcilerError when another flow that it runs is not there. */
export async function bodyOf({ step, row }: Task, desired: JsonObject, writing: Writing): Promise<JsonObject> {
  const asked = objectOf(desired['definition']);
  const refers = objectsOf(asked['operations']).some((operation) => titleIn(flowOf(operation) ?? '') !== undefined);
  const known = refers ? await writing.names() : undefined;
  const definition = renameFlows(asked, (said) => {
    const target = known?.idOf(said) ?? said;
    // What does not run may wait for the other under its name.
    const runs = desired['active'] ?? row?.['status'] === 'active';
    if (titleIn(target) === undefined || runs !== true) return target;
    throw new ReconcilerError(
      `${step.change.key} runs the flow "${titleIn(target) ?? ''}", which is not there, or not once.`,
      'replan',
      {
        code: 'dependency-missing',
        remedy: 'Create that flow, or give each flow a name of its own.',
      },
    );
  });
  const folder = await folderFor({ step, ...(row === undefined ? {} : { row }) }, desired, writing);
  return flowBody({
    id: idOf(step),
    spec: { ...desired, title: step.change.title, definition },
    ...(step.marker === undefined ? {} : { marker: step.marker }),
    ...(folder === undefined ? {} : { folder }),
    ...(row === undefined ? {} : { present: row }),
  });
}

/** The folder of the application that a flow belongs to; null where it left one, undefined where that is people's own affair. */
async function folderFor(
  { step, row }: Task,
  desired: JsonObject,
  { folders }: Writing,
): Promise<string | null | undefined> {
  const application = textOf(desired['application']);
  const former = readNote(textOf(row?.['description']) ?? '').note.fields['application'];
  if (application === undefined && former === undefined) return undefined;
  const names = await folders();
  if (names === undefined) return undefined;
  if (application === undefined) return null;
  const id = names.idOf(application, step.owner);
  if (id !== undefined) return id;
  throw new ReconcilerError(
    `${step.change.key} belongs to ${application}, and Directus has no folder of flows of that name, or not one.`,
    'replan',
    {
      code: 'dependency-missing',
      remedy: 'See what became of the Application, or give each folder a name of its own.',
    },
  );
}

export function idOf({ change, owner }: Step): string {
  return change.verb === 'create' ? objectId(owner, change.key) : change.remote.id;
}
