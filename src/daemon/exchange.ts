import { formatOrigin } from '../errors.ts';
import type { Owners } from '../ledger/owners.ts';
import type { Key, Kind, Manifest, OutputReference } from '../manifest/manifest.ts';
import { isHere } from '../manifest/output-circles.ts';
import { unknownOutput } from '../manifest/output-reference.ts';
import type { OutputNames } from '../manifest/output-reference.ts';
import { didYouMean } from '../manifest/suggest.ts';
import { missingOutput } from '../reconcile/references.ts';
import type { OtherObjects, Resolution } from '../reconcile/references.ts';
import type { Neighbours } from './neighbours.ts';
import type { Target } from './target.ts';

export interface ExchangeParts {
  readonly owners: () => Owners;
  readonly targets: () => readonly Target[];
  /** What the driver of a Platform declares. */
  readonly outputs: (platform: string) => OutputNames;
  /** Whether this replica writes to the platform. */
  readonly holds: (platform: string) => boolean;
  /** What those tell that write to others. */
  readonly neighbours?: Pick<Neighbours, 'outputs' | 'trouble'>;
}

/** One reference of an object, and what was said to it. */
interface Use {
  readonly manifest: Manifest;
  readonly reference: OutputReference;
  /** Where the object that it means is; undefined when nobody has it. */
  readonly at: Target | undefined;
  readonly answer: Resolution;
  /** What could have been said when it was asked, or whoever asked has been woken for since. */
  told: string;
}

/**
 * Outputs that objects use of objects of other Syncs, or on other Platforms: the value is what the ledger says was last
 * applied. Who uses what is kept in memory only; it is told anew by the first pass of each.
 */
export class Exchange {
  readonly #parts: ExchangeParts;
  /** By target, then by the object that refers. */
  readonly #read = new WeakMap<Target, ReadonlyMap<Key, Manifest> | undefined>();
  readonly #uses = new Map<Target, Map<Key, Map<string, Use>>>();
  /** Whether somebody was told something new: what others were told may depend on it, as at the far end of a circle. */
  #moved = false;

  constructor(parts: ExchangeParts) {
    this.#parts = parts;
  }

  /** What the passes of a target ask; a plan asks without being remembered. */
  for(target: Target, remembers: boolean): OtherObjects {
    return {
      resolve: (manifest, reference) => {
        const found = this.#find(target, manifest, reference);
        if (remembers) this.#remember(target, { manifest, reference, ...found, told: wordOf(found) });
        return found.answer;
      },
      note: (manifest, reference, answer) => {
        const use = { manifest, reference, at: target, answer };
        if (remembers) this.#remember(target, { ...use, told: this.#wordNow(target, use) });
      },
      changed: (from, reference) => {
        const use = this.#uses.get(target)?.get(from)?.get(reference.text);
        return use === undefined || this.#wordNow(target, use) !== wordOf(use);
      },
    };
  }

  /** Whether a pass of the target says something else to others than the one before: its source does, or what it was told. */
  saysAnew(target: Target): boolean {
    const manifests = target.memory.desired?.manifests;
    const anew = this.#moved || this.#read.get(target) !== manifests;
    this.#moved = false;
    this.#read.set(target, manifests);
    return anew;
  }

