import { EventRecorder } from '../../kube/events.ts';
import type { KubeObject } from '../../kube/object.ts';
import { nameOf } from '../../kube/object.ts';
import { namespaceOf } from '../../manifest/cluster-name.ts';
import { resourceOf } from '../../manifest/resources.ts';
import type { ConfigurationKind } from '../../manifest/schemas.ts';
import type { Scope } from '../../ledger/ownership.ts';
import type { PassReport } from '../../report/pass-report.ts';
import type { Telling } from '../../report/situations.ts';
import type { Engine } from '../engine.ts';
import type { Target } from '../target.ts';
import { CONFIGURATION_KINDS } from './cluster.ts';
import type { ClusterChange, ClusterState } from './cluster.ts';
import { conditionsOf, statusOf } from './conditions.ts';
import type { Stand } from './conditions.ts';
import { DesiredStatuses } from './desired-status.ts';
import { Deletions } from './deletions.ts';
import { localOf, nameIn } from './names.ts';
import { PlatformHealth } from './platform-health.ts';
import { StatusWriter } from './status-writer.ts';
import { detailsOf, standOf } from './sync-status.ts';
import { tellingOf } from './telling.ts';

/** Whoever writes another value than the last one asks for a pass now. */
const RECONCILE_REQUESTED = 'plumbline.dev/reconcile-requested-at';
/** Milliseconds of quiet before what changed is put in force: appliers write many objects in a row. */
const SETTLE = 50;
/**
 * Keeps the engine's configuration as the custom resources say, and their statuses, Events and finalizers as the engine stands. Every status is made
 * in one place, from how things stand now, and written when it differs.
 */
