import { ReconcilerError } from '../../src/errors.ts';
import type { Driver, Facts, Listed, Look, Outcome, Refusal, Step } from '../../src/drivers/driver.ts';
import type { OutputNames, Outputs } from '../../src/manifest/output-reference.ts';
import { KINDS, type JsonObject, type JsonValue, type Kind } from '../../src/manifest/manifest.ts';
import { fingerprint } from '../../src/plan/fingerprint.ts';
import { remoteKey } from '../../src/plan/observation.ts';
import type { RemoteObject } from '../../src/plan/types.ts';
import { capabilitiesWith } from '../plan/scene.ts';

/** What the objects of a platform in memory can give to others. */
export const OUTPUTS = {
  Integration: { id: 'its id', host: 'its host' },
  Workflow: {
    id: 'its id',
    page: 'where it is edited',
    hookUrl: 'how it is called',
    'hookUrl.*': 'how it is called there',
  },
} satisfies OutputNames;

/**
 * A platform in memory: objects with ids of its own making and versions, markers for some kinds, secrets that are written
 * and never read. It counts what it is asked and can be told to misbehave.
 */
export class MemoryDriver implements Driver {
  readonly name = 'memory';
  readonly capabilities = capabilitiesWith();
  readonly marks: readonly Kind[] = ['Application', 'AccessRole', 'Workflow'];
  readonly targeted = true;
  readonly outputs = OUTPUTS;
  readonly objects = new Map<string, RemoteObject>();
  readonly secrets = new Map<string, Record<string, string>>();
  /** Every write, as `verb key`. */
  readonly writes: string[] = [];
  readonly looks: Look[] = [];
  /** Objects handed out by listings. */
  listedObjects = 0;
  probes = 0;
  instance = 'first';
  rights: readonly string[] = ['all'];
  /** Kinds whose listing breaks off before its first object. */
  broken: readonly Kind[] = [];
  /** Called before each write; may throw. */
  beforeWrite: (step: Step) => void = () => undefined;
  refusals: readonly Refusal[] = [];
  #ids = 0;

  probe(): Promise<Facts> {
    this.probes += 1;
    const { instance, rights, capabilities } = this;
    return Promise.resolve({ version: '1', instance, rights, capabilities, notes: [] });
  }

  async *observe(look: Look, signal: AbortSignal): AsyncGenerator<RemoteObject | Listed> {
    this.looks.push(look);
    for (const kind of KINDS.filter((one) => look.kinds.includes(one))) {
      if (this.broken.includes(kind)) {
        yield { listed: kind, complete: false, because: 'page 1 did not load' };
        continue;
      }
      for (const object of this.objects.values()) {
        signal.throwIfAborted();
        if (object.kind !== kind || !isMeant(object, look)) continue;
        this.listedObjects += 1;
        yield object;
      }
      yield { listed: kind, complete: true };
    }
  }

  normalize(_kind: Kind, spec: JsonObject): JsonObject {
    return spec;
  }

  /** A workflow is called by its step (the first of a list of nodes tells it), a connection has a host. */
  outputsOf(kind: Kind, content: JsonObject): Promise<Outputs> {
    if (kind === 'Integration') return Promise.resolve(hostOf(content));
    const { step, hooks } = stepOf(content);
    const one = (name: string): string => `https://memory.test/${step}/${name}`;
    const urls = Array.isArray(hooks)
      ? Object.fromEntries(hooks.map((name) => [`hookUrl.${String(name)}`, one(String(name))]))
      : { hookUrl: `https://memory.test/${step}` };
    return Promise.resolve({ id: ['', ''], page: ['https://memory.test/', '/edit'], ...urls });
  }

  preflight(): Promise<readonly Refusal[]> {
    return Promise.resolve(this.refusals);
  }

  async *apply(stage: readonly Step[], signal: AbortSignal): AsyncGenerator<Outcome> {
    for (const step of stage) {
      if (signal.aborted) {
        yield { status: 'skipped', change: step.change, because: 'stopped' };
        continue;
      }
      try {
        this.beforeWrite(step);
        const remote = await this.#write(step);
        yield { status: 'applied', change: step.change, ...(remote === undefined ? {} : { remote }) };
      } catch (error) {
        if (!(error instanceof ReconcilerError)) throw error;
        yield { status: 'failed', change: step.change, error };
      }
    }
  }

  /** Puts an object there as a person would. */
  put(object: Omit<RemoteObject, 'version'>): RemoteObject {
    const made = { ...object, version: fingerprint(object.value) };
    this.objects.set(remoteKey(object.kind, object.remote), made);
    return made;
  }

  /** Changes the content of an object as a person would. */
  edit(kind: Kind, title: string, value: JsonObject): void {
    this.put({ ...this.named(kind, title), value });
  }

  remove(kind: Kind, title: string): void {
    this.objects.delete(remoteKey(kind, this.named(kind, title).remote));
  }

  named(kind: Kind, title: string): RemoteObject {
    const found = [...this.objects.values()].find((one) => one.kind === kind && one.title === title);
    if (found === undefined) throw new Error(`no ${kind} is called ${title}`);
    return found;
  }

  titles(kind: Kind): string[] {
    return [...this.objects.values()].filter((one) => one.kind === kind).map((one) => one.title);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  async #write({ change, marker, ...step }: Step): Promise<{ id: string; version: string } | undefined> {
    this.writes.push(`${change.verb} ${change.key}`);
    const id = 'remote' in change ? change.remote.id : `m${(this.#ids += 1)}`;
    const at = remoteKey(change.kind, id);
    if (change.verb === 'delete') {
      this.objects.delete(at);
      return undefined;
    }
    if (change.verb === 'release') {
      const { marker: _gone, ...rest } = this.objects.get(at) ?? { ...change, remote: id, value: {}, version: '' };
      this.objects.set(at, rest);
      return undefined;
    }
    const written = Object.entries(await step.secrets()).map(([name, secret]) => [name, secret.reveal()]);
    this.secrets.set(at, { ...this.secrets.get(at), ...Object.fromEntries(written) });
    const { kind, title } = change;
    const carried = marker !== undefined && this.marks.includes(kind) ? { marker } : {};
    const { version } = this.put({ kind, remote: id, title, value: await step.desired(), ...carried });
    return { id, version };
  }
}

function hostOf({ settings }: JsonObject): Outputs {
  const host = (settings as JsonObject | undefined)?.['host'];
  return { id: ['', ''], ...(typeof host === 'string' ? { host } : {}) };
}

function stepOf({ definition }: JsonObject): { readonly step: string; readonly hooks?: JsonValue } {
  const [first] = [definition].flat() as JsonObject[];
  const { step, info, hooks } = first ?? {};
  const text = step ?? info;
  return { step: typeof text === 'string' ? text : '', ...(hooks === undefined ? {} : { hooks }) };
}

function isMeant(object: RemoteObject, { only }: Look): boolean {
  return only === undefined || only.remotes.includes(object.remote) || only.titles.includes(object.title);
}
