import { expect } from 'chai';
import type { Driver } from '../../src/drivers/driver.ts';
import { KINDS } from '../../src/manifest/manifest.ts';
import type { Sample } from './contract-harness.ts';
import {
  apply,
  createAll,
  expectContent,
  find,
  get,
  inStages,
  isAsMeant,
  never,
  observe,
  stepFor,
  succeed,
} from './contract-steps.ts';
import type { Bench } from './contract.ts';
import type { Action } from './fault-rules.ts';

/** What goes wrong stays small, is told, and is put right by looking again (laws 6, 8 and 13). */
export function describeFailures({ harness, platform, proxy, law }: Bench): void {
  const { samples } = harness;
  const few = oneOfEach(samples);

  law('poison', 'one object that the platform refuses fails alone (law 8)', async () => {
    await using driver = platform().connect();
    const bad = harness.poisoned ?? harness.workflow('Workflow/bad', 'Bad', 'poison');
    const good = [1, 2, 3].map((n) => harness.workflow(`Workflow/good-${n}`, `Good ${n}`, 'sound'));
    harness.poison?.(platform(), bad);
    const stage = [good[0], bad, good[1], good[2]].filter((sample) => sample !== undefined);
    const outcomes = await apply(
      driver,
      stage.map((sample) => stepFor('create', sample, driver)),
    );
    for (const outcome of outcomes) {
      expect(outcome.status, outcome.change.key).to.equal(outcome.change.key === bad.key ? 'failed' : 'applied');
    }
    expect(await platform().truth('Workflow')).to.have.members(good.map(({ title }) => title));
  });

  law(
    'preflight',
    'what the platform would refuse or not survive is refused before the first write (law 13)',
    async () => {
      await using driver = platform().connect({ url: proxy().url });
      const { refused } = harness;
      if (refused === undefined)
        throw new Error('the harness has no refused sample: leave the case out, with the reason');
      const sound = harness.workflow('Workflow/sound', 'Sound', 'sound');
      const steps = [stepFor('create', refused, driver), stepFor('create', sound, driver)];
      const refusals = (await driver.preflight?.(steps, never)) ?? [];
      expect(refusals.map(({ key }) => key)).to.deep.equal([refused.key]);
      expect(refusals[0]?.because).to.be.a('string').and.not.equal('');
      expect(refusals[0]?.remedy).to.be.a('string').and.not.equal('');
      expect(proxy().writes).to.deep.equal([]);
    },
  );

  it('preflight lets everything pass that then succeeds', async () => {
    await using driver = platform().connect();
    const steps = samples.map((sample) => stepFor('create', sample, driver));
    expect((await driver.preflight?.(steps, never)) ?? []).to.deep.equal([]);
    await createAll(driver, samples);
  });

  it('a platform that asks for patience gets it, and each write once (429 with Retry-After)', async () => {
    await using driver = platform().connect({ url: proxy().url });
    await driver.probe(never);
    const sample = harness.workflow('Workflow/patient', 'Patient', 'one');
    proxy().rules.add({ writes: true, times: 2, action: { do: 'status', code: 429, retryAfter: 1 } });
    await succeed(driver, [stepFor('create', sample, driver)]);
    const [first, second, third, ...more] = proxy().writes;
    expect([first?.status, second?.status]).to.deep.equal([429, 429]);
    expect(new Set([first?.path, second?.path, third?.path]).size).to.equal(1);
    expect(more.filter(({ path }) => path === first?.path)).to.deep.equal([]);
    // Waiting longer than asked is fine on any machine; the asked second less some timer slack is the least.
    for (const [early, late] of [
      [first, second],
      [second, third],
    ]) {
      expect((late?.at ?? 0) - (early?.at ?? 0)).to.be.at.least(950);
    }
    expect(await platform().truth('Workflow')).to.deep.equal(['Patient']);
  });

  const lost: readonly (readonly [string, Action, { readonly writes?: true }])[] = [
    ['is lost before it arrives', { do: 'reset', when: 'before' }, {}],
    ['arrives, and its answer is lost', { do: 'reset', when: 'after' }, {}],
    ['arrives, and its answer is cut short', { do: 'truncate' }, {}],
    ['fails with 500', { do: 'status', code: 500 }, {}],
    ['gets no answer in time', { do: 'stall', when: 'after' }, { writes: true }],
  ];
  for (const [what, action, which] of lost) {
    it(`when a request of a write ${what}, looking again makes it whole without a second object (law 6)`, async () => {
      for (let nth = 1; ; nth += 1) {
        await platform().clear();
        proxy().rules.clear();
        proxy().rules.add({ ...which, nth, action });
        await using driver = platform().connect({ url: proxy().url, limits: { timeout: harness.shortTimeout } });
        await createSome(driver, few);
        const struck = proxy().rules.struck;
        proxy().rules.clear();
        await proxy().idle();
        await converge(few);
        if (struck === 0) return;
      }
    });
  }

  for (const at of ['before', 'sent', 'answer'] as const) {
    it(`stopped at any request (${at === 'before' ? 'before it is sent' : at === 'sent' ? 'once it is sent' : 'before the answer arrives'}), the rest is made whole later (law 6)`, async () => {
      for (let nth = 1; ; nth += 1) {
        await platform().clear();
        proxy().rules.clear();
        const stop = new AbortController();
        const tell = (): void => stop.abort();
        proxy().rules.add({ nth, action: { do: 'hold', at, tell } });
        await using driver = platform().connect({ url: proxy().url });
        await createSome(driver, few, stop.signal);
        proxy().rules.clear();
        await proxy().idle();
        await converge(few);
        if (!stop.signal.aborted) return;
      }
    });
  }

  law('silent-failure', 'a success without effect is not believed (law 13)', async () => {
    const { emptySuccess } = harness;
    if (emptySuccess === undefined)
      throw new Error('the harness has no empty success: leave the case out, with the reason');
    await using driver = platform().connect({ url: proxy().url, limits: { timeout: harness.shortTimeout } });
    const sample = harness.workflow('Workflow/ghost', 'Ghost', 'one');
    proxy().rules.add({ writes: true, times: 100, action: { do: 'status', ...emptySuccess } });
    const [outcome] = await apply(driver, [stepFor('create', sample, driver)]);
    expect(outcome?.status).to.equal('failed');
    proxy().rules.clear();
    expect(await platform().truth('Workflow')).to.deep.equal([]);
  });

  /** Creates stage by stage, and goes on after failures as long as nobody says stop. */
  async function createSome(driver: Driver, wanted: readonly Sample[], signal = never): Promise<void> {
    for (const stage of inStages(wanted)) {
      await apply(
        driver,
        stage.map((sample) => stepFor('create', sample, driver)),
        signal,
      );
    }
  }

  /** What a pass without a ledger does: looks, matches by marker or title, and writes what is missing or differs. */
  async function converge(wanted: readonly Sample[]): Promise<void> {
    await using driver = platform().connect();
    for (const stage of inStages(wanted)) {
      const seen = await observe(driver);
      await succeed(
        driver,
        stage.flatMap((sample) => {
          const at = find(seen, sample, driver);
          if (at === undefined) return [stepFor('create', sample, driver)];
          return isAsMeant(at, sample, driver) ? [] : [stepFor('update', sample, driver, { at })];
        }),
      );
    }
    for (const sample of wanted) expectContent(await get(driver, sample), sample, driver);
    await expectOnce(wanted);
  }

  async function expectOnce(wanted: readonly Sample[]): Promise<void> {
    for (const kind of KINDS) {
      const titles = wanted.filter((sample) => sample.kind === kind).map(({ title }) => title);
      expect(await platform().truth(kind), `${kind} objects on the platform`).to.have.members(titles);
    }
  }
}

/** The last sample of each kind, which is the one that refers to others, and what these depend on. */
function oneOfEach(samples: readonly Sample[]): readonly Sample[] {
  const last = new Map(samples.map((sample) => [sample.kind, sample.key]));
  const needed = new Set(
    samples.flatMap(({ key, kind, dependsOn }) => (last.get(kind) === key ? [key, ...dependsOn] : [])),
  );
  const referred = new Set(
    samples.filter(({ key }) => needed.has(key)).flatMap(({ key, dependsOn }) => [key, ...dependsOn]),
  );
  return samples.filter(({ key }) => referred.has(key));
}
