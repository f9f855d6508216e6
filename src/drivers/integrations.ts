import { randomUUID } from 'node:crypto';
import { asReconcilerError, messageOf } from '../errors.ts';
import type { JsonObject, Key, Kind } from '../manifest/manifest.ts';
import type { Change, RemoteObject } from '../plan/types.ts';
import type { Driver, Listed, Look, Outcome, Refusal, Step } from './driver.ts';
import type { IntegrationDraft, IntegrationRegister, RegisteredIntegration } from './integration-register.ts';
import {
  connectionOf,
  joined,
  manifestOf,
  platformVersion,
  runsOf,
  titled,
  versionOf,
  withoutRuns,
} from './integration-form.ts';
import { MANAGED, inPlaceOf } from './register.ts';

const KIND = 'Integration' satisfies Kind;

/**
 * The driver, with the code of Integrations kept in Plumbline's own register: no platform runs it. What is a connection stays
 * the platform's, and a connection with code is one object to a plan, so that whatever changes in either is shown and written as
 * one change.
 */
export function withIntegrations(driver: Driver, register: IntegrationRegister, platform: string): Driver {
  const code = new CodeOfIntegrations(driver, register, platform);
  const toManifest = driver.toManifest?.bind(driver);
  const tryConnection = driver.tryConnection?.bind(driver);
  return inPlaceOf(driver, {
    capabilities: code.isConnectable ? driver.capabilities : { ...driver.capabilities, [KIND]: MANAGED },
    probe: async (signal) => {
      const facts = await driver.probe(signal);
      return code.isConnectable ? facts : { ...facts, capabilities: { ...facts.capabilities, [KIND]: MANAGED } };
    },
    observe: (look, signal) => code.observe(look, signal),
    normalize: (kind, spec) => (kind === KIND ? code.normalize(spec) : driver.normalize(kind, spec)),
    apply: (stage, signal) => code.apply(stage, signal),
    preflight: (steps, signal) => code.preflight(steps, signal),
    toManifest: toManifest && ((object) => manifestOf(object, toManifest)),
    tryConnection:
      tryConnection && (async (remote, signal) => (code.isOwn(remote) ? undefined : tryConnection(remote, signal))),
  });
}

class CodeOfIntegrations {
  /** Whether the platform has connections at all. */
  readonly isConnectable: boolean;
  readonly #driver: Driver;
  readonly #register: IntegrationRegister;
  readonly #platform: string;

  constructor(driver: Driver, register: IntegrationRegister, platform: string) {
    this.#driver = driver;
    this.#register = register;
    this.#platform = platform;
    this.isConnectable = Object.values(driver.capabilities[KIND]).some((support) => typeof support === 'string');
  }

  /** Whether a remote id is that of an Integration which is nothing but code. */
  isOwn(remote: string): boolean {
    const known = this.#register.get(remote);
    return known !== undefined && known.connection === undefined;
  }

  normalize(spec: JsonObject): JsonObject {
    const runs = runsOf(spec);
    const rest = withoutRuns(spec);
    const connection = spec['type'] === undefined ? titled(rest) : this.#driver.normalize(KIND, rest);
    return { ...connection, ...(runs as unknown as JsonObject | undefined) };
  }

  async *observe(look: Look, signal: AbortSignal): AsyncGenerator<RemoteObject | Listed> {
    const wanted = look.kinds.includes(KIND);
    const kinds = this.isConnectable ? look.kinds : look.kinds.filter((kind) => kind !== KIND);
    let known: readonly RegisteredIntegration[] = [];
    let unread: string | undefined;
    try {
      if (wanted) known = this.#register.list(this.#platform);
    } catch (error) {
      unread = messageOf(error);
    }
    const { only } = look;
    for (const one of known) {
      if (one.connection !== undefined) continue;
      if (only === undefined || only.remotes.includes(one.id) || only.titles.includes(one.title))
        yield this.#remoteOf(one);
    }
    const byConnection = new Map(known.map((one) => [one.connection, one]));
    if (kinds.length > 0) {
      for await (const item of this.#driver.observe({ ...look, kinds }, signal)) {
        if ('listed' in item)
          yield item.listed === KIND && unread !== undefined
            ? { listed: KIND, complete: false, because: unread }
            : item;
        else yield item.kind === KIND ? joined(item, byConnection.get(item.remote)) : item;
      }
    }
    if (wanted && !this.isConnectable)
      yield { listed: KIND, complete: unread === undefined, ...(unread === undefined ? {} : { because: unread }) };
  }