export class Controller implements AsyncDisposable {
  readonly #state: ClusterState;
  readonly #engine: Engine;
  readonly #writer: StatusWriter;
  readonly #recorder: EventRecorder;
  readonly #health: PlatformHealth;
  readonly #desired: DesiredStatuses;
  readonly #deletions: Deletions;
  readonly #ended = new AbortController();
  /** What each status was last made of. */
  readonly #inputs = new Map<string, string>();
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
    });
    this.#recorder = new EventRecorder({
      client: state.client,
      instance: engine.parts.installation,
      now: () => timers.now(),
      onFault: (error) => log.debug('event not written', { error }),
    });
    this.#health = new PlatformHealth(engine.platforms, this.#ended.signal);
    this.#deletions = new Deletions({
      state,
      engine,
      recorder: this.#recorder,
      lookAgain: () => this.#soon(),
      signal: this.#ended.signal,
    });
    this.#desired = new DesiredStatuses(state, this.#writer, () => timers.now());
  }

  /** Begins to follow the cluster; what stands is put in force and told. */
  start(): void {
    const { secrets } = this.#engine.parts;
    this.#state.onChange = (change) => this.#changed(change);
    this.#engine.onReported = (target, report) => this.#reported(target, report);
    this.#engine.reporter.onTold = (scope, events) => this.#tell(scope, events, (text) => secrets.redact(text));
    for (const name of this.#engine.platforms.names()) this.#ask(name);
    this.#soon();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cancel?.();
    this.#ended.abort();
    this.#state.onChange = () => undefined;
    this.#engine.onReported = () => undefined;
    await this.#working;
    await this.#recorder[Symbol.asyncDispose]();
    await this.#writer[Symbol.asyncDispose]();
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
    if (gone) this.#inputs.delete(`${kind}/${nameOf(object)}`);
    if (!gone && kind === 'Sync') this.#request(object);
    if (gone || before === undefined || said(before) !== said(object)) this.#soon();
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
    for (const name of before.keys()) if (platforms.get(name) === undefined) this.#health.forget(name);
    await this.#deletions.hold();
    this.#tellAll();
    await this.#deletions.release();
  }

  #ask(platform: string): void {
    this.#health.forget(platform);
    void this.#health.ask(platform).then(() => this.#tellPlatform(platform));
  }

  #reported(target: Target, report: PassReport): void {
    const namespace = namespaceOf(target.sync);
    if (this.#health.met(report)) this.#tellPlatform(target.platform);
    if (namespace === undefined) return;
    const object = this.#state.objects('Sync').get(`${namespace}/${localOf(target.sync)}`);
    if (object !== undefined) {
      const requested = this.#requested.get(target.sync);
      this.#requested.delete(target.sync);
      this.#tellSync(object, requested);
      const sync = this.#engine.roster.syncNamed(target.sync);
      if (sync?.spec.source.cluster !== undefined) this.#desired.tell(namespace, sync, report);
    }
    if (object?.metadata.deletionTimestamp === undefined) return;
    if (target.terms.retire === undefined && report.plan !== undefined && this.#state.learn(target.sync)) this.#soon();
    const turn = this.#working.then(() => this.#deletions.release());
    this.#working = turn.catch(() => undefined);
  }

  #tell({ sync }: Scope, events: readonly Telling[], redact: (text: string) => string): void {
    const namespace = namespaceOf(sync);
    const object =
      namespace === undefined ? undefined : this.#state.objects('Sync').get(`${namespace}/${localOf(sync)}`);
    if (object === undefined) return;
    for (const event of events) this.#recorder.tell(object, tellingOf(event, redact));
  }

  /** Statuses of all objects that are made of something else than before. */
  #tellAll(): void {
    for (const kind of CONFIGURATION_KINDS) {
      for (const [id, object] of this.#state.objects(kind)) {
        const name = nameIn(object);
        const pending = this.#engine.roster
          .ofSync(name)
          .map(({ platform, progress }) => [platform, progress.attempted]);
        const refusal = this.#state.judged.refusals.get(`${kind}/${id}`)?.message;
        const { generation, uid, deletionTimestamp } = object.metadata;
        const input = JSON.stringify([uid, generation, deletionTimestamp, refusal, kind === 'Sync' ? pending : 0]);
        if (this.#inputs.get(`${kind}/${id}`) === input) continue;
        this.#inputs.set(`${kind}/${id}`, input);
        if (kind === 'Sync') this.#tellSync(object);
        else if (kind === 'Platform') this.#tellPlatform(name);
        else this.#write('Plugin', object, this.#refused('Plugin', object) ?? CONFIGURED);
      }
    }
  }

  #tellSync(object: KubeObject, requested?: string): void {
    const name = nameIn(object);
    const { roster, reporter, parts } = this.#engine;
    const targets = roster.targets().filter(({ sync }) => sync === name);
    const standings = targets.map((target) => ({
      status: reporter.status(target),
      pending: !target.progress.attempted,
    }));
    const leaving: Stand | undefined =
      object.metadata.deletionTimestamp === undefined
        ? undefined
        : { state: 'going-on', reason: 'Deleting', message: 'What it owns is being given up.' };
    const stand = leaving ?? this.#refused('Sync', object) ?? standOf(standings);
    const handled = requested ?? statusOf(object).lastHandledReconcileAt;
    this.#write('Sync', object, stand, {
      ...(handled === undefined ? {} : { lastHandledReconcileAt: handled }),
      ...detailsOf(standings, parts.ledger.history({ sync: name, limit: 30 })),
    });
  }

  #tellPlatform(name: string): void {
    const object = this.#state.objects('Platform').get(`${namespaceOf(name) ?? ''}/${localOf(name)}`);
    if (object === undefined) return;
    this.#write('Platform', object, this.#refused('Platform', object) ?? this.#health.standOf(name));
  }

  /** Why the object, as it is written now, is not in force. */
  #refused(kind: ConfigurationKind, object: KubeObject): Stand | undefined {
    const refusal = this.#state.judged.refusals.get(`${kind}/${nameOf(object)}`);
    return refusal === undefined ? undefined : { state: 'stalled', ...refusal };
  }

  #write(
    kind: ConfigurationKind,
    object: KubeObject,
    stand: Stand,
    details: Readonly<Record<string, unknown>> = {},
  ): void {
    const { timers, secrets } = this.#engine.parts;
    const conditions = conditionsOf(object, stand, timers.now());
    const { generation } = object.metadata;
    const observed = generation === undefined ? {} : { observedGeneration: generation };
    this.#writer.write(resourceOf(kind), object, { ...observed, conditions, ...details });
    if (stand.state !== 'stalled' || (kind === 'Sync' && this.#refused(kind, object) === undefined)) return;
    const note = secrets.redact(stand.message);
    this.#recorder.tell(object, { type: 'Warning', reason: stand.reason, action: 'Reconcile', note });
  }
}

const CONFIGURED: Stand = { state: 'ready', reason: 'Configured', message: 'It is in force.' };

/** What somebody said of an object: everything that counts but its status. */
function said({
  metadata: { generation, labels, annotations, deletionTimestamp, finalizers, uid },
}: KubeObject): string {
  return JSON.stringify([uid, generation, labels, annotations, deletionTimestamp, finalizers]);
}
