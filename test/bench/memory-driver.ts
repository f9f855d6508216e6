import type { Driver, Facts, Listed, Look, Outcome, Step } from '../../src/drivers/driver.ts';
import { ReconcilerError, messageOf } from '../../src/errors.ts';
import { KINDS } from '../../src/manifest/manifest.ts';
import type { DefinitionFormat, JsonObject, JsonValue, Kind } from '../../src/manifest/manifest.ts';
import type { Capabilities, RemoteObject } from '../../src/plan/types.ts';
import type { MemoryPlatform, Shown } from './memory-platform.ts';

/** Steps under way at once, as the drivers have it that write objects one by one. */
const AT_ONCE = 4;

/** Definitions of the in-memory platform: an object with a list of steps. */
export const memoryFormat: DefinitionFormat = {
  name: 'memory',
  recognizes: () => false,
  split: () => ({ objects: [], problems: [] }),
  nodes: (definition) => steps(definition).map(({ name }, index) => ({ name, pointer: `/steps/${index}` })),
  inspect: () => ({ problems: [], references: [] }),
};

/** A driver whose requests cost next to nothing, so that what is measured is Plumbline. Workflows only. */
export class MemoryDriver implements Driver {
  readonly name = 'memory';
  readonly format = memoryFormat;
  readonly marks: readonly Kind[] = ['Workflow'];
  readonly targeted = true;
  readonly capabilities = capabilities();
  readonly #platform: MemoryPlatform;

  constructor(platform: MemoryPlatform) {
    this.#platform = platform;
  }

  probe(): Promise<Facts> {
    const facts = { version: '1.0.0', instance: 'bench', rights: ['workflows:write'], notes: [] };
    return Promise.resolve({ ...facts, capabilities: this.capabilities });
  }

  async *observe(look: Look): AsyncGenerator<RemoteObject | Listed> {
    if (look.only === undefined) {
      for (let page = 0, answers = this.#platform.page(0); answers.length > 0; answers = this.#platform.page(++page))
        for (const answer of answers) yield remoteOf(answer);
    } else {
      yield* this.#some(look.only);
    }
    for (const listed of look.kinds) yield { listed, complete: true };
  }

  normalize(_kind: Kind, spec: JsonObject): JsonObject {
    return Object.fromEntries(Object.entries(spec).sort(([one], [other]) => (one < other ? -1 : 1)));
  }

  async *apply(stage: readonly Step[]): AsyncGenerator<Outcome> {
    const waiting = stage.values();
    const running = new Map<number, Promise<readonly [number, Outcome]>>();
    let last = 0;
    const begin = (): void => {
      const { value: step } = waiting.next();
      if (step === undefined) return;
      const turn = (last += 1);
      running.set(
        turn,
        this.#carryOut(step).then((outcome) => [turn, outcome] as const),
      );
    };
    for (let index = 0; index < AT_ONCE; index += 1) begin();
    while (running.size > 0) {
      const [turn, outcome] = await Promise.race(running.values());
      running.delete(turn);
      begin();
      yield outcome;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  *#some(only: NonNullable<Look['only']>): Generator<RemoteObject> {
    const seen = new Set<string>();
    for (const id of only.remotes) {
      const answer = this.#platform.get(id);
      if (answer === undefined || seen.has(id)) continue;
      seen.add(id);
      yield remoteOf(answer);
    }
    for (const title of only.titles) {
      const answer = this.#platform.withTitle(title);
      if (answer === undefined) continue;
      const object = remoteOf(answer);
      if (!seen.has(object.remote)) yield object;
    }
  }

  async #carryOut(step: Step): Promise<Outcome> {
    const { change, marker } = step;
    try {
      if (change.verb === 'delete') {
        this.#platform.remove(change.remote.id);
        return { status: 'applied', change };
      }
      const value = await step.desired();
      const id = change.verb === 'create' ? this.#platform.nextId() : change.remote.id;
      const version = this.#platform.put(id, {
        title: change.title,
        value,
        ...(marker === undefined ? {} : { marker }),
      });
      return { status: 'applied', change, remote: { id, version } };
    } catch (error) {
      return { status: 'failed', change, error: new ReconcilerError(messageOf(error), 'never', { cause: error }) };
    }
  }
}

function remoteOf(answer: string): RemoteObject {
  const { id, title, version, marker, value } = JSON.parse(answer) as Shown;
  return { kind: 'Workflow', remote: id, title, version, value, ...(marker === undefined ? {} : { marker }) };
}

function steps(definition: JsonValue): readonly { readonly name: string }[] {
  const { steps: list } = definition as { readonly steps?: readonly { readonly name: string }[] };
  return list ?? [];
}

function capabilities(): Capabilities {
  const all = { create: 'manage', update: 'manage', adopt: 'manage', release: 'manage', delete: 'manage' } as const;
  const none = { unsupported: 'the in-memory platform has workflows only' };
  const nothing = { create: none, update: none, adopt: none, release: none, delete: none };
  return Object.fromEntries(
    KINDS.map((kind) => [kind, kind === 'Workflow' ? all : nothing]),
  ) as unknown as Capabilities;
}
