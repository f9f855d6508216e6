import type { EventRecorder } from '../../kube/events.ts';
import type { KubeObject } from '../../kube/object.ts';
import { nameOf } from '../../kube/object.ts';
import { namespaceOf } from '../../manifest/cluster-name.ts';
import { resourceOf } from '../../manifest/resources.ts';
import type { ConfigurationKind } from '../../manifest/schemas.ts';
import type { Engine } from '../engine.ts';
import { anchorOf } from './authorship.ts';
import { CONFIGURATION_KINDS } from './cluster.ts';
import type { ClusterState } from './cluster.ts';
import { conditionsOf, statusOf } from './conditions.ts';
import type { Said, Stand } from './conditions.ts';
import { PATIENCE } from './deletions.ts';
import type { Elsewhere } from './elsewhere.ts';
import type { Mirrors } from './mirrors.ts';
import { localOf, nameIn } from './names.ts';
import type { PlatformHealth } from './platform-health.ts';
import type { StatusWriter } from './status-writer.ts';
import { detailsOf, standOf, standOn } from './sync-status.ts';
import type { FormerStatus, TargetStanding } from './sync-status.ts';

export interface ObjectStatusesParts {
  readonly state: ClusterState;
  readonly engine: Engine;
  readonly writer: StatusWriter;
  readonly recorder: EventRecorder;
  readonly health: PlatformHealth;
  readonly elsewhere: Elsewhere;
  readonly mirrors: Mirrors;
}

/**
 * Statuses of Platforms, Syncs and Plugins: each is made in one place, from how things stand now. Whoever takes an object over leaves what its
 * status says until it knows better.
 */
export class ObjectStatuses {
  readonly #state: ClusterState;
  readonly #engine: Engine;
  readonly #parts: ObjectStatusesParts;
  /** What each status was last made of, of those that are this replica's. */
  readonly #inputs = new Map<string, string>();
  /** Objects whose status this replica has made since it is its own. */
  readonly #told = new Set<string>();
  /** Requests by annotation that a pass has obeyed, by Sync. */
  readonly #handled = new Map<string, string>();

  constructor(parts: ObjectStatusesParts) {
    this.#parts = parts;
    this.#state = parts.state;
    this.#engine = parts.engine;
  }

  /** Whether the object's status, Events and finalizer are this replica's to write. */
  isOurs(object: KubeObject): boolean {
    return this.#engine.holds(anchorOf(object));
  }

  /** A pass has done what was asked for by annotation. */
  handled(sync: string, request: string): void {
    this.#handled.set(sync, request);
  }

  /** Has the status made anew at the next `tellAll`. */
  again(object: KubeObject): void {
    this.#inputs.delete(idOf(object));
  }

  forget(object: KubeObject): void {
    this.#inputs.delete(idOf(object));
    this.#told.delete(idOf(object));
  }