  /** Targets whose objects would be given another answer by now than they were; each is named once per answer. */
  stale(): readonly Target[] {
    const present = new Set(this.#parts.targets());
    const found: Target[] = [];
    for (const [target, objects] of this.#uses) {
      if (!present.has(target)) this.#uses.delete(target);
      else if (this.#anyStale(target, objects)) found.push(target);
    }
    return found;
  }

  #anyStale(target: Target, objects: Map<Key, Map<string, Use>>): boolean {
    let stale = false;
    for (const [key, uses] of objects) {
      for (const [text, use] of uses) {
        if (!isCurrent(target, use)) uses.delete(text);
        else {
          const now = this.#wordNow(target, use);
          // What a pass had from git already, and has carried out meanwhile, is no news to it.
          if (now !== use.told && now !== wordOf(use)) stale = true;
          use.told = now;
        }
      }
      if (uses.size === 0) objects.delete(key);
    }
    return stale;
  }

  /** What would be said now; of an object of the same source, what the ledger says. */
  #wordNow(target: Target, { manifest, reference, at }: Omit<Use, 'told'>): string {
    if (at !== target) return wordOf(this.#find(target, manifest, reference));
    const outputs = this.#outputsOf(target, reference.key);
    const value = typeof outputs === 'object' ? outputs[reference.output] : undefined;
    return value === undefined ? '' : wordOf({ at, answer: { state: 'known', value } });
  }

  #remember(target: Target, use: Use): void {
    const objects = this.#uses.get(target) ?? new Map<Key, Map<string, Use>>();
    this.#uses.set(target, objects);
    const uses = objects.get(use.manifest.key) ?? new Map<string, Use>();
    objects.set(use.manifest.key, uses);
    const before = uses.get(use.reference.text);
    if (before === undefined || wordOf(before) !== wordOf(use)) this.#moved = true;
    uses.set(use.reference.text, use);
  }

