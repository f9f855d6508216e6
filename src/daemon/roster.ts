import { createHash } from 'node:crypto';
import type { Problem } from '../errors.ts';
import type { DefinitionFormat } from '../manifest/manifest.ts';
import { namespaceOf } from '../manifest/cluster-name.ts';
import type { Sync } from '../manifest/sync.ts';
import type { DriverDefinition } from '../drivers/driver.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Log } from '../report/log.ts';
import type { Metrics } from '../report/metrics.ts';
import type { Secrets } from '../secrets/secrets.ts';
import type { Source } from '../source/source.ts';
import type { Configuration } from './configuration.ts';
import { Retirements } from './retirement.ts';
import { measured, orUnusable, sourceOf } from './sources.ts';
import type { CustomResources } from './sources.ts';
import { retiringTarget, targetOf } from './target.ts';
import type { Target } from './target.ts';
import { platformsOf, targetKey } from './targets.ts';
import type { TargetName } from './targets.ts';
import type { Timers } from './timers.ts';

export interface RosterParts {
  readonly ledger: Ledger;
  readonly secrets: Secrets;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly timers: Timers;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly stateDir: string;
  readonly baseDir: string;
  readonly installation: string;
  readonly driverNamed: (name: string) => DriverDefinition;
  readonly formats: readonly DefinitionFormat[];
  /** Absent outside of a cluster. */
  readonly customResources?: CustomResources;
}

interface SyncEntry {
  readonly text: string;
  readonly source: Source;
  readonly sync: Sync;
}

/** Who is to be reconciled: the targets that the configuration names, and those that are gone and still own something. */
export class Roster {
  readonly #parts: RosterParts;
  readonly #syncs = new Map<string, SyncEntry>();
  readonly #targets = new Map<string, Target>();
  readonly #bySync = new Map<string, Set<Target>>();
  readonly #onPlatform = new Map<string, Set<Target>>();
  #cluster: readonly Sync[] | undefined;
  /** Platform documents that the targets were made for: another driver needs another loader. */
  readonly #platforms = new Map<string, string>();
  readonly #retirements: Retirements;

  constructor(parts: RosterParts) {
    this.#parts = parts;
    this.#retirements = new Retirements(parts);
  }

  /** What is odd about the configuration in force, seen beside what the ledger knows. */
  get problems(): readonly Problem[] {
    return this.#retirements.problems;
  }

