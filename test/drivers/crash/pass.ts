import { join } from 'node:path';
import type { Driver } from '../../../src/drivers/driver.ts';
import { Ledger } from '../../../src/ledger/ledger.ts';
import { ManifestLoader } from '../../../src/manifest/load.ts';
import { KINDS } from '../../../src/manifest/manifest.ts';
import type { DefinitionFormat } from '../../../src/manifest/manifest.ts';
import type { Terms } from '../../../src/plan/terms.ts';
import { reconcile } from '../../../src/reconcile.ts';
import { PassMemory } from '../../../src/reconcile/memory.ts';
import type { PassReport } from '../../../src/report/pass-report.ts';
import type { SecretScope } from '../../../src/secrets/secrets.ts';
import { SecretStore } from '../../../src/secrets/store.ts';
import { FolderSource } from '../../../src/source/folder.ts';
import type { Source } from '../../../src/source/source.ts';

/** What a pass of these tests takes; plain enough to be sent to a child process, but for the driver. */
export interface PassSetting {
  readonly folder: string;
  readonly stateDir: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly terms?: Partial<Terms>;
  readonly sync?: string;
  /** What earlier passes learned, as a daemon keeps it; nothing when absent: what a restarted daemon has. */
  readonly memory?: PassMemory;
  /** Reads the folder; a new reader when absent. */
  readonly source?: Source;
}

const HASH_KEY = Buffer.alloc(32, 7);

const SECRET_SCOPE: SecretScope = { kind: 'source', env: ['CRASH_*'] };

/** What reads the manifests; it may be used again, which spares parsing them again. */
export function loaderFor(format: DefinitionFormat): ManifestLoader {
  return new ManifestLoader({ formats: [format], defaultFormat: format.name, secretScope: SECRET_SCOPE });
}

/** One pass over a folder. */
export async function runPass(
  setting: PassSetting,
  driver: Driver,
  loader: ManifestLoader,
  signal = AbortSignal.timeout(60_000),
): Promise<PassReport> {
  const { folder, stateDir, environment, sync = 'crash', memory = new PassMemory() } = setting;
  const ledger = Ledger.open(stateDir);
  try {
    return await reconcile(
      {
        sync,
        platform: 'main',
        source: setting.source ?? new FolderSource(folder),
        loader,
        driver,
        ledger,
        secrets: new SecretStore({ env: environment, hashKey: HASH_KEY }),
        secretScope: SECRET_SCOPE,
        terms: { ...TERMS, owner: `tests/${sync}`, ...setting.terms },
        rules: { windows: [] },
        trigger: 'start',
        mode: 'apply',
        only: [],
        memory,
        clock: Date.now,
      },
      signal,
    );
  } finally {
    ledger[Symbol.dispose]();
  }
}

const TERMS: Omit<Terms, 'owner'> = {
  previousOwners: [],
  drift: 'revert',
  gracePeriod: 0,
  adopt: 'matching',
  prune: { enabled: true, maxDeletions: { percent: 100 }, maxRevocations: { percent: 100 } },
  exclusive: false,
  kinds: KINDS,
  release: [],
  approvals: {},
};

export function stateDirIn(folder: string, name: string): string {
  return join(folder, `state-${name}`);
}

/** What a pass had to say, for the message of a failed expectation. */
export function tell(report: PassReport): string {
  const withheld = report.plan?.withheld.map(
    ({ change, code, because }) => `${change.verb} ${change.key} ${code}: ${because}`,
  );
  const failed = report.outcomes.flatMap((one) => {
    if (one.status === 'applied') return [];
    return [
      `${one.change.verb} ${one.change.key} ${one.status}: ${one.status === 'failed' ? one.error.message : one.because}`,
    ];
  });
  const problems = report.problems.map(({ message }) => message);
  const changes = report.plan?.stages.flat().map(({ verb, key, cause }) => `${verb} ${key} (${cause})`);
  return [report.result, report.error?.message, ...problems, ...(changes ?? []), ...failed, ...(withheld ?? [])]
    .filter((line) => line !== undefined)
    .join('\n');
}