  async preflight(steps: readonly Step[], signal: AbortSignal): Promise<readonly Refusal[]> {
    const refused: Refusal[] = [];
    const rest: Step[] = [];
    for (const step of steps) {
      if (step.change.kind !== KIND) rest.push(step);
      else {
        const refusal = await this.#refuse(step);
        if (refusal !== undefined) refused.push(refusal);
        else if (!(await this.#isOurs(step))) rest.push(connectionOf(step));
      }
    }
    const theirs = rest.length === 0 ? [] : await this.#driver.preflight?.(rest, signal);
    return [...refused, ...(theirs ?? [])];
  }

  async *apply(stage: readonly Step[], signal: AbortSignal): AsyncGenerator<Outcome> {
    const theirs: Step[] = [];
    const originals = new Map<Key, Step>();
    for (const step of stage) {
      if (step.change.kind !== KIND) theirs.push(step);
      else if (await this.#isOurs(step)) yield await this.#applyOwn(step, signal);
      else {
        theirs.push(connectionOf(step));
        originals.set(step.change.key, step);
      }
    }
    if (theirs.length === 0) return;
    for await (const outcome of this.#driver.apply(theirs, signal)) {
      const step = originals.get(outcome.change.key);
      yield step === undefined ? outcome : await this.#afterwards(outcome, step);
    }
  }

  async #isOurs(step: Step): Promise<boolean> {
    const { change } = step;
    if (change.verb === 'delete' || change.verb === 'release') return this.isOwn(change.remote.id);
    return (await step.desired())['type'] === undefined;
  }

  /** What the platform cannot hold, and what would have to become another object. */
  async #refuse(step: Step): Promise<Refusal | undefined> {
    const { change } = step;
    const { key } = change;
    if (change.verb === 'delete' || change.verb === 'release') return undefined;
    const isCode = await this.#isOurs(step);
    if (!isCode && !this.isConnectable) {
      const support = this.#driver.capabilities[KIND].create;
      const because = typeof support === 'string' ? `${this.#driver.name} has no connections` : support.unsupported;
      return { key, because, remedy: 'Take out spec.type, spec.settings and spec.secrets; the code can stay.' };
    }
    if (change.verb === 'create' || this.isOwn(change.remote.id) === isCode) return undefined;
    const because = isCode
      ? 'it is a connection on the platform, and spec.type is gone'
      : 'so far it is nothing but code, and spec.type would make it a connection on the platform';
    return { key, because, remedy: 'Give what is new a manifest with a name of its own.' };
  }

  async #applyOwn(step: Step, signal: AbortSignal): Promise<Outcome> {
    const { change, owner: by } = step;
    if (signal.aborted) return { status: 'skipped', change, because: 'the pass was stopped before it began' };
    try {
      if (change.verb === 'create') {
        const id = this.#driver.idFor?.(step.owner, change.key) ?? `code-${randomUUID()}`;
        const written = this.#register.create(await this.#draftOf(step, { remote: id }), id, by);
        return { status: 'applied', change, remote: written };
      }
      const { id, version } = change.remote;
      if (change.verb === 'delete') {
        this.#register.remove(id, version);
        return { status: 'applied', change };
      }
      const present = this.#register.get(id);
      if (change.verb === 'release') {
        if (present?.marker !== undefined) this.#release(present, by);
        return { status: 'applied', change };
      }
      const written = this.#register.update(id, await this.#draftOf(step, { remote: id }), { by, version });
      return { status: 'applied', change, remote: written };
    } catch (error) {
      return { status: 'failed', change, error: asReconcilerError(error) };
    }
  }

  /** The connection was written: its code follows. A crash in between shows as a difference to the next pass. */
  async #afterwards(outcome: Outcome, step: Step): Promise<Outcome> {
    const { change } = step;
    if (outcome.status !== 'applied') return { ...outcome, change };
    try {
      const known =
        this.#register.named(this.#platform, change.key.slice(KIND.length + 1)) ?? this.#ofConnection(change);
      if (change.verb === 'delete') {
        if (known !== undefined) this.#register.remove(known.id, known.version);
        return { ...outcome, change };
      }
      if (change.verb === 'release') {
        if (known !== undefined) this.#release(known, step.owner);
        return { ...outcome, change };
      }
      const connection = outcome.remote?.id ?? ('remote' in change ? change.remote.id : '');
      const version = outcome.remote?.version ?? ('remote' in change ? platformVersion(change.remote.version) : '');
      if (runsOf(await step.desired()) === undefined) {
        if (known !== undefined) this.#register.remove(known.id, known.version);
        return { ...outcome, change };
      }
      const draft = await this.#draftOf(step, { remote: connection, connection });
      const written =
        known === undefined
          ? this.#register.create(draft, randomUUID(), step.owner)
          : this.#register.update(known.id, draft, { by: step.owner, version: known.version });
      return { ...outcome, change, remote: { id: connection, version: versionOf(version, written) } };
    } catch (error) {
      return { status: 'failed', change, error: asReconcilerError(error) };
    }
  }

  #ofConnection(change: Change): RegisteredIntegration | undefined {
    const id = 'remote' in change ? change.remote.id : undefined;
    return id === undefined
      ? undefined
      : this.#register.list(this.#platform).find(({ connection }) => connection === id);
  }

  #release(present: RegisteredIntegration, by: string): void {
    const { platform, name, title, connection, runs } = present;
    const draft = { platform, name, title, runs, ...(connection === undefined ? {} : { connection }) };
    this.#register.update(present.id, draft, { by, version: present.version });
  }

  /** @throws Error when it has no code */
  async #draftOf(
    step: Step,
    { remote, connection }: { readonly remote: string; readonly connection?: string },
  ): Promise<IntegrationDraft> {
    const { change, owner, marker } = step;
    const runs = runsOf(await step.desired());
    if (runs === undefined) throw new Error(`${change.key} has no code`);
    return {
      platform: this.#platform,
      name: change.key.slice(KIND.length + 1),
      title: change.title,
      ...(connection === undefined ? {} : { connection }),
      runs,
      // Whose code this is must be known wherever it is kept, also beside what cannot carry a marker.
      marker: { owner, key: change.key, ...marker, remote },
    };
  }

  #remoteOf(one: RegisteredIntegration): RemoteObject {
    const { id, title, runs, version, marker, createdAt, changedAt, changedBy, platform, name } = one;
    const waiting = this.#register.waiting(platform, name);
    return {
      kind: KIND,
      remote: id,
      title,
      value: this.normalize({ title, ...(runs as unknown as JsonObject) }),
      version,
      ...(marker === undefined ? {} : { marker }),
      createdAt,
      changedAt,
      changedBy,
      ...(waiting === 0 ? {} : { holds: `${waiting} record(s) that wait to be delivered` }),
    };
  }
}
