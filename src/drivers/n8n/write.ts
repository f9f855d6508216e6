import type { Outcome, Step } from '../driver.ts';
import { ReconcilerError } from '../../errors.ts';
import type { N8nApi } from './api.ts';
import { Catalogue } from './catalogue.ts';
import { Confirmations } from './confirm.ts';
import { writeCredential } from './credentials.ts';
import { asError } from './errors.ts';
import { locatorsOf, spellings } from './locators.ts';
import { objectOf } from './shapes.ts';
import type { Written } from './shapes.ts';
import { TagBook } from './tag-book.ts';
import { writeTag } from './tags.ts';
import { finishWorkflow, writeWorkflow } from './workflows.ts';
import type { Writing } from './writing.ts';

/** Carries out the steps of a stage, a few at a time; yields each outcome when it is known. */
export async function* write(stage: readonly Step[], api: N8nApi, signal: AbortSignal): AsyncGenerator<Outcome> {
  const writing = await prepare(stage, api, signal).catch(asError);
  if (writing instanceof ReconcilerError) {
    for (const { change } of stage)
      yield signal.aborted
        ? { status: 'skipped', change, because: 'the pass was stopped before it began' }
        : { status: 'failed', change, error: writing };
    return;
  }
  const again: Step[] = [];
  const unconfirmed: Step[] = [];
  for await (const { step, outcome } of several(stage, api.concurrency, (one) => first(one, writing))) {
    if (outcome.status !== 'applied') yield outcome;
    else if (writing.late.has(step)) again.push(step);
    else if (writing.confirmations.isOpen(step)) unconfirmed.push(step);
    else yield outcome;
  }
  await writing.confirmations.readAll(api, signal).catch(() => undefined);
  for await (const { outcome } of several(unconfirmed, api.concurrency, (one) =>
    attempt(one, signal, () => writing.confirmations.confirm(one, api, signal)),
  ))
    yield outcome;
  for await (const { outcome } of several(again, api.concurrency, (one) =>
    attempt(one, signal, () => finishWorkflow(one, writing)),
  ))
    yield outcome;
}

async function first(step: Step, writing: Writing): Promise<Outcome> {
  return attempt(step, writing.signal, () => {
    const { kind } = step.change;
    if (kind === 'Workflow') return writeWorkflow(step, writing);
    if (kind === 'Integration') return writeCredential(step, writing);
    if (kind === 'Application') return writeTag(step, writing);
    throw new ReconcilerError(`n8n cannot hold a ${kind}.`, 'never', { code: 'unsupported' });
  });
}

async function attempt(step: Step, signal: AbortSignal, run: () => Promise<Written>): Promise<Outcome> {
  const { change } = step;
  if (signal.aborted) return { status: 'skipped', change, because: 'the pass was stopped before it began' };
  try {
    const remote = await run();
    return { status: 'applied', change, ...(remote === undefined ? {} : { remote }) };
  } catch (error) {
    return { status: 'failed', change, error: asError(error) };
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

/** Learns what the stage's references mean on the platform now, and which of them the stage itself brings about. */
async function prepare(stage: readonly Step[], api: N8nApi, signal: AbortSignal): Promise<Writing> {
  const catalogue = new Catalogue(api);
  const titles = new Set<string>();
  const names = new Map<Step, readonly string[]>();
  for (const step of stage) {
    const { change } = step;
    if (change.kind !== 'Workflow' || change.verb === 'delete' || change.verb === 'release') continue;
    titles.add(change.title);
    const locators = locatorsOf(objectOf((await step.desired())['definition']));
    await catalogue.needCredentials(signal);
    await catalogue.need(locators, signal);
    names.set(
      step,
      locators.flatMap(({ target, name }) => (target === 'Workflow' && name !== undefined ? [name] : [])),
    );
  }
  const late = [...names].filter(([step, called]) =>
    called.some((name) => {
      const isHere = spellings(name).some((spelling) => titles.has(spelling));
      return isHere && catalogue.find('Workflow', name, step.owner).length !== 1;
    }),
  );
  return {
    api,
    signal,
    catalogue,
    tags: new TagBook(api),
    confirmations: new Confirmations(),
    late: new Set(late.map(([step]) => step)),
  };
}
