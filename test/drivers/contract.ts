import { describeFailures } from './contract-failures.ts';
import type { CaseName, DriverHarness, RunningPlatform } from './contract-harness.ts';
import { describeListing } from './contract-listing.ts';
import { describeOwnership } from './contract-ownership.ts';
import { describePasses } from './contract-passes.ts';
import { describeSecrets } from './contract-secrets.ts';
import { describeWrites } from './contract-writes.ts';
import { FaultProxy } from './fault-proxy.ts';

/** What every group of cases works with. `platform` and `proxy` are there once the suite runs. */
export interface Bench {
  readonly harness: DriverHarness;
  readonly platform: () => RunningPlatform;
  /** Stands between driver and platform for those who connect through it; without rules before each case. */
  readonly proxy: () => FaultProxy;
  /** A case that a platform may leave out, with its written reason. */
  readonly law: (name: CaseName, title: string, run: () => Promise<void>) => void;
}

/**
 * The one suite that every driver passes, against the real platform where that can run: the driver laws of
 * ARCHITECTURE.md, told with sample objects that the harness brings. A case that is left out says why.
 */
export function describeDriverContract(name: string, harness: DriverHarness): void {
  describe(`The ${name} driver keeps the driver contract:`, function () {
    this.timeout(harness.patience ?? 120_000);
    let platform: RunningPlatform | undefined;
    let proxy: FaultProxy | undefined;
    before(async () => {
      platform = await harness.start();
      proxy = await FaultProxy.start(platform.url);
    });
    beforeEach(async () => {
      proxy?.rules.clear();
      await proxy?.idle();
      proxy?.forget();
      await platform?.clear();
    });
    after(async () => {
      await proxy?.[Symbol.asyncDispose]();
      await platform?.[Symbol.asyncDispose]();
    });
    const bench: Bench = {
      harness,
      platform: () => present(platform),
      proxy: () => present(proxy),
      law: (of, title, run) => {
        const reason = harness.skip[of];
        if (reason === undefined) it(title, run);
        else it.skip(`${title} (left out: ${reason})`, run);
      },
    };
    describeWrites(bench);
    describeOwnership(bench);
    describeListing(bench);
    describeSecrets(bench);
    describeFailures(bench);
    describePasses(bench);
  });
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the platform did not start');
  return value;
}