  #find(
    target: Target,
    manifest: Manifest,
    reference: OutputReference,
  ): { readonly at: Target | undefined; readonly answer: Resolution } {
    const askable = this.#askable(target);
    const meant = askable.filter(({ platform }) => reference.platform === undefined || reference.platform === platform);
    const holders = meant.filter((one) => this.#holds(one, reference.key));
    const [at, other] = holders;
    if (at === undefined) return { at, answer: this.#nowhere(target, reference, { askable, meant }) };
    if (other !== undefined) return { at: undefined, answer: ambiguous(reference, holders) };
    return { at, answer: this.#circle(target, manifest, { reference, at }) ?? this.#answer(reference, at) };
  }

  /** Targets whose objects this one's may refer to: those of its own Sync elsewhere, and of the Syncs that it is configured for. */
  #askable(target: Target): readonly Target[] {
    return this.#parts
      .targets()
      .filter(
        (one) =>
          one !== target &&
          one.terms.retire === undefined &&
          (one.sync === target.sync || target.references.includes(one.sync)),
      );
  }

  #holds(target: Target, key: Key): boolean {
    if (this.#outputsOf(target, key) !== undefined) return true;
    return this.#parts.holds(target.platform) && target.memory.desired?.manifests.has(key) === true;
  }

  /** What was last applied: by this replica as its ledger says, by another as that one has written down for all. */
  #outputsOf(target: Target, key: Key): ReturnType<Owners['outputs']> {
    const { holds, owners, neighbours } = this.#parts;
    return holds(target.platform) ? owners().outputs(target, key) : neighbours?.outputs(target, key);
  }

  #answer(reference: OutputReference, at: Target): Resolution {
    const { key, output } = reference;
    const flaw = unknownOutput(reference, this.#parts.outputs(at.platform));
    if (flaw !== undefined) return { state: 'refused', ...flaw };
    const outputs = this.#outputsOf(at, key);
    if (outputs === undefined || outputs === 'unknown') {
      return {
        state: 'waits',
        because: `${key} of the Sync ${at.sync} is not on ${at.platform} yet`,
        remedy: `Nothing to do when that Sync is in order: it follows by itself. See "plumbline status ${at.sync}".`,
      };
    }
    const value = outputs[output];
    if (value === undefined) return { state: 'refused', ...missingOutput(reference, Object.keys(outputs)) };
    return { state: 'known', value };
  }

  /** Nobody has it: it waits while somebody may (law 3), else it is a mistake. */
  #nowhere(
    target: Target,
    reference: OutputReference,
    { askable, meant }: { readonly askable: readonly Target[]; readonly meant: readonly Target[] },
  ): Resolution {
    const { key, platform } = reference;
    const away = meant.find((one) => !this.#parts.holds(one.platform));
    if (away !== undefined) return this.#awayFrom(key, away);
    const own = target.memory.desired !== undefined && isHere(reference, target.platform) ? [target] : [];
    const unread = [...own, ...meant].find((one) => mayHave(one, key));
    if (unread !== undefined) {
      return {
        state: 'waits',
        because: `the Sync ${unread.sync}, which may have ${key}, has not been read yet, or has a problem`,
        remedy: `Nothing to do when that Sync is in order: it follows by itself. See "plumbline status ${unread.sync}".`,
      };
    }
    const syncs = [...new Set(askable.map(({ sync }) => sync))].filter((sync) => sync !== target.sync);
    const where = syncs.length === 0 ? 'this source' : `this source nor in the Syncs ${syncs.join(', ')}`;
    if (platform !== undefined && meant.length === 0) {
      const platforms = [...new Set(askable.map((one) => one.platform))];
      return {
        state: 'refused',
        message: `no Sync that this one may refer to is on the Platform ${platform}`,
        remedy: didYouMean(platform, platforms, permit(target)),
      };
    }
    const names = meant.flatMap((one) => [...(one.memory.desired?.manifests.keys() ?? [])]);
    return {
      state: 'refused',
      message: `${key} is ${syncs.length === 0 ? 'not in' : 'neither in'} ${where}`,
      remedy: didYouMean(key, names, permit(target)),
    };
  }

  /** What stands in the source of a Sync that another replica looks after is not known here: only what it has applied. */
  #awayFrom(key: Key, { sync, platform }: Target): Resolution {
    const trouble = this.#parts.neighbours?.trouble;
    const unread = trouble === undefined ? '' : ` (what it has is not known: ${trouble.message})`;
    return {
      state: 'waits',
      because: `${key} of the Sync ${sync} is not on ${platform} yet, which another replica holds${unread}`,
      remedy: `Nothing to do when that Sync has it: it follows by itself. Otherwise correct the name. See "plumbline status ${sync}".`,
    };
  }

  /** Two objects that wait for each other across Syncs, each named to the other. */
  #circle(
    target: Target,
    manifest: Manifest,
    { reference, at }: { readonly reference: OutputReference; readonly at: Target },
  ): Resolution | undefined {
    const seen = new Set<Use>();
    const open = this.#usesOf(at, reference.key);
    for (let use = open.pop(); use !== undefined; use = open.pop()) {
      if (seen.has(use)) continue;
      seen.add(use);
      if (use.at === target && use.reference.key === manifest.key) {
        const [here, there] = [manifest.key, reference.key];
        return {
          state: 'refused',
          message: `${here} and ${there} of the Sync ${at.sync} refer to each other's outputs (${formatOrigin(use.reference.origin)}), so that neither can come first`,
          remedy: 'Write one of the values out, or use a variable.',
        };
      }
      if (use.at !== undefined) open.push(...this.#usesOf(use.at, use.reference.key));
    }
    return undefined;
  }

  #usesOf(target: Target, key: Key): Use[] {
    return [...(this.#uses.get(target)?.get(key)?.values() ?? [])].filter((use) => isCurrent(target, use));
  }
}

/** What git does not say any more is nobody's use. */
function isCurrent({ memory }: Target, { manifest, reference }: Use): boolean {
  const present = memory.desired?.manifests.get(manifest.key);
  return present?.outputReferences.some(({ text }) => text === reference.text) === true;
}

function wordOf({ at, answer }: Pick<Use, 'at' | 'answer'>): string {
  return JSON.stringify([at?.sync, at?.platform, answer]);
}

/** Whether it cannot be said yet that a Sync does not have it. */
function mayHave({ memory }: Target, key: Key): boolean {
  const { desired } = memory;
  if (desired === undefined) return true;
  return desired.unknown.keys.has(key) || desired.unknown.kinds.has(key.slice(0, key.indexOf('/')) as Kind);
}

function ambiguous({ key, output }: OutputReference, holders: readonly Target[]): Resolution {
  const where = holders.map(({ sync, platform }) => `${platform} (Sync ${sync})`).join(', ');
  const example = `\${ref:${key}@${holders[0]?.platform ?? ''}.${output}}`;
  return {
    state: 'refused',
    message: `there is a ${key} on ${where}, and which one is meant cannot be told`,
    remedy: `Name the Platform, as in ${example}.`,
  };
}

function permit({ sync }: Target): string {
  return `Correct the name; to refer to objects of another Sync, name that one in spec.references of the Sync ${sync}.`;
}