  targets(): readonly Target[] {
    return [...this.#targets.values()];
  }

  find(key: string): Target | undefined {
    return this.#targets.get(key);
  }

  get(name: TargetName): Target | undefined {
    return this.#targets.get(targetKey(name));
  }

  ofSync(sync: string): readonly Target[] {
    return this.allOfSync(sync).filter(({ terms }) => terms.retire === undefined);
  }

  /** Those on their way out among them. */
  allOfSync(sync: string): readonly Target[] {
    return [...(this.#bySync.get(sync) ?? [])];
  }

  onPlatform(platform: string): readonly Target[] {
    return [...(this.#onPlatform.get(platform) ?? [])];
  }

  /** Whether anything of that Sync is left, be it on its way out. */
  has(sync: string): boolean {
    return this.#bySync.has(sync);
  }

  drop(target: Target): void {
    if (this.find(target.place.key) === target) this.#remove(target.place.key);
  }

  /** As it is configured. */
  syncNamed(name: string): Sync | undefined {
    return this.#syncs.get(name)?.sync;
  }

  /** What stands for a Sync as it is configured: another one whenever anything of it is. */
  settingsOf(sync: string): string {
    const text = this.#syncs.get(sync)?.text ?? '';
    return createHash('sha256').update(text).digest('hex').slice(0, 16);
  }

  /** Syncs whose source are custom resources, by name. */
  cluster(): readonly Sync[] {
    this.#cluster ??= [...this.#syncs.values()]
      .map(({ sync }) => sync)
      .filter(({ spec }) => spec.source.cluster !== undefined)
      .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
    return this.#cluster;
  }

  /** The source of each Sync, for its triggers. */
  sources(): readonly { readonly name: string; readonly source: Source; readonly schedule?: string }[] {
    return [...this.#syncs].map(([name, { source, sync }]) => ({
      name,
      source,
      ...(sync.spec.schedule === undefined ? {} : { schedule: sync.spec.schedule }),
    }));
  }

  /** What a configuration would change: targets whose passes have to end first, and keys of targets that are made anew. */
  plan(configuration: Configuration): { readonly gone: readonly Target[]; readonly fresh: ReadonlySet<string> } {
    const kept = new Set<string>();
    const fresh = new Set<string>();
    for (const { name, sync } of wantedTargets(configuration)) {
      const key = targetKey(name);
      const existing = this.#targets.get(key);
      const same = existing?.terms.retire === undefined && this.#syncs.get(name.sync)?.text === JSON.stringify(sync);
      if (
        existing !== undefined &&
        same &&
        this.#platforms.get(name.platform) === platformText(configuration, name.platform)
      )
        kept.add(key);
      else fresh.add(key);
    }
    const gone = this.targets().filter(
      ({ place, terms }) => !kept.has(place.key) && (terms.retire === undefined || fresh.has(place.key)),
    );
    for (const { place } of gone) fresh.add(place.key);
    return { gone, fresh };
  }

  /** Puts a configuration in force. */
  adopt(configuration: Configuration): void {
    const { fresh } = this.plan(configuration);
    const before = new Set(this.#syncs.keys());
    for (const key of fresh) this.#remove(key);
    this.#adoptSyncs(configuration);
    for (const { name, sync } of wantedTargets(configuration)) {
      if (this.#targets.has(targetKey(name))) continue;
      const driver = configuration.platforms.get(name.platform)?.spec.driver ?? '';
      const source = this.#syncs.get(name.sync)?.source;
      if (source !== undefined) this.#put(targetOf(sync, name.platform, source, this.#targetParts(driver)));
    }
    for (const [name, { sync }] of this.#syncs) this.#retirements.configured(name, sync.spec.deletionPolicy);
    this.#platforms.clear();
    for (const name of configuration.platforms.keys()) this.#platforms.set(name, platformText(configuration, name));
    this.#retire(configuration, before);
  }

  #adoptSyncs({ syncs, baseDir }: Configuration): void {
    this.#cluster = undefined;
    const { ledger, secrets, environment, stateDir, metrics, customResources } = this.#parts;
    for (const name of this.#syncs.keys()) if (!syncs.has(name)) this.#syncs.delete(name);
    for (const [name, sync] of syncs) {
      const text = JSON.stringify(sync);
      if (this.#syncs.get(name)?.text === text) continue;
      for (const former of sync.spec.previousNames) if (!syncs.has(former)) ledger.renameSync(former, name);
      const cluster = customResources === undefined ? {} : { customResources };
      const open = (): Source => sourceOf(sync, { stateDir, baseDir, secrets, environment, ...cluster });
      // A custom resource stands for itself: what is wrong with its source is told by its own passes.
      const source = measured(namespaceOf(name) === undefined ? open() : orUnusable(open), name, metrics);
      this.#syncs.set(name, { text, source, sync });
    }
  }

  /** Whatever the ledger says is owned by a Sync that is no more is released or deleted, as that Sync said. */
  #retire(configuration: Configuration, before: ReadonlySet<string>): void {
    for (const { policy, driver, ...name } of this.#retirements.due(configuration, before)) {
      if (this.#targets.has(targetKey(name))) continue;
      this.#parts.log.info('sync retiring', { ...name, policy });
      this.#put(retiringTarget(name, policy, this.#targetParts(driver)));
    }
  }

  #put(target: Target): void {
    this.#targets.set(target.place.key, target);
    for (const [index, name] of this.#indexes(target)) index.set(name, (index.get(name) ?? new Set()).add(target));
  }

  #remove(key: string): void {
    const target = this.#targets.get(key);
    if (target === undefined) return;
    this.#targets.delete(key);
    for (const [index, name] of this.#indexes(target)) {
      const targets = index.get(name);
      targets?.delete(target);
      if (targets?.size === 0) index.delete(name);
    }
  }

  #indexes({ sync, platform }: Target) {
    return [
      [this.#bySync, sync],
      [this.#onPlatform, platform],
    ] as const;
  }

  #targetParts(driver: string) {
    const { installation, formats } = this.#parts;
    return { installation, formats, defaultFormat: driver };
  }
}

function wantedTargets({
  syncs,
  platforms,
}: Configuration): readonly { readonly name: TargetName; readonly sync: Sync }[] {
  return [...syncs].flatMap(([name, sync]) =>
    platformsOf(sync, platforms).map((platform) => ({ name: { sync: name, platform }, sync })),
  );
}

function platformText({ platforms }: Configuration, name: string): string {
  return JSON.stringify(platforms.get(name) ?? null);
}
