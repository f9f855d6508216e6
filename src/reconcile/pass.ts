import type { Driver } from '../drivers/driver.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { ManifestLoader } from '../manifest/load.ts';
import type { Desired, JsonObject, Manifest } from '../manifest/manifest.ts';
import type { Terms } from '../plan/terms.ts';
import type { ChangeChecks } from '../plugins/changes.ts';
import type { Rules } from '../policy/review.ts';
import type { Trigger } from '../report/pass-report.ts';
import type { SecretScope, Secrets } from '../secrets/secrets.ts';
import type { Source } from '../source/source.ts';
import type { PassMemory } from './memory.ts';
import type { OtherObjects } from './references.ts';

/** What finds the commit that an Integration's code is locked to. */
export interface Pins {
  /**
   * The spec with the commit in it: the one that is locked already, else the one that its ref leads to now.
   * @throws ReconcilerError when the code may not run, or is not there
   */
  pin(manifest: Pick<Manifest, 'key' | 'name'>, spec: JsonObject, signal: AbortSignal): Promise<JsonObject>;
}

/** What one pass needs: composed by the daemon or a command, for one Sync on one Platform. */
export interface Pass {
  readonly sync: string;
  readonly platform: string;
  readonly source: Source;
  readonly loader: ManifestLoader;
  readonly driver: Driver;
  readonly ledger: Ledger;
  readonly secrets: Secrets;
  /** What references in this source's manifests may reach. */
  readonly secretScope: SecretScope;
  readonly terms: Terms;
  readonly rules: Rules;
  /** Objects elsewhere whose outputs manifests may use; none when absent. */
  readonly others?: OtherObjects;
  /** Plugins that look at what would be changed; nobody is asked when absent. */
  readonly checkChanges?: ChangeChecks;
  /** Pins what Integrations run to a commit; those that run code are refused when absent. */
  readonly pins?: Pins;
  readonly trigger: Trigger;
  /** `plan` stops at the Plan value and writes nothing; `apply` goes on. */
  readonly mode: 'plan' | 'apply';
  /** Told what the source says, before anything is sent. */
  readonly onDesired?: (desired: Desired) => void;
  /** Fingerprint of a saved plan that must still hold. */
  readonly expect?: string;
  /** Keys to restrict the plan to; all when empty. */
  readonly only: readonly string[];
  /** Kept from pass to pass of this Sync on this Platform. */
  readonly memory: PassMemory;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
}
