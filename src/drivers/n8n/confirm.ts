import type { Step } from '../driver.ts';
import type { N8nApi } from './api.ts';
import { notConfirmed } from './errors.ts';
import { readNote } from './note.ts';
import { readBack } from './publish.ts';
import type { RawWorkflow, Written } from './shapes.ts';
import { versionOf } from './view.ts';

/** From so many on, one listing costs less than reading them one by one (12 ms each against 1.2 ms a row). */
const WORTH_A_LISTING = 20;

/** Creates whose effect has not been read back yet. */
export class Confirmations {
  readonly #open = new Map<Step, string>();
  readonly #read = new Map<string, RawWorkflow>();

  /** Remembers that a step has created the workflow `id`. */
  add(step: Step, id: string): void {
    this.#open.set(step, id);
  }

  /** What a step has created; undefined when it has not. */
  idOf(step: Step): string | undefined {
    return this.#open.get(step);
  }

  isOpen(step: Step): boolean {
    return this.#open.has(step);
  }

  /** Reads all of them at once, where that is cheaper; what it does not find is read alone afterwards. */
  async readAll(api: N8nApi, signal: AbortSignal): Promise<void> {
    if (this.#open.size < WORTH_A_LISTING) return;
    const wanted = new Set(this.#open.values());
    for await (const page of api.pages('workflows', {}, signal))
      for (const workflow of page) if (wanted.has(workflow.id)) this.#read.set(workflow.id, workflow);
  }

  async confirm(step: Step, api: N8nApi, signal: AbortSignal): Promise<Written> {
    const id = this.#open.get(step) ?? '';
    const found = this.#read.get(id) ?? (await readBack(id, api, signal));
    return confirmed(found, step);
  }
}

/** That what stands there is what the step wrote. @throws ReconcilerError `not-confirmed`. */
export function confirmed(found: RawWorkflow, { change, marker }: Step): Written {
  const note = readNote(found.settings)?.marker;
  const same = note?.key === marker?.key && note?.applied === marker?.applied && found.name === change.title;
  if (!same) throw notConfirmed(`the workflow "${change.title}" (${found.id}) is not as it was written`);
  return { id: found.id, version: versionOf(found) };
}
