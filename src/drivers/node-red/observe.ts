import type { RemoteObject } from '../../plan/types.ts';
import type { Look } from '../driver.ts';
import type { NodeRedClient, Snapshot } from './client.ts';
import { versionOf } from './identity.ts';
import { Names } from './names.ts';
import { normalizeSpec } from './normalize.ts';
import { isHeading, kindOf, noteOf, specOf } from './objects.ts';
import { type RawNode, titleOf } from './raw.ts';

/** Who changed a tab, subflow or config node last, and when, as far as the add-on tells. */
export type Changes = Readonly<Record<string, { readonly by?: string | undefined; readonly at?: number | undefined }>>;

/** The objects of a server's flows that are looked for, in file order. One request brings all; what costs is their normal form. */
export function* objectsIn(snapshot: Snapshot, look: Look, changes: Changes): Generator<RemoteObject> {
  const { set } = snapshot;
  const names = new Names(set);
  const kinds = new Set(look.kinds);
  const wanted = wantedBy(look);
  for (const entry of set.entries) {
    const kind = kindOf(entry);
    if (kind === undefined || !kinds.has(kind) || !wanted(entry.id, titleOf(entry))) continue;
    const { marker } = noteOf(entry);
    const { by, at } = changes[entry.id] ?? {};
    const held = isHeading(entry) ? set.membersOf(entry.id).length : 0;
    yield {
      kind,
      remote: entry.id,
      title: titleOf(entry),
      value: normalizeSpec(kind, specOf(entry, names)),
      version: versionOf(set, entry),
      ...(marker === undefined || kind === 'Integration' ? {} : { marker }),
      ...(by === undefined ? {} : { changedBy: by }),
      ...(at === undefined ? {} : { changedAt: at }),
      ...(held === 0 ? {} : { holds: `${held} nodes placed on its tab` }),
    };
  }
}

/** Whether an object is among those looked for. */
export function wantedBy({ only }: Look): (remote: string, title: string) => boolean {
  if (only === undefined) return () => true;
  const remotes = new Set(only.remotes);
  const titles = new Set(only.titles);
  return (remote, title) => remotes.has(remote) || titles.has(title);
}

/** Config nodes that are asked in one listing whether their secrets are set, besides those known to have some. */
const FIRST_ASKED = 500;

/**
 * Knows which secrets of config nodes are set. The server tells one node at a time, so a node is asked when it is first
 * seen and when it changed, and every time only if it has secrets: they may be taken away without any other trace.
 */
export class SecretsSeen {
  readonly #known = new Map<string, { readonly version: string; readonly set: Readonly<Record<string, boolean>> }>();

  async add(
    objects: readonly RemoteObject[],
    from: { readonly client: NodeRedClient; readonly snapshot: Snapshot },
    signal: AbortSignal,
  ): Promise<readonly RemoteObject[]> {
    let asked = 0;
    return await Promise.all(
      objects.map(async (object) => {
        const entry = from.snapshot.set.byId.get(object.remote);
        const known = this.#known.get(object.remote);
        const holds = known !== undefined && Object.values(known.set).includes(true);
        const isNew = known?.version !== object.version;
        if (entry === undefined || (!holds && !isNew) || (!holds && ++asked > FIRST_ASKED))
          return known === undefined ? object : withSecrets(object, known.set);
        const set = await from.client.secretsSet(entry, signal);
        this.#known.set(object.remote, { version: object.version, set });
        return withSecrets(object, set);
      }),
    );
  }

  /** Ask again at the next listing: secrets were written. */
  forget(id: string): void {
    this.#known.delete(id);
  }
}

function withSecrets(object: RemoteObject, secretsSet: Readonly<Record<string, boolean>>): RemoteObject {
  return Object.keys(secretsSet).length === 0 ? object : { ...object, secretsSet };
}

/** Types on the server that are not installed there, with a node that has them: they stop every flow. */
export function missingTypes(snapshot: Snapshot, usable: ReadonlySet<string>): ReadonlyMap<string, RawNode> {
  const missing = new Map<string, RawNode>();
  const { set } = snapshot;
  for (const entry of set.entries) {
    if (isKnownType(entry.type, usable)) continue;
    const subflow = entry.type.startsWith('subflow:') ? set.byId.get(entry.type.slice('subflow:'.length)) : undefined;
    if (subflow?.type !== 'subflow' && !missing.has(entry.type)) missing.set(entry.type, entry);
  }
  return missing;
}

/** Types that the runtime itself knows, besides those of installed nodes. */
export function isKnownType(type: string, usable: ReadonlySet<string>): boolean {
  return type === 'tab' || type === 'subflow' || type === 'group' || usable.has(type);
}
