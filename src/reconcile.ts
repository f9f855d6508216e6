import type { Driver } from './drivers/driver.ts';
import type { Ledger } from './ledger/ledger.ts';
import type { ManifestLoader } from './manifest/load.ts';
import type { SecretScope, Secrets } from './secrets/secrets.ts';
import type { Source } from './source/source.ts';
import type { Terms } from './plan/terms.ts';
import type { PassReport, Trigger } from './report/pass-report.ts';

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
  readonly trigger: Trigger;
  /** `plan` stops at the Plan value and writes nothing; `apply` goes on. */
  readonly mode: 'plan' | 'apply';
  /** Fingerprint of a saved plan that must still hold. */
  readonly expect?: string;
  readonly clock: () => number;
}

export async function reconcile(pass: Pass, signal: AbortSignal): Promise<PassReport> {
  throw new Error(`${pass.sync} ${String(signal.aborted)}`);
}
