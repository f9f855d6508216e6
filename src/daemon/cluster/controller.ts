import { EventRecorder } from '../../kube/events.ts';
import type { KubeObject } from '../../kube/object.ts';
import { nameOf } from '../../kube/object.ts';
import { namespaceOf } from '../../manifest/cluster-name.ts';
import { KINDS } from '../../manifest/manifest.ts';
import { resourceOf } from '../../manifest/resources.ts';
import type { Scope } from '../../ledger/ownership.ts';
import type { PassReport } from '../../report/pass-report.ts';
import type { Telling } from '../../report/situations.ts';
import type { Engine } from '../engine.ts';
import type { Target } from '../target.ts';
import type { ClusterChange, ClusterState } from './cluster.ts';
import { isReady, statusOf } from './conditions.ts';
import { DesiredStatuses } from './desired-status.ts';
import { Deletions } from './deletions.ts';
import { Elsewhere, tellsNews } from './elsewhere.ts';
import { anchorOf } from './authorship.ts';
import { Mirrors } from './mirrors.ts';
import { localOf, nameIn } from './names.ts';
import { ObjectStatuses } from './object-statuses.ts';
import { PlatformHealth } from './platform-health.ts';
import { StatusWriter } from './status-writer.ts';
import { tellingOf } from './telling.ts';

/** Whoever writes another value than the last one asks for a pass now. */
const RECONCILE_REQUESTED = 'plumbline.dev/reconcile-requested-at';
/** Milliseconds of quiet before what changed is put in force: appliers write many objects in a row. */
const SETTLE = 50;
/** Milliseconds before what was changed by somebody else meanwhile is told anew. */
const OVERTAKEN = 300;

/**
 * Keeps the engine's configuration as the custom resources say, and their statuses, Events and finalizers as the engine stands. Where replicas
 * share the platforms, each object is one's to write (`anchorOf`).
 */
export class Controller implements AsyncDisposable {
  readonly #state: ClusterState;
  readonly #engine: Engine;
  readonly #writer: StatusWriter;
  readonly #recorder: EventRecorder;
  readonly #health: PlatformHealth;
  readonly #statuses: ObjectStatuses;
  readonly #desired: DesiredStatuses;
  readonly #deletions: Deletions;
  readonly #mirrors: Mirrors;
  readonly #ended = new AbortController();
  /** Platforms that are this replica's, as far as was acted upon. */
  #held: ReadonlySet<string> = new Set();
  /** Passes that were asked for by annotation and have not ended, by Sync. */
  readonly #requested = new Map<string, string>();
  #cancel: (() => void) | undefined;
  #working: Promise<void> = Promise.resolve();

