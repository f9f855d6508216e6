import type { Driver, Look } from '../drivers/driver.ts';
import type { Key, Kind } from '../manifest/manifest.ts';
import type { Match, Matches } from '../plan/matches.ts';
import { differences, type Differences } from '../plan/diff.ts';
import { partsOf } from '../manifest/pointer.ts';
import { without } from '../plan/fingerprint.ts';
import { kindOf, remoteKey, type Observation, type RemoteKey } from '../plan/observation.ts';
import type { RemoteObject } from '../plan/types.ts';
import type { JsonObject, JsonValue } from '../manifest/manifest.ts';

/** Objects whose content is read again at once, when a pass did not keep it. */
const READ_AT_ONCE = 200;

/** Streams the platform's objects into the observation. A kind that no listing ended counts as not listed. */
export async function look(
  driver: Pick<Driver, 'observe'>,
  at: Look,
  into: Observation,
  signal: AbortSignal,
): Promise<void> {
  for await (const item of driver.observe(at, signal)) {
    if (!('listed' in item)) into.add(item);
    else if (item.complete) into.listed.set(item.listed, { state: 'complete' });
    else
      into.listed.set(item.listed, {
        state: 'partial',
        because: item.because ?? 'the platform did not list everything',
      });
  }
}

/** The contents of some objects as they are on the platform: kept from the look, or read again. */
export async function contents(
  wanted: readonly { readonly kind: Kind; readonly remote: string }[],
  from: { readonly driver: Pick<Driver, 'observe'>; readonly observation: Observation },
  signal: AbortSignal,
): Promise<Map<RemoteKey, RemoteObject>> {
  const found = new Map<RemoteKey, RemoteObject>();
  const missing: { kind: Kind; remote: string }[] = [];
  for (const { kind, remote } of wanted) {
    const kept = from.observation.content(kind, remote);
    if (kept === undefined) missing.push({ kind, remote });
    else found.set(remoteKey(kind, remote), kept);
  }
  for (let start = 0; start < missing.length; start += READ_AT_ONCE) {
    const part = missing.slice(start, start + READ_AT_ONCE);
    const ids = new Set(part.map(({ kind, remote }) => remoteKey(kind, remote)));
    const at: Look = {
      kinds: [...new Set(part.map(({ kind }) => kind))],
      only: { remotes: part.map(({ remote }) => remote), titles: [] },
    };
    for await (const item of from.driver.observe(at, signal)) {
      if (!('listed' in item) && ids.has(remoteKey(item.kind, item.remote)))
        found.set(remoteKey(item.kind, item.remote), item);
    }
  }
  return found;
}

/** The fields in which each pair differs, computed on the same normal forms that the fingerprints were taken of. */
export async function compareContents(
  matches: Matches,
  from: {
    readonly driver: Pick<Driver, 'observe'>;
    readonly observation: Observation;
    desired(key: Key): Promise<JsonObject>;
    /** Replaces secrets that are known by value. */
    readonly redact: (text: string) => string;
  },
  signal: AbortSignal,
): Promise<Map<Key, Differences>> {
  const pairs = [...matches.of.values()].filter(differs);
  const result = new Map<Key, Differences>();
  for (let start = 0; start < pairs.length; start += READ_AT_ONCE) {
    const part = pairs.slice(start, start + READ_AT_ONCE);
    const found = await contents(
      part.map(({ observed }) => observed),
      from,
      signal,
    );
    for (const { desired, observed } of part) {
      const object = found.get(remoteKey(observed.kind, observed.remote));
      if (object === undefined) continue;
      const after = await from.desired(desired.key);
      const before = compared(object.value, desired.ignore);
      result.set(desired.key, differences(before, compared(after, desired.ignore), from.redact));
    }
  }
  return result;
}

function differs(match: Match): match is Match & { readonly observed: NonNullable<Match['observed']> } {
  return (
    match.observed !== undefined &&
    match.desired.waits === undefined &&
    match.observed.fingerprint !== match.desired.fingerprint
  );
}

function compared(value: JsonObject, ignore: readonly string[]): JsonValue {
  return ignore.reduce<JsonValue>((rest, pointer) => without(rest, partsOf(pointer)), value);
}

/** Remote ids and titles of a few keys: what a look at a commit's objects asks the platform for. */
export function onlyThese(
  keys: ReadonlySet<Key>,
  known: { readonly remotes: readonly string[]; readonly titles: readonly string[] },
): Look {
  return { kinds: [...new Set([...keys].map(kindOf))], only: known };
}
