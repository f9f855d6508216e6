import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { ReconcilerError } from '../../src/errors.ts';
import { KINDS } from '../../src/manifest/manifest.ts';
import type { Driver, PlatformEvent } from '../../src/drivers/driver.ts';
import type { RemoteObject } from '../../src/plan/types.ts';
import { createAll, get, never, observe, stepFor, succeed } from './contract-steps.ts';
import type { Seen } from './contract-steps.ts';
import type { Bench } from './contract.ts';
import type { Action } from './fault-rules.ts';

/** Looking: everything, to its end, or it says that it was not (law 3). */
export function describeListing({ harness, platform, proxy, law }: Bench): void {
  const { samples } = harness;
  const isMade = (object: RemoteObject): boolean => harness.standing?.(object) !== true;

  it('says of every kind it was asked for that it was listed to its end, also when there is nothing', async () => {
    await using driver = platform().connect();
    const { objects, listed } = await observe(driver);
    expect(objects.filter(isMade)).to.deep.equal([]);
    for (const kind of KINDS) expect(listed.get(kind)?.complete, kind).to.equal(true);
    expect([...(await observe(driver, { kinds: ['Workflow'] })).listed.keys()]).to.deep.equal(['Workflow']);
  });

  it('lists only the kinds it was asked for', async () => {
    await using driver = platform().connect();
    await createAll(driver, samples);
    for (const kind of KINDS) {
      const { objects } = await observe(driver, { kinds: [kind] });
      expect(new Set(objects.map((object) => object.kind)).size).to.be.at.most(1);
      expect(objects.filter(isMade).length, kind).to.equal(samples.filter((sample) => sample.kind === kind).length);
    }
  });

  law('pages', 'lists what is beyond the first page, each object once', async () => {
    await using driver = platform().connect({ limits: { concurrency: 8, requestsPerSecond: 10_000 } });
    const many = Array.from({ length: harness.moreThanAPage }, (_, index) =>
      harness.workflow(`Workflow/many-${index}`, `Many ${index}`, 'one of many'),
    );
    await succeed(
      driver,
      many.map((sample) => stepFor('create', sample, driver)),
    );
    const { objects, listed } = await observe(driver, { kinds: ['Workflow'] });
    expect(objects.map(({ title }) => title)).to.have.members(many.map(({ title }) => title));
    expect(listed.get('Workflow')?.complete).to.equal(true);
  });

  it('a listing that breaks is never called complete, whichever request of it broke', async () => {
    await everyBreak(async (driver, at) => {
      const seen = await observe(driver).catch((error: unknown) => error);
      // A look that breaks off as a whole claims nothing either.
      if (seen instanceof Error) expect(seen, at).to.be.instanceOf(ReconcilerError);
      else expectHonest(seen as Seen, at);
    });
  });

  law('broken-apart', 'a listing that breaks costs no more than its own kinds', async () => {
    await everyBreak(async (driver, at) => expectHonest(await observe(driver), at));
  });

  it('a platform that is not there is an error that says so', async () => {
    await using driver = platform().connect({ url: 'http://127.0.0.1:9' });
    for (const attempt of [() => driver.probe(never), () => observe(driver)]) {
      const error: unknown = await attempt().then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      expect(error).to.be.instanceOf(ReconcilerError);
      expect((error as ReconcilerError).retry).to.equal('backoff');
      expect((error as ReconcilerError).code).to.equal('platform-unreachable');
    }
  });

  it('observing stops when it is told to, also in the middle of a request', async () => {
    await using driver = platform().connect({ url: proxy().url });
    const stop = new AbortController();
    proxy().rules.add({
      method: 'GET',
      path: harness.listing,
      action: { do: 'hold', at: 'before', tell: () => stop.abort() },
    });
    const error: unknown = await observe(driver, { kinds: KINDS }, stop.signal).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error, 'an aborted look is not a look').to.be.instanceOf(Error);
  });

  law('targeted', 'looks at single objects as at all of them', async () => {
    await using driver = platform().connect();
    expect(driver.targeted).to.equal(true);
    await createAll(driver, samples);
    const all = await observe(driver);
    for (const sample of samples) {
      const whole = all.objects.find(({ kind, title }) => kind === sample.kind && title === sample.title);
      if (whole === undefined) throw new Error(`${sample.key} is not listed`);
      const byId = await observe(driver, {
        kinds: [sample.kind],
        only: { remotes: [whole.remote, 'no-such'], titles: [] },
      });
      const byTitle = await observe(driver, {
        kinds: [sample.kind],
        only: { remotes: [], titles: [whole.title, 'None'] },
      });
      expect(byId.objects, `${sample.key} by id`).to.deep.equal([whole]);
      expect(byTitle.objects, `${sample.key} by title`).to.deep.equal([whole]);
    }
  });

  it('probe tells the version, the account’s rights in order, and what can be done with each kind', async () => {
    await using driver = platform().connect();
    const facts = await driver.probe(never);
    expect(facts.version).to.match(/\d/);
    expect(facts.rights).to.deep.equal(facts.rights.toSorted());
    for (const kind of new Set(samples.map((sample) => sample.kind))) {
      expect(facts.capabilities[kind].create, kind).to.equal('manage');
    }
  });

  law('narrowed-rights', 'probe tells when the account may do less', async () => {
    await using driver = platform().connect();
    await using narrowed = platform().connect({ narrowed: true });
    const [all, fewer] = [await driver.probe(never), await narrowed.probe(never)];
    expect(all.rights.filter((right) => !fewer.rights.includes(right))).to.not.deep.equal([]);
  });

  law('instance', 'probe tells one instance from another behind the same URL', async () => {
    await using other = await harness.start();
    await using driver = platform().connect({ url: proxy().url });
    const first = await driver.probe(never);
    expect(first.instance).to.be.a('string').and.not.equal('');
    expect((await driver.probe(never)).instance, 'the same as long as it is the same').to.equal(first.instance);
    proxy().retarget(other.url);
    try {
      await using again = other.connect({ url: proxy().url });
      expect((await again.probe(never)).instance).to.not.equal(first.instance);
    } finally {
      proxy().retarget(platform().url);
    }
  });

  law('events', 'says "look again" when a person changes something', async () => {
    await using driver = platform().connect();
    const sample = harness.workflow('Workflow/watched', 'Watched', 'one');
    await succeed(driver, [stepFor('create', sample, driver)]);
    const { remote } = await get(driver, sample);
    const events: PlatformEvent[] = [];
    const stop = new AbortController();
    if (driver.events === undefined) throw new Error('the driver has no events: leave the case out, with the reason');
    await using _subscription = driver.events((event) => events.push(event), stop.signal);
    const deadline = Date.now() + 20_000;
    // Edits again while waiting: whether the subscription stood before the first edit is nobody's business.
    while (events.length === 0 && Date.now() < deadline) {
      await platform().hands.edit('Workflow', remote);
      await pause(100);
    }
    stop.abort();
    expect(events.length).to.be.above(0);
  });

  /** Breaks each request of a look in turn, in each way, for good. */
  async function everyBreak(look: (driver: Driver, at: string) => Promise<void>): Promise<void> {
    await using maker = platform().connect();
    await createAll(maker, samples);
    for (const action of BREAKS) {
      for (let nth = 1; ; nth += 1) {
        // A fresh connection each time: what broke before has not opened its circuit.
        await using driver = platform().connect({ url: proxy().url });
        proxy().rules.add({ method: 'GET', path: harness.listing, nth, times: 1_000, action });
        await look(driver, `${JSON.stringify(action)} from request ${nth} on`);
        const { struck } = proxy().rules;
        proxy().rules.clear();
        if (struck === 0) break;
      }
    }
  }

  /** Kinds called complete are whole, the others say why they are not; and while something breaks, not all are complete. */
  function expectHonest({ objects, listed }: Seen, at: string): void {
    const broken = KINDS.filter((kind) => listed.get(kind)?.complete !== true);
    if (proxy().rules.struck > 0) expect(broken, at).to.not.deep.equal([]);
    for (const kind of broken) expect(listed.get(kind)?.because, `${at}: ${kind}`).to.be.a('string').and.not.equal('');
    for (const kind of KINDS.filter((one) => !broken.includes(one))) {
      const all = samples.filter((sample) => sample.kind === kind).length;
      const seen = objects.filter((object) => object.kind === kind && isMade(object)).length;
      expect(seen, `${at}: ${kind} is complete`).to.equal(all);
    }
  }
}

const BREAKS: readonly Action[] = [
  { do: 'status', code: 500 },
  { do: 'status', code: 403 },
  { do: 'status', code: 200, body: '<html>login</html>' },
  { do: 'truncate' },
  { do: 'reset', when: 'after' },
];
