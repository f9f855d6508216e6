import type { ReconcilerError } from '../../errors.ts';
import { isClusterError } from '../../kube/failure.ts';
import { labelValue } from '../../kube/installation.ts';
import type { KubeObject } from '../../kube/object.ts';
import { ObjectWatch } from '../../kube/watch.ts';
import { clusterName } from '../../manifest/cluster-name.ts';
import { KINDS } from '../../manifest/manifest.ts';
import { mirroredIn } from '../../manifest/mirror.ts';
import type { Mirrored } from '../../manifest/mirror.ts';
import { resourceOf } from '../../manifest/resources.ts';
import type { PassReport } from '../../report/pass-report.ts';
import { MIRROR_LABEL } from '../../source/cluster.ts';
import type { Engine } from '../engine.ts';
import type { Target } from '../target.ts';
import { targetKey } from '../targets.ts';
import type { TargetName } from '../targets.ts';
import type { ClusterState } from './cluster.ts';
import type { Said } from './conditions.ts';
import { MirrorWriter, mirrorId } from './mirror-writer.ts';
import { mirrorsOf } from './mirrors-of.ts';
import { nameIn } from './names.ts';

export interface MirrorsParts {
  readonly state: ClusterState;
  readonly engine: Engine;
  /** What is told of the mirrors of a Sync is different now. */
  readonly onChange: (sync: string) => void;
}

/**
 * Shows what Syncs own as objects of their namespace, where they ask for it: written by whoever holds the platform, after each pass that could
 * look, set right when somebody edits or deletes one, and gone with what they show. Nothing ever reads them as desired state.
 */
export class Mirrors implements AsyncDisposable {
  readonly #parts: MirrorsParts;
  readonly #writer: MirrorWriter;
  /** Ids of the mirrors of each target, as its last pass had them, and how many there are beyond. */
  readonly #told = new Map<string, TargetName & { readonly ids: ReadonlySet<string>; readonly left: number }>();
  /** Why mirrors of a Sync cannot be written, by Sync and id. */
  readonly #troubles = new Map<string, Map<string, ReconcilerError>>();
  #watches: readonly ObjectWatch[] = [];
  #listed: Promise<unknown> | undefined;

