import { ReconcilerError } from '../../errors.ts';
import type { JsonObject, JsonValue } from '../../manifest/manifest.ts';
import type { Change } from '../../plan/types.ts';
import { type Server, type Wanted, buildApplication, buildIntegration, buildWorkflow, withoutMarker } from './build.ts';
import { versionOf } from './identity.ts';
import { Directory, Names } from './names.ts';
import { isHeading, noteOf, partsOf } from './objects.ts';
import { FlowSet, type RawNode, isRoot, parentOf, titleOf } from './raw.ts';
import { referencesOf, rewriteReferences } from './references.ts';
import { describeToken, parseToken } from './tokens.ts';

/** One change of a stage with everything read that it takes. `wanted` is absent for release and delete. */
export interface Work {
  readonly change: Change;
  readonly id: string;
  readonly wanted?: Wanted;
}

export interface Merged {
  /** All entries of the server after the stage: ours as wanted, everybody else's untouched and in their order. */
  readonly flows: readonly RawNode[];
  /** Works that are in `flows`. */
  readonly done: readonly Work[];
  readonly failed: readonly { readonly work: Work; readonly error: ReconcilerError }[];
}

/** Puts a stage into the flows of a server. Pure; a work that cannot be done is left out and named. */
export function merge(set: FlowSet, works: readonly Work[]): Merged {
  const failed: { work: Work; error: ReconcilerError }[] = [];
  let rest = works;
  for (;;) {
    const attempt = mergeAll(set, rest);
    if (attempt.failed.length === 0) return { flows: attempt.flows, done: rest, failed };
    failed.push(...attempt.failed);
    const out = new Set(attempt.failed.map(({ work }) => work));
    rest = rest.filter((work) => !out.has(work));
  }
}

function mergeAll(set: FlowSet, works: readonly Work[]): Merged {
  const failed: { work: Work; error: ReconcilerError }[] = [];
  const replaced = new Map<string, readonly RawNode[]>();
  const taken = new Set(set.byId.keys());
  const names = new Names(set);
  for (const work of works) {
    try {
      checkStillThere(set, work);
      const entries = entriesFor(set, work, { names, isTaken: (id) => taken.has(id) });
      for (const entry of entries) taken.add(entry.id);
      replaced.set(work.id, entries);
    } catch (error) {
      if (!(error instanceof ReconcilerError)) throw error;
      failed.push({ work, error });
    }
  }
  if (failed.length > 0) return { flows: [], done: [], failed };
  const flows = numbered(assemble(set, replaced), new Set([...replaced.values()].flat()));
  const users = usersIn(flows, works);
  for (const work of works) {
    const error = danglingAfter(flows, work, replaced) ?? usedAfter(users, set, work);
    if (error !== undefined) failed.push({ work, error });
  }
  return { flows, done: works, failed };
}

function checkStillThere(set: FlowSet, { change, id, wanted }: Work): void {
  const current = set.byId.get(id);
  if (change.verb === 'create') {
    if (current === undefined || isOwnTrace(set, current, wanted)) return;
    throw stale(change, 'an object with its id stands there already and is not known to be its own');
  }
  if (current === undefined && change.verb === 'delete') return;
  if (current === undefined) throw stale(change, 'it is not there any more');
  if (versionOf(set, current) !== change.remote.version) throw stale(change, 'somebody changed it meanwhile');
}

/** Whether what already stands under a deterministic id is what an earlier, unfinished pass left. */
function isOwnTrace(set: FlowSet, current: RawNode, wanted: Wanted | undefined): boolean {
  if (!isRoot(current)) return current.type === wanted?.spec['type'];
  const { marker } = noteOf(current);
  const own = marker?.owner === wanted?.marker?.owner && marker?.key === wanted?.marker?.key;
  return own || set.membersOf(current.id).length === 0;
}

function stale({ title, kind }: Change, why: string): ReconcilerError {
  return new ReconcilerError(`${kind} "${title}" was not written: ${why}.`, 'replan', {
    code: 'stale-write',
    remedy: 'Nothing to do: the next pass looks again and plans anew.',
  });
}

function entriesFor(set: FlowSet, { change, id, wanted }: Work, server: Server): readonly RawNode[] {
  const current = set.byId.get(id);
  if (change.verb === 'delete') return [];
  if (change.verb === 'release') {
    if (current === undefined) return [];
    const [root, ...members] = partsOf(set, current);
    return isRoot(current) ? [withoutMarker(root ?? current), ...members] : [current];
  }
  if (wanted === undefined) throw new TypeError('a change that writes needs content');
  if (change.kind === 'Integration') return [buildIntegration(current, wanted)];
  if (change.kind === 'Application') return [buildApplication(current, wanted), ...set.membersOf(id)];
  const entries = buildWorkflow(set, wanted, server);
  if (current !== undefined && current.type !== entries[0]?.type) {
    throw new ReconcilerError(
      `Workflow "${change.title}" is a ${current.type} on the platform and a ${entries[0]?.type ?? '?'} in git.`,
      'never',
      {
        code: 'kind-changed',
        remedy: 'Give the new one another name, and let the old one be deleted or released.',
      },
    );
  }
  return entries;
}

