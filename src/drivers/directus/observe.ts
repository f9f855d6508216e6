import type { ReconcilerError } from '../../errors.ts';
import type { Kind } from '../../manifest/manifest.ts';
import type { RemoteObject } from '../../plan/types.ts';
import type { Listed, Look } from '../driver.ts';
import { type Access, isAccess } from './access.ts';
import type { Changes, Seen } from './changes.ts';
import type { Flows } from './flows.ts';
import type { Folders } from './folders.ts';
import { asReconcilerError } from './outcomes.ts';

interface Parts {
  readonly flows: Flows;
  readonly folders: Folders;
  readonly access: Access;
  readonly changes: Changes;
}

/** What was read of some kinds, or why it could not be. */
interface Found {
  readonly kinds: readonly Kind[];
  readonly seen: readonly Seen[];
  readonly failure?: ReconcilerError;
}

/**
 * Lists what is there, all tables at once, and tells of each object who changed it last. A look that finds everything as it
 * was asks for nothing but the lists.
 */
export async function* observe(
  { kinds, only }: Look,
  { flows, folders, access, changes }: Parts,
  signal: AbortSignal,
): AsyncGenerator<RemoteObject | Listed> {
  const roles = kinds.filter(isAccess);
  const all = await Promise.all([
    ...(kinds.includes('Application') ? [listing(['Application'], folders.observe(only, signal), signal)] : []),
    ...(kinds.includes('Workflow') ? [listing(['Workflow'], flows.observe(only, signal), signal)] : []),
    ...(roles.length > 0 ? [listing(roles, access.observe(new Set(roles), only, signal), signal)] : []),
  ]);
  expectReached(all);
  const seen = all.flatMap((found) => found.seen);
  await changes.follow(
    seen.map(({ object }) => object),
    signal,
  );
  for (const { object, rows } of seen) yield { ...object, ...changes.of(rows) };
  for (const { kinds: listed, failure } of all) yield* listed.map((kind) => listedAs(kind, failure?.message));
  // What Directus has no place for is listed as soon as it is asked for: there is nothing.
  const told = new Set(all.flatMap((found) => found.kinds));
  for (const kind of kinds) if (!told.has(kind)) yield listedAs(kind, undefined);
}

/** A listing that broke proves nothing of its kinds; the others stand. */
async function listing(kinds: readonly Kind[], reading: Promise<readonly Seen[]>, signal: AbortSignal): Promise<Found> {
  try {
    return { kinds, seen: await reading };
  } catch (error) {
    const failure = asReconcilerError(error);
    if (failure.code === 'aborted' || signal.aborted) throw failure;
    return { kinds, seen: [], failure };
  }
}

/** Only a platform that is not there at all is an error. @throws ReconcilerError why it could not be reached. */
function expectReached(all: readonly Found[]): void {
  const [first] = all;
  const isAway = all.every(({ failure }) => failure?.code === 'platform-unreachable');
  if (first?.failure !== undefined && isAway) throw first.failure;
}

function listedAs(listed: Kind, because: string | undefined): Listed {
  return because === undefined ? { listed, complete: true } : { listed, complete: false, because };
}
