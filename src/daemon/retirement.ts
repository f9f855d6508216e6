import type { Problem } from '../errors.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Log } from '../report/log.ts';
import { namespaceOf } from '../manifest/cluster-name.ts';
import type { Configuration } from './configuration.ts';
import type { TargetName } from './targets.ts';
import type { Timers } from './timers.ts';

type DeletionPolicy = 'Orphan' | 'Delete';

/** What a Sync that is gone owns on a Platform, and what is to become of it. */
export interface Retirement extends TargetName {
  readonly policy: DeletionPolicy;
  readonly driver: string;
}

/** What was decided about a Sync that is gone. It outlives the process: a restart must not decide otherwise. */
type Decision = 'retire' | 'spare' | '';

/**
 * Decides what becomes of Syncs that the ledger knows and the configuration does not. A configuration that has none of
 * the Syncs known here is taken for one that belongs elsewhere: then nothing is given up, however often it is started.
 */
export class Retirements {
  readonly #ledger: Ledger;
  readonly #log: Log;
  readonly #timers: Timers;
  #spared: ReadonlyMap<string, number> = new Map();

  constructor(parts: { readonly ledger: Ledger; readonly log: Log; readonly timers: Timers }) {
    this.#ledger = parts.ledger;
    this.#log = parts.log;
    this.#timers = parts.timers;
  }

  /** What the configuration in force leaves to be told: who was spared, and how to go on. */
  get problems(): readonly Problem[] {
    if (this.#spared.size === 0) return [];
    const owned = [...this.#spared.values()].reduce((sum, count) => sum + count, 0);
    const names = [...this.#spared.keys()].join(', ');
    return [
      {
        origin: { file: 'configuration', line: 1, column: 1 },
        severity: 'warning',
        message: `it does not have the Sync(s) ${names}, which own ${owned} object(s) according to this state directory, nor any other Sync that was known here; nothing of theirs is released or deleted.`,
        remedy:
          'If configuration and state directory do not belong together, start plumbline with those that do. If a Sync has a new name, list the old one under its spec.previousNames. If they are to go, configure them again, start plumbline, and remove them while it runs.',
      },
    ];
  }

  /** Writes down, for the time when the Sync is gone, what it wants to become of its objects. */
  configured(sync: string, policy: DeletionPolicy): void {
    this.#ledger.setCursor(policyCursor(sync), policy);
    if ((this.#ledger.cursor(decisionCursor(sync)) ?? '') !== '') this.#decide(sync, '');
  }

  /**
   * What is to be given up now. `before` are the Syncs that were configured until now in this process.
   * Nothing is, while no Sync is configured at all.
   */
  due({ syncs, platforms, retiring }: Configuration, before: ReadonlySet<string>): readonly Retirement[] {
    const spared = new Map<string, number>();
    const due: Retirement[] = [];
    const inFiles = [...syncs.keys()].filter((name) => namespaceOf(name) === undefined);
    const scopes = this.#ledger.scopes();
    const belongs = inFiles.some((name) => before.has(name) || scopes.some(({ sync }) => sync === name));
    for (const { sync, platform, owned } of [...scopes, ...scopesOf(retiring, scopes)]) {
      const custom = namespaceOf(sync) !== undefined;
      if (owned === 0 && retiring?.has(sync) !== true) continue;
      if (!custom && inFiles.length === 0) continue;
      if (!syncs.has(sync) && custom && !this.#leaves(sync, retiring)) continue;
      if (!syncs.has(sync) && !custom && this.#decided(sync, belongs ? 'retire' : 'spare') === 'spare') {
        spared.set(sync, (spared.get(sync) ?? 0) + owned);
        continue;
      }
      const policy = retiring?.get(sync)?.policy ?? this.#policyOf(sync);
      const driver = platforms.get(platform)?.spec.driver;
      if (driver !== undefined) due.push({ sync, platform, policy, driver });
      else this.#tellLost({ sync, platform, owned });
    }
    this.#spared = spared;
    return due;
  }

  #policyOf(sync: string): DeletionPolicy {
    return this.#ledger.cursor(policyCursor(sync)) === 'Delete' ? 'Delete' : 'Orphan';
  }

  /** A custom resource gives up what it owns when it is deleted, and not because it cannot be seen or read. */
  #leaves(sync: string, retiring: Configuration['retiring']): boolean {
    if (retiring?.has(sync) !== true) return this.#ledger.cursor(decisionCursor(sync)) === 'retire';
    if (this.#ledger.cursor(decisionCursor(sync)) !== 'retire') this.#decide(sync, 'retire');
    return true;
  }

  /** The decision that was made when the Sync went; made now if there is none. */
  #decided(sync: string, now: 'retire' | 'spare'): Decision {
    const before = this.#ledger.cursor(decisionCursor(sync)) as Decision | undefined;
    if (before === 'retire' || before === 'spare') return before;
    this.#decide(sync, now);
    if (now === 'spare') this.#tellSpared(sync);
    return now;
  }

  #decide(sync: string, decision: Decision): void {
    this.#ledger.setCursor(decisionCursor(sync), decision);
  }

  #tellSpared(sync: string): void {
    const message = `The Sync ${sync} is not in the configuration, nor is any other Sync that was known here; what it owns stays as it is. If this is the wrong configuration, start plumbline with the right one.`;
    this.#log.warn('sync gone, nothing given up', { sync, about: message });
    this.#ledger.addEvent({ at: this.#timers.now(), type: 'sync-spared', sync, message });
  }

  #tellLost(what: TargetName & { readonly owned: number }): void {
    this.#log.warn('sync gone with its platform', {
      ...what,
      remedy: 'Configure the Platform again to have what the Sync owned released or deleted.',
    });
  }
}

/** Where Syncs that are being deleted may own something that this ledger does not know of: it may be younger than they are. */
function scopesOf(
  retiring: Configuration['retiring'],
  known: readonly TargetName[],
): readonly (TargetName & { readonly owned: number })[] {
  return [...(retiring ?? [])].flatMap(([sync, { platforms }]) =>
    platforms
      .filter((platform) => !known.some((scope) => scope.sync === sync && scope.platform === platform))
      .map((platform) => ({ sync, platform, owned: 0 })),
  );
}

/** The policy outlives the Sync's configuration: it is needed exactly when that is gone. */
function policyCursor(sync: string): string {
  return `deletion-policy/${sync}`;
}

function decisionCursor(sync: string): string {
  return `retirement/${sync}`;
}