/** Everything where it was; new nodes of a root after the last of the file, new roots after the last root of their type. */
function assemble(set: FlowSet, replaced: ReadonlyMap<string, readonly RawNode[]>): readonly RawNode[] {
  const fresh = new Map([...replaced.values()].flat().map((entry) => [entry.id, entry]));
  const gone = new Set<string>();
  for (const id of replaced.keys()) {
    const current = set.byId.get(id);
    for (const part of current === undefined ? [] : partsOf(set, current)) gone.add(part.id);
  }
  const result: RawNode[] = [];
  for (const entry of set.entries) {
    const next = fresh.get(entry.id);
    if (next !== undefined) result.push(next);
    else if (!gone.has(entry.id)) result.push(entry);
    fresh.delete(entry.id);
  }
  for (const entry of fresh.values()) {
    const last = isRoot(entry) ? result.findLastIndex((other) => other.type === entry.type) : result.length - 1;
    result.splice(last < 0 && isRoot(entry) ? 0 : last + 1, 0, entry);
  }
  return result;
}

/** Replaces names by ids. A link whose other end is not there yet keeps its name; a later stage fills it in. */
function numbered(entries: readonly RawNode[], fresh: ReadonlySet<RawNode>): readonly RawNode[] {
  let directory: Directory | undefined;
  return entries.map((entry) => {
    if (!fresh.has(entry) && !entry.type.startsWith('link ')) return entry;
    if (!referencesOf(entry).some(({ id }) => parseToken(id) !== undefined)) return entry;
    directory ??= new Directory(new FlowSet(entries));
    const names = directory;
    return rewriteReferences(entry, (_, id) => (parseToken(id) === undefined ? id : (names.resolve(id) ?? id)));
  });
}

function danglingAfter(
  flows: readonly RawNode[],
  { change, id }: Work,
  replaced: ReadonlyMap<string, readonly RawNode[]>,
): ReconcilerError | undefined {
  const own = new Set(replaced.get(id)?.map((entry) => entry.id));
  for (const entry of flows) {
    if (!own.has(entry.id)) continue;
    for (const reference of referencesOf(entry)) {
      const token = parseToken(reference.id);
      if (token === undefined || token.kind === 'link') continue;
      const what = describeToken(token);
      return new ReconcilerError(
        `${change.kind} "${change.title}": node "${titleOf(entry)}" needs ${what}, which is not there, or there more than once.`,
        'replan',
        {
          code: 'dangling-reference',
          remedy: `Write ${what} in git, create it on the platform, or give each of several a title of its own.`,
        },
      );
    }
  }
  return undefined;
}

/** One user of each config node and subflow; worked out only when something is deleted. */
function usersIn(flows: readonly RawNode[], works: readonly Work[]): ReadonlyMap<string, RawNode> {
  const users = new Map<string, RawNode>();
  if (!works.some(({ change }) => change.verb === 'delete')) return users;
  for (const entry of flows) {
    for (const { id, place } of referencesOf(entry)) if (place !== 'link') users.set(id, entry);
  }
  return users;
}

/** A config node or subflow is not taken away under a node that uses it: without it Node-RED stops every flow. */
function usedAfter(
  users: ReadonlyMap<string, RawNode>,
  set: FlowSet,
  { change, id }: Work,
): ReconcilerError | undefined {
  const current = set.byId.get(id);
  if (change.verb !== 'delete' || current === undefined) return undefined;
  if (isHeading(current) && set.membersOf(id).length > 0) {
    return inUse(change, `${set.membersOf(id).length} nodes stand on its tab`, 'Move them to another tab first.');
  }
  if (current.type === 'tab') return undefined;
  const user = users.get(id);
  if (user === undefined) return undefined;
  const home = set.byId.get(parentOf(user) ?? '');
  const where = home === undefined ? '' : ` on "${titleOf(home)}"`;
  return inUse(
    change,
    `node "${titleOf(user)}" (${user.type})${where} uses it`,
    'Change or remove that node first, or release the object.',
  );
}

function inUse({ kind, title }: Change, why: string, remedy: string): ReconcilerError {
  return new ReconcilerError(`${kind} "${title}" was not deleted: ${why}.`, 'never', { code: 'in-use', remedy });
}

/** An entry as the server gives it back: without credentials. */
export function shown(entry: JsonObject): Readonly<Record<string, JsonValue>> {
  const { credentials: _, ...rest } = entry as JsonObject & { credentials?: JsonValue };
  return rest;
}