  constructor(parts: MirrorsParts) {
    this.#parts = parts;
    const { state, engine } = parts;
    this.#writer = new MirrorWriter({
      client: state.client,
      timers: engine.parts.timers,
      redact: (text) => engine.parts.secrets.redact(text),
      onTrouble: (id, trouble) => this.#troubled(id, trouble),
    });
  }

  /** Looks once whether mirrors were left by a process before this one; where there are none, nothing is asked at rest. */
  async start(signal: AbortSignal): Promise<void> {
    const { client } = this.#parts.state;
    for (const kind of KINDS) {
      if (this.#listed !== undefined) return;
      const { items } = await client.list(resourceOf(kind), { ...this.#scope(), signal });
      if (items.length > 0) void this.#follow();
    }
  }

  /** After a pass. */
  tell(target: Target, report: PassReport): void {
    const { engine } = this.#parts;
    const sync = this.#syncOf(target.sync);
    const terms = engine.roster.syncNamed(target.sync)?.spec.mirror;
    if (sync === undefined || terms?.enabled !== true || !this.#isWanted(target)) return;
    // Who could not look has nothing to tell: how it was last seen stays.
    if (report.plan === undefined || report.error !== undefined) return;
    const { inventory } = engine.reporter.status(target);
    const { maxObjects } = terms;
    const { installation, secrets } = engine.parts;
    const redact = (text: string): string => secrets.redact(text);
    const { shown, left } = mirrorsOf(report, { sync, installation, inventory, maxObjects, redact });
    const isOurs = (): boolean => engine.holds(target.platform) && this.#isWanted(target, sync.metadata.uid);
    const ids = new Set(shown.map(({ resource, object }) => mirrorId(resource, object)));
    const before = this.#told.get(targetKey(target));
    this.#told.set(targetKey(target), { sync: target.sync, platform: target.platform, ids, left });
    for (const id of before?.ids ?? []) if (!ids.has(id)) this.#forget(id);
    void this.#follow().then(() => {
      if (this.#told.get(targetKey(target))?.ids !== ids) return;
      for (const mirror of shown) {
        const { resource } = mirror;
        this.#writer.wish(mirrorId(resource, mirror.object), { resource, mirror, isOurs });
      }
      if (before === undefined) this.sweep();
      else for (const id of before.ids) if (!ids.has(id)) this.#judge(id, this.#writer.known.get(id));
    });
  }

  /** What the status of a Sync says of its mirrors; undefined when it has none, or nothing is known yet. `owned`: what it owns where others hold the platform. */
  saidOf(
    object: KubeObject,
    elsewhere: readonly { readonly platform: string; readonly owned: number }[],
  ): Said | undefined {
    const { engine } = this.#parts;
    const sync = nameIn(object);
    const terms = engine.roster.syncNamed(sync)?.spec.mirror;
    if (terms?.enabled !== true) return undefined;
    const [trouble] = this.#troubles.get(sync)?.values() ?? [];
    if (trouble !== undefined) return troubleOf(trouble);
    const here = engine.roster.ofSync(sync).flatMap((target) => this.#told.get(targetKey(target)) ?? []);
    if (here.length === 0 && elsewhere.length === 0) return undefined;
    const beyond = elsewhere.map(({ owned }) => Math.max(0, owned - terms.maxObjects));
    const left = [...here.map((one) => one.left), ...beyond].reduce((sum, count) => sum + count, 0);
    if (left === 0) return { type: 'Mirrored', status: 'True', reason: 'Shown', message: 'Every object is shown.' };
    const message = `${left} object(s) are not shown: spec.mirror.maxObjects is ${terms.maxObjects}. Those that are not as they are meant are shown first; raise it (to 5000 at most), or ask "plumbline status" for all.`;
    return { type: 'Mirrored', status: 'False', reason: 'LeftOut', message };
  }

  /** Removes mirrors of what is gone or not shown any more, and forgets those that another replica holds. */
  sweep(): void {
    if (this.#listed === undefined) {
      const asks = [...this.#parts.state.objects('Sync').values()].some(isMirroring);
      if (asks) void this.#follow().then(() => this.sweep());
      return;
    }
    for (const [key, { ids, ...name }] of this.#told) {
      if (this.#isWanted(name) && this.#parts.engine.holds(name.platform)) continue;
      this.#told.delete(key);
      for (const id of ids) this.#forget(id);
    }
    const wanted = new Set([...this.#told.values()].flatMap(({ ids }) => [...ids]));
    for (const [id, object] of this.#writer.known) if (!wanted.has(id)) this.#judge(id, object);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#watches.map((watch) => watch[Symbol.asyncDispose]()));
    await this.#writer[Symbol.asyncDispose]();
  }

  /** What is there and nobody here has asked for: it goes, unless whoever holds the platform may want it. */
  #judge(id: string, object: KubeObject | undefined): void {
    const { engine } = this.#parts;
    const about = object === undefined ? undefined : aboutOf(object);
    if (object === undefined || about === undefined) return;
    const told = this.#told.has(targetKey(about));
    const isOurs = (): boolean => engine.holds(about.platform) && (told || !this.#isWanted(about));
    if (isOurs()) this.#writer.wish(id, { resource: resourceOf(kindOf(object)), isOurs });
  }

  /**
   * Whether what a Sync, or no other one than that with this uid, owns on a platform is to be shown. One that is not in force is not known to be
   * otherwise.
   */
  #isWanted(name: TargetName, uid?: string): boolean {
    const { engine } = this.#parts;
    const now = this.#syncOf(name.sync);
    if (now === undefined || now.metadata.deletionTimestamp !== undefined || !isMirroring(now)) return false;
    if (uid !== undefined && now.metadata.uid !== uid) return false;
    return engine.roster.syncNamed(name.sync) === undefined || engine.roster.get(name) !== undefined;
  }

  #syncOf(sync: string): KubeObject | undefined {
    return this.#parts.state.objects('Sync').get(sync.replace('.', '/'));
  }

  #forget(id: string): void {
    this.#writer.forget(id);
    for (const [sync, troubles] of this.#troubles) if (troubles.delete(id)) this.#parts.onChange(sync);
  }

  #troubled(id: string, trouble: ReconcilerError | undefined): void {
    const object = this.#writer.wishes.get(id)?.mirror?.object ?? this.#writer.known.get(id);
    const about = object === undefined ? undefined : aboutOf(object);
    if (about === undefined) return;
    const { sync } = about;
    const troubles = this.#troubles.get(sync) ?? new Map<string, ReconcilerError>();
    this.#troubles.set(sync, troubles);
    const told = (): string =>
      [...troubles.values()]
        .slice(0, 1)
        .map((one) => troubleOf(one).message)
        .join();
    const before = told();
    if (trouble === undefined) troubles.delete(id);
    else troubles.set(id, trouble);
    if (told() !== before) this.#parts.onChange(sync);
  }

  /** Resolves once all mirrors that there are are known. */
  #follow(): Promise<unknown> {
    if (this.#listed !== undefined) return this.#listed;
    const { state, engine } = this.#parts;
    this.#watches = KINDS.map((kind) => {
      const resource = resourceOf(kind);
      return new ObjectWatch({
        client: state.client,
        resource,
        ...this.#scope(),
        onChange: ({ object, gone }) => this.#writer.seen(resource, object, gone),
        onTrouble: (error) => {
          if (error !== undefined) engine.parts.log.warn('mirrors cannot be watched', { kind, error });
        },
        onFault: (error) => engine.parts.log.error('cluster handler failed', { error }),
      });
    });
    this.#listed = Promise.all(this.#watches.map(({ listed }) => listed)).then(() => this.sweep());
    return this.#listed;
  }

  #scope() {
    const { state, engine } = this.#parts;
    const labelSelector = `${MIRROR_LABEL}=${labelValue(engine.parts.installation)}`;
    return { labelSelector, ...(state.watched === undefined ? {} : { namespace: state.watched }) };
  }
}

function isMirroring(object: KubeObject): boolean {
  const { mirror } = (object['spec'] ?? {}) as { readonly mirror?: { readonly enabled?: boolean } };
  return mirror?.enabled === true;
}

/** Whose mirror it is. */
function aboutOf({ metadata: { name, namespace = '' }, mirror }: KubeObject): TargetName | undefined {
  const about = mirroredIn(name) ?? (mirror as Mirrored | undefined);
  if (about === undefined) return undefined;
  const { sync, platform, platformNamespace = namespace } = about;
  return { sync: clusterName(namespace, sync), platform: clusterName(platformNamespace, platform) };
}

function kindOf({ kind }: KubeObject) {
  return KINDS.find((one) => one === kind) ?? 'Workflow';
}

/** Of a missing right the same for every mirror: what is told does not change with each that waits for it. */
function troubleOf(trouble: ReconcilerError): Said {
  const said = { type: 'Mirrored', status: 'False' } as const;
  if (!isClusterError(trouble, 'cluster-forbidden'))
    return { ...said, reason: 'NotWritten', message: `${trouble.message} ${trouble.remedy ?? ''}`.trim() };
  const message =
    'Plumbline may not create, patch and delete objects of these kinds in this namespace. Install the chart with customResources.mirrors=true, which grants it, or take spec.mirror off.';
  return { ...said, reason: 'Forbidden', message };
}
