import type { CircuitTimes } from '../../../src/drivers/circuit.ts';
import type { Connection, Driver, Facts, Listed, Look, Outcome, Refusal, Step } from '../../../src/drivers/driver.ts';
import { ReconcilerError, messageOf } from '../../../src/errors.ts';
import { KINDS } from '../../../src/manifest/manifest.ts';
import type { JsonObject, Kind } from '../../../src/manifest/manifest.ts';
import { slug } from '../../../src/manifest/slug.ts';
import type { Capabilities, RemoteObject, Support } from '../../../src/plan/types.ts';
import { MintApi } from './api.ts';
import { mintFormat } from './format.ts';
import { collectionOf, markerIn, normalize, valueOf } from './normal-form.ts';
import type { Shown } from './normal-form.ts';
import { refusals } from './preflight.ts';
import { References } from './references.ts';
import { write } from './writes.ts';

const MARKED: readonly Kind[] = ['Application', 'AccessRole', 'Workflow'];
const NOT_HELD: Support = { unsupported: 'Mint holds neither webhooks nor service levels' };
const isHeld = (kind: Kind): boolean => kind !== 'Webhook' && kind !== 'ServiceLevel';

/** A driver for a platform of the tests' own: how one looks that writes objects one by one and mints ids. */
export class MintDriver implements Driver {
  readonly name = 'mint';
  readonly format = mintFormat;
  readonly marks = MARKED;
  readonly targeted = true;
  readonly capabilities = capabilities((kind) => (isHeld(kind) ? 'manage' : NOT_HELD));
  readonly #api: MintApi;
  readonly #concurrency: number;

  constructor(connection: Connection, circuit?: CircuitTimes) {
    this.#api = new MintApi(connection, circuit);
    this.#concurrency = connection.limits.concurrency;
  }

  async probe(signal: AbortSignal): Promise<Facts> {
    const { version, instance, rights, account } = await this.#api.about(signal);
    const support = (kind: Kind): Support => {
      if (!isHeld(kind)) return NOT_HELD;
      const has = (verb: string): boolean => rights.some((right) => right.startsWith(`${collectionOf(kind)}:${verb}`));
      if (has('write')) return 'manage';
      return has('read') ? 'observe' : { unsupported: `${account} may not see ${collectionOf(kind)}` };
    };
    return { version, instance, account, rights: rights.toSorted(), capabilities: capabilities(support), notes: [] };
  }

  async *observe(look: Look, signal: AbortSignal): AsyncGenerator<RemoteObject | Listed> {
    const references = new References();
    let reached = false;
    for (const kind of KINDS.filter((one) => look.kinds.includes(one))) {
      if (!isHeld(kind)) {
        yield { listed: kind, complete: true };
        continue;
      }
      let because: string | undefined;
      try {
        await references.loadFor(kind, this.#api, signal);
        because = references.brokenFor(kind);
        for await (const shown of this.#look(kind, look.only, signal)) {
          reached = true;
          if (look.only === undefined) references.learn(kind, shown);
          const object = remoteOf(kind, shown, references);
          if (object === undefined) because ??= `what "${shown.title}" refers to could not be told`;
          else yield object;
        }
        if (look.only === undefined) references.learn(kind);
      } catch (error) {
        const unreachable = error instanceof ReconcilerError && error.code === 'platform-unreachable' && !reached;
        if (signal.aborted || unreachable || !(error instanceof ReconcilerError)) throw error;
        because = messageOf(error);
        references.broke(kind, because);
      }
      reached = true;
      yield { listed: kind, complete: because === undefined, ...(because === undefined ? {} : { because }) };
    }
  }

  normalize(kind: Kind, spec: JsonObject): JsonObject {
    return normalize(kind, spec);
  }

  preflight(steps: readonly Step[], signal: AbortSignal): Promise<readonly Refusal[]> {
    return refusals(steps, this.#api, signal);
  }

  async *apply(stage: readonly Step[], signal: AbortSignal): AsyncGenerator<Outcome> {
    yield* write(stage, { api: this.#api, concurrency: this.#concurrency, signal });
  }

  toManifest(object: RemoteObject): ReturnType<NonNullable<Driver['toManifest']>> {
    const key = object.marker?.key;
    const name = key?.startsWith(`${object.kind}/`) === true ? key.slice(object.kind.length + 1) : slug(object.title);
    const { definition, ...spec } = object.value;
    if (definition === undefined) return { name, spec };
    const file = `${name}.json`;
    return {
      name,
      spec: { ...spec, definitionFrom: { file } },
      definition: { file, text: `${JSON.stringify(definition, null, 2)}\n` },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#api[Symbol.asyncDispose]();
  }

  async *#look(kind: Kind, only: Look['only'], signal: AbortSignal): AsyncGenerator<Shown> {
    if (only === undefined) {
      yield* this.#api.list(collectionOf(kind), undefined, signal);
      return;
    }
    const seen = new Set<string>();
    for (const id of only.remotes) {
      const shown = await this.#api.get(collectionOf(kind), id, signal);
      if (shown === undefined || seen.has(id)) continue;
      seen.add(id);
      yield shown;
    }
    for (const title of only.titles) {
      for await (const shown of this.#api.list(collectionOf(kind), title, signal)) {
        if (!seen.has(shown.id)) yield shown;
        seen.add(shown.id);
      }
    }
  }
}

function remoteOf(kind: Kind, shown: Shown, references: References): RemoteObject | undefined {
  const value = valueOf(kind, shown, references);
  if (value === undefined) return undefined;
  const marker = markerIn(shown.tag);
  return {
    kind,
    remote: shown.id,
    title: shown.title,
    value,
    version: String(shown.version),
    ...(marker === undefined ? {} : { marker }),
    secretsSet: shown.secretsSet,
    createdAt: shown.createdAt,
    changedAt: shown.changedAt,
    changedBy: shown.changedBy,
  };
}

function capabilities(support: (kind: Kind) => Support): Capabilities {
  const verbs = (kind: Kind) => {
    const every = support(kind);
    return { create: every, update: every, adopt: every, release: every, delete: every };
  };
  return Object.fromEntries(KINDS.map((kind) => [kind, verbs(kind)])) as unknown as Capabilities;
}
