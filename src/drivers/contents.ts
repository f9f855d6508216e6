import type { JsonObject } from '../manifest/manifest.ts';
import type { Step } from './driver.ts';

/** Contents that are in memory at once. A source reads together what is asked for together, which spares most of the cost. */
const AT_ONCE = 64;

/** Each task with a way to what its step wants, which is read with that of others; in their order. */
export async function* withContents<Task extends { readonly step: Step }>(
  tasks: readonly Task[],
): AsyncGenerator<{ readonly task: Task; readonly desired: () => Promise<JsonObject> }> {
  for (let start = 0; start < tasks.length; start += AT_ONCE) {
    const part = tasks.slice(start, start + AT_ONCE);
    const read = await Promise.allSettled(part.map(({ step }) => step.desired()));
    for (const [index, task] of part.entries()) {
      const content = read[index];
      yield { task, desired: () => settled(content) };
    }
  }
}

async function settled(content: PromiseSettledResult<JsonObject> | undefined): Promise<JsonObject> {
  if (content?.status === 'fulfilled') return await Promise.resolve(content.value);
  throw content?.reason;
}