  constructor(state: ClusterState, engine: Engine) {
    this.#state = state;
    this.#engine = engine;
    const { timers, log, secrets } = engine.parts;
    const redact = (text: string): string => secrets.redact(text);
    this.#writer = new StatusWriter({
      client: state.client,
      timers,
      redact,
      onFault: (object, error) => log.warn('status not written', { kind: object.kind, name: nameOf(object), error }),
      onOvertaken: (object) => {
        this.#statuses.again(object);
        timers.after(OVERTAKEN, () => this.#soon());
      },
    });
    this.#recorder = new EventRecorder({
      client: state.client,
      instance: engine.parts.installation,
      now: () => timers.now(),
      onFault: (error) => log.debug('event not written', { error }),
    });
    this.#health = new PlatformHealth(engine.platforms, this.#ended.signal);
    const elsewhere = new Elsewhere(state, engine);
    this.#mirrors = new Mirrors({
      state,
      engine,
      onChange: (sync) => {
        const object = this.#syncObject(sync);
        if (object !== undefined) this.#statuses.tellSync(object);
      },
    });
    this.#statuses = new ObjectStatuses({
      state,
      engine,
      elsewhere,
      writer: this.#writer,
      recorder: this.#recorder,
      health: this.#health,
      mirrors: this.#mirrors,
    });
    this.#deletions = new Deletions({
      state,
      engine,
      elsewhere,
      recorder: this.#recorder,
      isOurs: (object) => this.#statuses.isOurs(object),
      lookAgain: () => this.#soon(),
      signal: this.#ended.signal,
    });
    this.#desired = new DesiredStatuses({ state, engine, writer: this.#writer });
  }

  /** Begins to follow the cluster; what stands is put in force and told. */
  start(): void {
    const { secrets, log } = this.#engine.parts;
    this.#state.onChange = (change) => this.#changed(change);
    this.#state.onDesired = (object, gone) => {
      const kind = KINDS.find((one) => one === object.kind);
      if (kind !== undefined) this.#writer.seen(resourceOf(kind), object, gone);
    };
    this.#engine.onReported = (target, report) => this.#reported(target, report);
    this.#engine.reporter.onTold = (scope, events) => this.#tell(scope, events, (text) => secrets.redact(text));
    this.#engine.onHeldChanged = () => this.#soon();
    for (const object of this.#state.objects('Sync').values()) this.#request(object);
    void this.#mirrors
      .start(this.#ended.signal)
      .catch((error: unknown) => log.warn('mirrors not looked for', { error }));
    this.#soon();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cancel?.();
    this.#ended.abort();
    this.#state.onChange = () => undefined;
    this.#state.onDesired = () => undefined;
    this.#engine.onReported = () => undefined;
    this.#engine.onHeldChanged = () => undefined;
    await this.#working;
    await this.#recorder[Symbol.asyncDispose]();
    await this.#writer[Symbol.asyncDispose]();
    await this.#mirrors[Symbol.asyncDispose]();
  }

  #changed(change: ClusterChange): void {
    if ('values' in change) {
      this.#valuesChanged(change.values);
      return;
    }
    const {
      kind,
      change: { object, before, gone },
    } = change;
    this.#writer.seen(resourceOf(kind), object, gone);
    if (gone) this.#statuses.forget(object);
    if (!gone && kind === 'Sync') this.#request(object);
    if (kind === 'Sync' && before !== undefined && !isReady(before) && isReady(object)) this.#wakeDependents(object);
    if (kind === 'Platform' && before !== undefined && tellsNews(before, object)) this.#newsFrom(nameIn(object));
    if (gone || before === undefined || said(before) !== said(object)) this.#soon();
  }

  /** Whoever holds a Platform has told how Syncs stand there. */
  #newsFrom(platform: string): void {
    if (this.#engine.holds(platform)) return;
    for (const target of this.#engine.roster.onPlatform(platform)) {
      const object = this.#syncObject(target.sync);
      if (object !== undefined) this.#statuses.again(object);
    }
    this.#soon();
  }

  /** Who waits for a Sync that another replica looks after learns of it here. */
  #wakeDependents(object: KubeObject): void {
    if (this.#statuses.isOurs(object)) return;
    const { roster } = this.#engine;
    for (const target of roster.targets()) {
      if (target.dependsOn.includes(nameIn(object))) this.#engine.wake(target, 'event');
    }
  }

  #syncObject(sync: string): KubeObject | undefined {
    const namespace = namespaceOf(sync);
    return namespace === undefined ? undefined : this.#state.objects('Sync').get(`${namespace}/${localOf(sync)}`);
  }

  /** A Secret that something in the namespace refers to is different now. */
  #valuesChanged(namespace: string): void {
    const { roster, platforms } = this.#engine;
    for (const name of platforms.names()) if (namespaceOf(name) === namespace) this.#ask(name);
    for (const target of roster.targets()) {
      const concerned = namespaceOf(target.sync) === namespace || namespaceOf(target.platform) === namespace;
      if (concerned) this.#engine.wake(target, 'event');
    }
  }

  #request(object: KubeObject): void {
    const value = object.metadata.annotations?.[RECONCILE_REQUESTED];
    const name = nameIn(object);
    if (value === undefined || value === statusOf(object).lastHandledReconcileAt || value === this.#requested.get(name))
      return;
    this.#requested.set(name, value);
    for (const target of this.#engine.roster.ofSync(name)) this.#engine.wake(target, 'command');
  }

  /** Puts in force what the objects say now, a moment later. */
  #soon(): void {
    this.#cancel?.();
    this.#cancel = this.#engine.parts.timers.after(SETTLE, () => {
      const turn = this.#working.then(() => this.#settle());
      this.#working = turn.catch((error: unknown) =>
        this.#engine.parts.log.error('custom resources not put in force', { error }),
      );
    });
  }

  async #settle(): Promise<void> {
    if (this.#ended.signal.aborted) return;
    const before = new Map(this.#engine.platforms.names().map((name) => [name, this.#engine.platforms.get(name)]));
    await this.#engine.reload();
    const { platforms } = this.#engine;
    for (const name of platforms.names()) {
      if (JSON.stringify(before.get(name)) !== JSON.stringify(platforms.get(name))) this.#ask(name);
    }
    this.#askTaken();
    for (const name of before.keys()) if (platforms.get(name) === undefined) this.#health.forget(name);
    await this.#deletions.hold();
    this.#mirrors.sweep();
    this.#statuses.tellAll();
    await this.#deletions.release();
  }

  #askTaken(): void {
    const { platforms } = this.#engine;
    const held = new Set(platforms.names().filter((name) => this.#engine.holds(name)));
    for (const name of this.#held) if (!held.has(name)) this.#health.forget(name);
    for (const name of held) if (!this.#held.has(name)) this.#ask(name);
    this.#held = held;
  }

  /** What another replica holds is not asked from here. */
  #ask(platform: string): void {
    if (!this.#engine.holds(platform)) return;
    this.#health.forget(platform);
    void this.#health.ask(platform).then(() => this.#statuses.tellPlatform(platform));
  }

  #reported(target: Target, report: PassReport): void {
    const namespace = namespaceOf(target.sync);
    const object = this.#syncObject(target.sync);
    const tells = object !== undefined && anchorOf(object) !== target.platform;
    if (this.#health.met(report) || tells) this.#statuses.tellPlatform(target.platform);
    if (namespace === undefined) return;
    if (object !== undefined) {
      const requested = this.#requested.get(target.sync);
      if (requested !== undefined) this.#statuses.handled(target.sync, requested);
      this.#requested.delete(target.sync);
      this.#mirrors.tell(target, report);
      this.#statuses.tellSync(object);
      const sync = this.#engine.roster.syncNamed(target.sync);
      if (sync?.spec.source.cluster !== undefined) this.#desired.tell(namespace, sync, report);
    }
    if (object?.metadata.deletionTimestamp === undefined) return;
    if (target.terms.retire === undefined && report.plan !== undefined && this.#state.learn(target.sync)) this.#soon();
    const turn = this.#working.then(() => this.#deletions.release());
    this.#working = turn.catch(() => undefined);
  }

  #tell({ sync }: Scope, events: readonly Telling[], redact: (text: string) => string): void {
    const object = this.#syncObject(sync);
    if (object === undefined) return;
    for (const event of events) this.#recorder.tell(object, tellingOf(event, redact));
  }
}

/** What somebody said of an object: everything that counts but its status. */
function said({
  metadata: { generation, labels, annotations, deletionTimestamp, finalizers, uid },
}: KubeObject): string {
  return JSON.stringify([uid, generation, labels, annotations, deletionTimestamp, finalizers]);
}
