import { expect } from 'chai';
import type { Driver, Limits } from '../../src/drivers/driver.ts';
import { KINDS } from '../../src/manifest/manifest.ts';
import type { PassReport } from '../../src/report/pass-report.ts';
import { ContractDesk } from './contract-desk.ts';
import type { Sample } from './contract-harness.ts';
import { never } from './contract-steps.ts';
import type { Bench } from './contract.ts';
import { tell } from './crash/pass.ts';
import type { Action } from './fault-rules.ts';

/** Passes that a storm of faults may take; then it ends, whatever stands. */
const STORM = 15;
/** Points of a pass at which it is stopped and its ledger lost; spread over all of its requests. */
const LOSSES = 6;

const FAULTS: readonly Action[] = [
  { do: 'status', code: 500 },
  { do: 'status', code: 429, retryAfter: 0 },
  { do: 'reset', when: 'before' },
  { do: 'reset', when: 'after' },
  { do: 'truncate' },
  { do: 'stall', when: 'before' },
  { do: 'status', code: 500 },
  { do: 'status', code: 429, retryAfter: 0 },
  { do: 'truncate' },
  { do: 'stall', when: 'after' },
];

/** Whole passes, from manifests and with a ledger, where the network, the ledger or the platform is not what it was. */
export function describePasses({ harness, platform, proxy, law }: Bench): void {
  const { samples } = harness;
  let desk: ContractDesk;
  beforeEach(() => (desk = new ContractDesk()));
  afterEach(() => desk[Symbol.dispose]());

  const connect = (limits: Partial<Limits> = {}): Driver => platform().connect({ url: proxy().url, limits });
  /** Where answers may never come; elsewhere a busy machine has all the time it takes. */
  const impatient = { timeout: harness.shortTimeout };
  const pass = async (
    terms: Parameters<ContractDesk['pass']>[1] = {},
    limits?: Partial<Limits>,
  ): Promise<PassReport> => {
    await using driver = connect(limits);
    return await desk.pass(driver, terms);
  };
  const write = async (which: 'spec' | 'changed' = 'spec', some = samples): Promise<void> => {
    await using driver = connect();
    desk.write(some, driver.format?.name, which);
  };

  it('converges through a storm that strikes 30 % of all requests, creates nothing twice, and then is quiet', async () => {
    for (const which of ['spec', 'changed'] as const) {
      await write(which);
      proxy().forget();
      proxy().rules.add({ share: 0.3, seed: which.length, times: Infinity, actions: FAULTS });
      let passes = 0;
      let last: PassReport | undefined;
      while (passes < STORM && last?.result !== 'in-sync') {
        passes += 1;
        last = await pass({}, impatient);
      }
      const { struck } = proxy().rules;
      expect(struck, 'requests struck').to.be.above(0);
      const of = `${struck} of ${proxy().requests.length} requests in ${passes} passes`;
      console.log(
        `        ${of}, each without an answer for ${harness.shortTimeout} ms at most: ${last?.result ?? ''}`,
      );
      proxy().rules.clear();
      await proxy().idle();
      await expectWhole(which);
    }
  });

  it('stopped at requests all over a pass, its ledger lost with it, makes nothing twice and deletes nothing', async () => {
    await write();
    proxy().forget();
    expectClean(await pass(), 'a pass that nobody stops');
    const requests = proxy().requests.length;
    for (let point = 0; point < LOSSES; point += 1) {
      await platform().clear();
      desk.loseLedger();
      const nth = 1 + Math.floor(((point + 0.5) * requests) / LOSSES);
      await stopAt(nth);
      desk.loseLedger();
      const truths = await Promise.all(KINDS.map((kind) => platform().truth(kind)));
      await pass({ adopt: 'matching' });
      expectClean(
        await pass({ adopt: 'matching', approvals: { adopt: true } }),
        `lost at request ${nth} of ${requests}`,
      );
      for (const [index, kind] of KINDS.entries())
        expect(await platform().truth(kind), `what was there stays, at ${nth}`).to.include.members([
          ...(truths[index] ?? []),
        ]);
      await expectWhole('spec', { adopt: 'matching' });
    }
  });

  law(
    'instance',
    'another instance behind the same URL gets nothing, and what is owned is not believed lost',
    async () => {
      await using other = await harness.start();
      await other.clear();
      await write();
      expectClean(await pass(), 'the first pass');
      proxy().retarget(other.url);
      try {
        await using driver = other.connect({ url: proxy().url });
        const { plan, outcomes } = await desk.pass(driver);
        const codes = new Set(plan?.withheld.map(({ code }) => code));
        expect([...codes]).to.deep.equal(['instance-changed']);
        expect(outcomes).to.deep.equal([]);
        for (const kind of KINDS) {
          const there = await other.truth(kind);
          expect(
            titles(kind).filter((title) => there.includes(title)),
            kind,
          ).to.deep.equal([]);
        }
      } finally {
        proxy().retarget(platform().url);
      }
      expect((await pass()).result).to.equal('in-sync');
    },
  );

  law(
    'narrowed-rights',
    'what the account may not do is withheld before the first write, with the reason',
    async () => {
      await write();
      await using driver = platform().connect({ url: proxy().url, narrowed: true });
      const { capabilities } = await driver.probe(never);
      const refused = samples.filter(({ kind }) => capabilities[kind].create !== 'manage');
      const { plan, outcomes } = await desk.pass(driver);
      const withheld = plan?.withheld ?? [];
      expect(withheld.map(({ change }) => change.key)).to.include.members(refused.map(({ key }) => key));
      for (const { because, remedy } of withheld) expect([because, remedy]).to.not.include('');
      for (const { key } of refused) expect(outcomes.map(({ change }) => change.key)).to.not.include(key);
      if (refused.length === samples.length) expect(proxy().writes).to.deep.equal([]);
    },
  );

  law('narrowed-rights', 'under fewer rights than last time absence is not proven: nothing is deleted', async () => {
    await write();
    expectClean(await pass(), 'with all rights');
    const gone = samples.findLast(({ kind }) => kind === 'Workflow');
    await write(
      'spec',
      samples.filter((sample) => sample !== gone),
    );
    proxy().forget();
    await using driver = platform().connect({ url: proxy().url, narrowed: true });
    expect((await desk.pass(driver)).outcomes).to.deep.equal([]);
    expect(proxy().writes).to.deep.equal([]);
    for (const kind of KINDS) expect(await platform().truth(kind), kind).to.include.members(titles(kind));
  });

  function titles(kind: string): string[] {
    return samples.filter((sample) => sample.kind === kind).map(({ title }) => title);
  }

  /** Everything stands once, and one more pass finds nothing to do. */
  async function expectWhole(which: 'spec' | 'changed', terms: Parameters<typeof pass>[0] = {}): Promise<void> {
    let report = await pass(terms);
    for (let more = 0; more < 2 && report.result !== 'in-sync'; more += 1) report = await pass(terms);
    expect(report.result, tell(report)).to.equal('in-sync');
    for (const kind of KINDS) {
      const wanted = samples.filter((sample) => sample.kind === kind).map((sample) => titleOf(sample, which));
      expect(await platform().truth(kind), `${kind} objects on the platform`).to.have.members(wanted);
    }
    proxy().forget();
    const quiet = await pass(terms);
    expect(quiet.result, tell(quiet)).to.equal('in-sync');
    expect(proxy().writes, 'writes of a quiet pass').to.deep.equal([]);
  }

  async function stopAt(nth: number): Promise<void> {
    const stop = new AbortController();
    proxy().rules.add({ nth, action: { do: 'hold', at: 'answer', tell: () => stop.abort() } });
    await using driver = connect();
    await desk.pass(driver, {}, stop.signal);
    proxy().rules.clear();
    await proxy().idle();
  }
}

function titleOf({ spec, changed, title }: Sample, which: 'spec' | 'changed'): string {
  const given = (which === 'spec' ? spec : changed)['title'];
  return typeof given === 'string' ? given : title;
}

function expectClean(report: PassReport, what: string): void {
  expect(['applied', 'in-sync'], `${what} ended well:\n${tell(report)}`).to.include(report.result);
}