  /** Statuses of all objects that are made of something else than before. */
  tellAll(): void {
    for (const kind of CONFIGURATION_KINDS) {
      for (const [id, object] of this.#state.objects(kind)) {
        const name = nameIn(object);
        if (!this.isOurs(object)) {
          this.forget(object);
          continue;
        }
        const pending = this.#engine.roster
          .ofSync(name)
          .map(({ platform, progress }) => [platform, progress.attempted]);
        const refusal = this.#state.judged.refusals.get(`${kind}/${id}`)?.message;
        const { generation, uid, deletionTimestamp } = object.metadata;
        const input = JSON.stringify([uid, generation, deletionTimestamp, refusal, kind === 'Sync' ? pending : 0]);
        if (this.#inputs.get(idOf(object)) === input) continue;
        this.#inputs.set(idOf(object), input);
        if (kind === 'Sync') this.tellSync(object);
        else if (kind === 'Platform') this.tellPlatform(name);
        else this.#write('Plugin', object, this.#refused('Plugin', object) ?? CONFIGURED);
      }
    }
  }

  tellSync(object: KubeObject): void {
    const name = nameIn(object);
    const { roster, reporter, parts } = this.#engine;
    const targets = roster.allOfSync(name);
    const standings = targets.map((target) =>
      this.#engine.holds(target.platform) && target.progress.attempted
        ? { status: reporter.status(target), pending: false }
        : this.#parts.elsewhere.standing(object, target.platform),
    );
    const leaving = object.metadata.deletionTimestamp === undefined ? undefined : leavingWith(standings);
    const known = leaving ?? this.#refused('Sync', object);
    if (known === undefined && standings.some(({ pending }) => pending) && this.#isTakenOver(object)) return;
    const before: FormerStatus & ReturnType<typeof statusOf> = statusOf(object);
    const handled = this.#handled.get(name) ?? before.lastHandledReconcileAt;
    const elsewhere = standings.flatMap(({ pending, status: { platform, counts } }) =>
      pending || this.#engine.holds(platform) ? [] : [{ platform, owned: counts.owned }],
    );
    const said = known === undefined ? this.#parts.mirrors.saidOf(object, elsewhere) : undefined;
    this.#write(
      'Sync',
      object,
      { ...(known ?? standOf(standings)), said },
      {
        ...(handled === undefined ? {} : { lastHandledReconcileAt: handled }),
        ...detailsOf(standings, parts.ledger.history({ sync: name, limit: 30 }), before),
      },
    );
  }

  /** Whether the status was made by another process, of the object as it is still written: it holds until this one has learned how things stand. */
  #isTakenOver(object: KubeObject): boolean {
    const { observedGeneration } = statusOf(object);
    return !this.#told.has(idOf(object)) && observedGeneration === object.metadata.generation;
  }

  /** @param name as the engine has it */
  tellPlatform(name: string): void {
    const object = this.#state.objects('Platform').get(`${namespaceOf(name) ?? ''}/${localOf(name)}`);
    if (object === undefined) return;
    const refused = this.#refused('Platform', object);
    if (refused === undefined && !this.#parts.health.knows(name) && this.#isTakenOver(object)) return;
    const syncs = this.#parts.elsewhere.syncsOn(object);
    this.#write('Platform', object, refused ?? this.#parts.health.standOf(name), syncs === undefined ? {} : { syncs });
  }

  /** Why the object, as it is written now, is not in force. */
  #refused(kind: ConfigurationKind, object: KubeObject): Stand | undefined {
    const refusal = this.#state.judged.refusals.get(`${kind}/${nameOf(object)}`);
    return refusal === undefined ? undefined : { state: 'stalled', ...refusal };
  }

  #write(
    kind: ConfigurationKind,
    object: KubeObject,
    { said, ...stand }: Stand & { readonly said?: Said | undefined },
    details: Readonly<Record<string, unknown>> = {},
  ): void {
    if (!this.isOurs(object)) return;
    this.#told.add(idOf(object));
    const { timers, secrets } = this.#engine.parts;
    const conditions = conditionsOf(object, stand, timers.now(), said);
    const { generation } = object.metadata;
    const observed = generation === undefined ? {} : { observedGeneration: generation };
    const status = { ...observed, conditions, ...details };
    this.#parts.writer.write({ resource: resourceOf(kind), object, status, isOurs: () => this.isOurs(object) });
    if (stand.state !== 'stalled' || (kind === 'Sync' && this.#refused(kind, object) === undefined)) return;
    const note = secrets.redact(stand.message);
    this.#parts.recorder.tell(object, { type: 'Warning', reason: stand.reason, action: 'Reconcile', note });
  }
}

/** How a Sync stands that is being deleted: what holds it up, and for how long. */
function leavingWith(standings: readonly TargetStanding[]): Stand {
  const stand = { state: 'going-on', reason: 'Deleting', message: 'What it owns is being given up.' } as const;
  for (const standing of standings) {
    const { state, message } = standOn(standing);
    if (state === 'ready' || state === 'unknown') continue;
    const patience = `It waits for ${PATIENCE / 60_000} minutes at most, then it goes, and what is left is tried on.`;
    return { ...stand, message: `${stand.message} On ${localOf(standing.status.platform)}: ${message} ${patience}` };
  }
  return stand;
}

const CONFIGURED: Stand = { state: 'ready', reason: 'Configured', message: 'It is in force.' };

function idOf(object: KubeObject): string {
  return `${object.kind}/${nameOf(object)}`;
}
