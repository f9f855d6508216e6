import type { Outcome, Step } from '../driver.ts';
import { ReconcilerError, asReconcilerError } from '../../errors.ts';
import type { N8nApi } from './api.ts';
import { Catalogue } from './catalogue.ts';
import { Confirmations } from './confirm.ts';
import { writeCredential } from './credentials.ts';
import { unread } from './errors.ts';
import { createInPackages } from './packages.ts';
import type { Written } from './shapes.ts';
import { TagBook } from './tag-book.ts';
import { writeTag } from './tags.ts';
import { finishWorkflow, writeWorkflow } from './workflows.ts';
import type { Writing } from './writing.ts';

/** Steps are begun before their turn: while requests are under way (the client bounds those), the next bodies are made. */
const AHEAD = 2;

/** Carries out the steps of a stage, a few at a time; yields each outcome when it is known. */
export async function* write(stage: readonly Step[], api: N8nApi, signal: AbortSignal): AsyncGenerator<Outcome> {
  const contents = stage.filter(isContent);
  const writing: Writing = {
    api,
    signal,
    catalogue: new Catalogue(api),
    tags: new TagBook(api),
    confirmations: new Confirmations(),
    titles: new Set(contents.map(({ change }) => change.title)),
    late: new Set(),
    imported: new Map(),
  };
  await writing.catalogue.lookAhead(contents.length, signal);
  await createInPackages(stage, writing);
  const again: Step[] = [];
  const unconfirmed: Step[] = [];
  for await (const { step, outcome } of several(stage, api.concurrency * AHEAD, (one) => first(one, writing))) {
    if (outcome.status !== 'applied') yield outcome;
    else if (writing.late.has(step)) again.push(step);
    else if (writing.confirmations.isOpen(step)) unconfirmed.push(step);
    else yield outcome;
  }
  await writing.confirmations.readAll(api, signal).catch(() => undefined);
  for await (const { outcome } of several(unconfirmed, api.concurrency, (one) =>
    begun(one, () => writing.confirmations.confirm(one, api, signal)),
  ))
    yield outcome;
  for await (const { outcome } of several(again, api.concurrency, (one) =>
    begun(one, () => finishWorkflow(one, writing)),
  ))
    yield outcome;
}

async function first(step: Step, writing: Writing): Promise<Outcome> {
  const { change } = step;
  if (writing.signal.aborted && !writing.imported.has(step))
    return { status: 'skipped', change, because: 'the pass was stopped before it began' };
  return attempt(step, () => {
    if (change.kind === 'Workflow') return writeWorkflow(step, writing);
    if (change.kind === 'Integration') return writeCredential(step, writing);
    if (change.kind === 'Application') return writeTag(step, writing);
    throw new ReconcilerError(`n8n cannot hold a ${change.kind}.`, 'never', { code: 'unsupported' });
  });
}

/** The rest of a step that has written already: when it is stopped now, what stands there is not known. */
async function begun(step: Step, run: () => Promise<Written>): Promise<Outcome> {
  const outcome = await attempt(step, run);
  if (outcome.status !== 'failed' || outcome.error.code !== 'aborted') return outcome;
  return { ...outcome, error: unread(`The workflow "${step.change.title}"`, outcome.error) };
}

async function attempt(step: Step, run: () => Promise<Written>): Promise<Outcome> {
  const { change } = step;
  try {
    const remote = await run();
    return { status: 'applied', change, ...(remote === undefined ? {} : { remote }) };
  } catch (error) {
    return { status: 'failed', change, error: asReconcilerError(error) };
  }
}

/** Runs steps side by side; gives each outcome as soon as it is there. */
async function* several(
  steps: readonly Step[],
  concurrency: number,
  run: (step: Step) => Promise<Outcome>,
): AsyncGenerator<{ readonly step: Step; readonly outcome: Outcome }> {
  const running = new Map<Step, Promise<{ step: Step; outcome: Outcome }>>();
  let next = 0;
  while (next < steps.length || running.size > 0) {
    for (; running.size < concurrency && next < steps.length; next++) {
      const step = steps[next];
      if (step !== undefined)
        running.set(
          step,
          run(step).then((outcome) => ({ step, outcome })),
        );
    }
    const done = await Promise.race(running.values());
    running.delete(done.step);
    yield done;
  }
}

function isContent({ change: { kind, verb } }: Step): boolean {
  return kind === 'Workflow' && verb !== 'delete' && verb !== 'release';
}
