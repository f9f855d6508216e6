import PQueue from 'p-queue';
import type { EventRecorder, KubeTelling } from '../../kube/events.ts';
import { isClusterError } from '../../kube/failure.ts';
import type { KubeObject } from '../../kube/object.ts';
import type { Scope } from '../../ledger/ownership.ts';
import { resourceOf } from '../../manifest/resources.ts';
import type { Engine } from '../engine.ts';
import type { ClusterState } from './cluster.ts';
import type { Elsewhere } from './elsewhere.ts';
import { FINALIZER, setFinalizer } from './finalizer.ts';
import { localOf, nameIn } from './names.ts';

/** Milliseconds before an object that was changed meanwhile is looked at again, and before one that could not be changed is. */
const AGAIN = { changed: 300, failed: 10_000 } as const;
/**
 * Milliseconds that the deletion of a Sync waits for a platform that is down. Then the object goes: a namespace must not be held for ever by
 * a machine that is gone. What was owned is tried on for as long as the Platform is configured.
 */
export const PATIENCE = 600_000;

/** Objects that are changed at once. */
const WIDTH = 8;

type Owned = Scope & { readonly owned: number };

export interface DeletionsParts {
  readonly state: ClusterState;
  readonly engine: Engine;
  readonly recorder: EventRecorder;
  /** Whether the object is this replica's to write. */
  readonly isOurs: (object: KubeObject) => boolean;
  readonly elsewhere: Elsewhere;
  /** Puts in force anew what the objects say. */
  readonly lookAgain: () => void;
  readonly signal: AbortSignal;
}

/** Holds up the deletion of Syncs until what they own has been given up, and no longer than that can be hoped for. */
export class Deletions {
  readonly #parts: DeletionsParts;

  constructor(parts: DeletionsParts) {
    this.#parts = parts;
  }

  /** A Sync comes into force when its deletion can be held up: what it creates before could be left behind. */
  async hold(): Promise<void> {
    const { state, isOurs } = this.#parts;
    const { syncs } = state.judged;
    const unheld = [...state.objects('Sync').values()].filter((object) => {
      const { finalizers = [], deletionTimestamp } = object.metadata;
      return deletionTimestamp === undefined && !finalizers.includes(FINALIZER) && syncs.has(nameIn(object));
    });
    const work = async (object: KubeObject): Promise<void> => {
      if (isOurs(object)) await this.#setFinalizer(object, true);
    };
    await new PQueue({ concurrency: WIDTH }).addAll(unheld.map((object) => () => work(object)));
  }

  /** Lets Syncs go whose deletion has nothing more to wait for. */
  async release(): Promise<void> {
    const { state, recorder, isOurs } = this.#parts;
    const leaving = [...state.objects('Sync').values()].filter(({ metadata }) => {
      return metadata.deletionTimestamp !== undefined && metadata.finalizers?.includes(FINALIZER) === true;
    });
    if (leaving.length === 0) return;
    const owned = this.#ownedHere();
    const work = async (object: KubeObject): Promise<void> => {
      if (!isOurs(object)) return;
      const { deletionTimestamp = '' } = object.metadata;
      const name = nameIn(object);
      const farewell = this.#farewell(name, Date.parse(deletionTimestamp), owned.get(name) ?? []);
      if (farewell === undefined) return;
      recorder.tell(object, farewell);
      await this.#setFinalizer(object, false);
    };
    await new PQueue({ concurrency: WIDTH }).addAll(leaving.map((object) => () => work(object)));
  }

  /** What Syncs own on platforms of this replica, by Sync: looked up once for all that are being deleted. */
  #ownedHere(): ReadonlyMap<string, readonly Owned[]> {
    const { engine } = this.#parts;
    const here = engine.parts.ledger.scopes().filter(({ platform, owned }) => owned > 0 && engine.holds(platform));
    return Map.groupBy(here, ({ sync }) => sync);
  }

  #farewell(sync: string, since: number, owned: readonly Owned[]): KubeTelling | undefined {
    const { engine, elsewhere } = this.#parts;
    const { roster, parts } = engine;
    const targets = roster.allOfSync(sync).filter(({ platform }) => engine.holds(platform));
    const count = owned.reduce((sum, scope) => sum + scope.owned, 0);
    const about = { action: 'Delete' } as const;
    const others = elsewhere.left(sync);
    if (targets.length === 0 && count === 0 && others.length === 0) {
      const note = 'What it owned was given up as its deletionPolicy says.';
      return { ...about, type: 'Normal', reason: 'GivenUp', note };
    }
    const where = [...owned.map(({ platform }) => platform), ...others].map(localOf).join(', ');
    const left = `${count === 0 ? 'what it owned' : `${count} object(s)`} on ${where} stay as they are`;
    if (targets.length === 0 && others.length === 0)
      return { ...about, type: 'Warning', reason: 'Orphaned', note: `The Platform is gone: ${left}.` };
    const rest = since + PATIENCE - parts.timers.now();
    if (rest <= 0) {
      const note = `The platform could not be reached for ${PATIENCE / 60_000} minutes: ${left} until it can be.`;
      return { ...about, type: 'Warning', reason: 'Orphaned', note };
    }
    parts.timers.after(rest, this.#parts.lookAgain);
    return undefined;
  }

  async #setFinalizer(object: KubeObject, held: boolean): Promise<void> {
    const { state, signal, engine, lookAgain } = this.#parts;
    try {
      await setFinalizer(state.client, resourceOf('Sync'), { object, held, signal });
    } catch (error) {
      if (signal.aborted || isClusterError(error, 'cluster-not-found')) return;
      const changed = isClusterError(error, 'cluster-conflict');
      const { log, timers } = engine.parts;
      if (!changed) log.error('finalizer not set', { sync: nameIn(object), error });
      timers.after(changed ? AGAIN.changed : AGAIN.failed, lookAgain);
    }
  }
}
