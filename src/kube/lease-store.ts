import type { KubeClient } from './client.ts';
import { digest, ownLabels, ownPrefix, ownScope } from './installation.ts';
import type { InstallationPlace } from './installation.ts';
import type { LeaseRecord } from './lease.ts';
import { LEASES, apiVersionOf } from './object.ts';
import type { KubeObject } from './object.ts';
import { ObjectWatch } from './watch.ts';

/** What a Lease says, as far as it is used here. */
interface LeaseSpec {
  readonly holderIdentity?: string;
  readonly leaseDurationSeconds?: number;
  readonly renewTime?: string;
  readonly leaseTransitions?: number;
}

/** A Lease, and who asked for another look while it was held: by the name that they gave. */
export interface Told {
  readonly record: LeaseRecord;
  readonly looks: ReadonlyMap<string, string>;
}

const SHARD = 'plumbline.dev/shard';
const ADDRESS = 'plumbline.dev/address';
/** Milliseconds: Leases count in whole seconds, tests and fences do not. */
const DURATION = 'plumbline.dev/duration-milliseconds';
const GRACE = 'plumbline.dev/request-timeout-milliseconds';
const LOOK = 'look.plumbline.dev/';
/** Milliseconds that a reading may take. */
const READING = 8_000;

/** Leases of one installation in one namespace. Methods throw ReconcilerErrors as those of `KubeClient`. */
export class LeaseStore {
  readonly #client: KubeClient;
  readonly #place: InstallationPlace;
  readonly #never = new AbortController().signal;

  constructor(client: KubeClient, place: InstallationPlace) {
    this.#client = client;
    this.#place = place;
  }

  /** `plumbline-default-2-of-4` */
  shardName(shard: number, of: number): string {
    return `${ownPrefix(this.#place)}-${shard}-of-${of}`;
  }

  memberName(identity: string): string {
    return `${ownPrefix(this.#place)}-replica-${digest(identity)}`;
  }

  /** All of them, as they stand: what is read here was not overtaken before it was asked for. */
  async list(signal: AbortSignal = this.#never): Promise<{ readonly told: readonly Told[]; readonly version: string }> {
    const { items, resourceVersion } = await this.#client.list(LEASES, {
      ...ownScope(this.#place),
      signal,
      timeout: READING,
    });
    return { told: items.map(toldOf), version: resourceVersion };
  }

  async get(name: string): Promise<Told | undefined> {
    const object = await this.#client.find(LEASES, this.#named(name), { signal: this.#never, timeout: READING });
    return object === undefined ? undefined : toldOf(object);
  }

  /** Writes it if it still has the version that `record` has; creates it when that is empty. */
  async write(record: LeaseRecord, options: { readonly timeout: number; readonly acquired?: boolean }): Promise<Told> {
    const object = this.#objectOf(record, options.acquired === true);
    const call = { signal: this.#never, timeout: options.timeout };
    const { version } = record;
    return toldOf(
      await (version === '' ? this.#client.create(LEASES, object, call) : this.#client.replace(LEASES, object, call)),
    );
  }

  async remove({ name }: LeaseRecord): Promise<void> {
    await this.#client.delete(LEASES, this.#named(name), { signal: this.#never, timeout: READING });
  }

  /** Asks whoever holds the Lease to look at something again; without a precondition, so that no renewal can refuse it. */
  async look(name: string, what: string, at: string): Promise<void> {
    const patch = { metadata: { annotations: { [LOOK + digest(what)]: JSON.stringify({ what, at }) } } };
    await this.#client.merge(LEASES, this.#named(name), patch, { signal: this.#never, timeout: READING });
  }

  /** Tells of every Lease that is new, changed or gone, until it is disposed. */
  watch(onChange: (told: Told, gone: boolean) => void, onFault: (error: unknown) => void): ObjectWatch {
    return new ObjectWatch({
      client: this.#client,
      resource: LEASES,
      ...ownScope(this.#place),
      onChange: ({ object, gone }) => onChange(toldOf(object), gone),
      onTrouble: (trouble) => trouble !== undefined && onFault(trouble),
      onFault,
    });
  }

  #named(name: string) {
    return { namespace: this.#place.namespace, name };
  }

  #objectOf(record: LeaseRecord, acquired: boolean): KubeObject {
    const { name, version, holder, shard, of, duration, grace, transitions, address } = record;
    // Six digits: a time of the API has microseconds.
    const now = new Date().toISOString().replace('Z', '000Z');
    return {
      apiVersion: apiVersionOf(LEASES),
      kind: LEASES.kind,
      metadata: {
        name,
        namespace: this.#place.namespace,
        ...(version === '' ? {} : { resourceVersion: version }),
        labels: ownLabels(this.#place),
        annotations: {
          [SHARD]: shard === undefined ? `- of ${of}` : `${shard} of ${of}`,
          [DURATION]: String(duration),
          [GRACE]: String(grace),
          ...(address === undefined ? {} : { [ADDRESS]: address }),
        },
      },
      spec: {
        // What was released names nobody; an empty name is refused by the server's own rules.
        ...(holder === '' ? {} : { holderIdentity: holder }),
        leaseDurationSeconds: Math.max(1, Math.ceil(duration / 1000)),
        leaseTransitions: transitions,
        renewTime: now,
        ...(acquired ? { acquireTime: now } : {}),
      },
    };
  }
}

function toldOf(object: KubeObject): Told {
  const { metadata } = object;
  const spec = (object['spec'] ?? {}) as LeaseSpec;
  const annotations = metadata.annotations ?? {};
  const [, shard = '-', of = '0'] = /^(\d+|-) of (\d+)$/.exec(annotations[SHARD] ?? '') ?? [];
  const seconds = (spec.leaseDurationSeconds ?? 1) * 1000;
  return {
    record: {
      name: metadata.name,
      ...(shard === '-' ? {} : { shard: Number(shard) }),
      of: Number(of),
      holder: spec.holderIdentity ?? '',
      ...(annotations[ADDRESS] === undefined ? {} : { address: annotations[ADDRESS] }),
      // Whoever edits an annotation by hand makes it longer at most.
      duration: Math.max(numberIn(annotations[DURATION]) ?? seconds, 1),
      grace: numberIn(annotations[GRACE]) ?? 0,
      renewed: spec.renewTime ?? '',
      version: metadata.resourceVersion ?? '',
      transitions: spec.leaseTransitions ?? 0,
    },
    looks: looksIn(annotations),
  };
}

function looksIn(annotations: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  const looks = new Map<string, string>();
  for (const [name, value] of Object.entries(annotations)) {
    if (!name.startsWith(LOOK)) continue;
    try {
      const { what, at } = JSON.parse(value) as { what?: unknown; at?: unknown };
      if (typeof what === 'string') looks.set(what, String(at));
    } catch {
      // Written by somebody else; there is nothing in it to look at.
    }
  }
  return looks;
}

function numberIn(text: string | undefined): number | undefined {
  const value = Number(text);
  return text === undefined || !Number.isFinite(value) || value < 0 ? undefined : value;
}
