import { expect } from 'chai';
import { createAll, get, observe, secretValue, stepFor, succeed } from '../contract-steps.ts';
import { MintDriver } from './driver.ts';
import { CIRCUIT, LIMITS, mintHarness } from './harness.ts';
import { MintServer, TOKEN } from './server.ts';

/** Lies that only a server can tell: a proxy in between would not know how. */
describe('The Mint driver, lied to,', () => {
  let mint: MintServer;
  let driver: MintDriver;
  const workflows = Array.from({ length: 12 }, (_, index) =>
    mintHarness.workflow(`Workflow/w-${index}`, `W ${index}`, 'text'),
  );

  beforeEach(async () => {
    mint = await MintServer.start({ pageSize: 5 });
    const auth = { token: () => Promise.resolve(secretValue(TOKEN)) };
    driver = new MintDriver(
      { platform: 'mint', url: mint.url, auth, limits: LIMITS, onRequest: () => undefined },
      CIRCUIT,
    );
  });
  afterEach(async () => {
    await driver[Symbol.asyncDispose]();
    await mint[Symbol.asyncDispose]();
  });

  it('calls no listing complete in which rows moved under the cursor', async () => {
    await succeed(
      driver,
      workflows.map((sample) => stepFor('create', sample, driver)),
    );
    const [first] = mint.store.list('workflows');
    if (first === undefined) throw new Error('nothing was created');
    let moved = false;
    const seen: string[] = [];
    let complete: boolean | undefined;
    for await (const item of driver.observe({ kinds: ['Workflow'] }, new AbortController().signal)) {
      if ('listed' in item) complete = item.complete;
      else seen.push(item.title);
      if (moved) continue;
      moved = true;
      // One row goes and one comes: the total stays, and the row at the edge of the page is never shown.
      mint.store.remove(first);
      mint.store.create('workflows', { title: 'New' }, 'maker');
    }
    expect(complete).to.equal(false);
    expect(seen.length).to.be.below(13);
  });

  it('calls no listing complete of which a page came without its rows', async () => {
    await succeed(
      driver,
      workflows.map((sample) => stepFor('create', sample, driver)),
    );
    for (const nth of [1, 2, 3]) {
      mint.rules.clear();
      mint.rules.add({ method: 'GET', path: /^\/api\/workflows$/, nth, action: { do: 'lose-items' } });
      const { listed } = await observe(driver, { kinds: ['Workflow'] });
      expect(listed.get('Workflow')?.complete, `page ${nth}`).to.equal(false);
    }
  });

  it('calls what refers to a kind that it may not see incomplete, instead of different', async () => {
    await createAll(driver, mintHarness.samples);
    mint.accounts.set(TOKEN, { name: 'plumbline', hidden: ['applications'] });
    const { objects, listed } = await observe(driver, { kinds: ['Workflow'] });
    expect(listed.get('Workflow')?.complete).to.equal(false);
    expect(objects.map(({ title }) => title)).to.deep.equal(['Plain']);
  });

  it('believes no answer to a write that had no effect', async () => {
    await createAll(driver, mintHarness.samples);
    for (const sample of mintHarness.samples.toReversed()) {
      const at = await get(driver, sample);
      for (const verb of ['update', 'delete'] as const) {
        mint.rules.clear();
        for (const method of ['PATCH', 'DELETE']) mint.rules.add({ method, action: { do: 'pretend' } });
        const step = stepFor(verb, sample, driver, { at, spec: sample.changed });
        for await (const outcome of driver.apply([step], new AbortController().signal)) {
          expect(outcome.status, `${verb} ${sample.key}`).to.equal('failed');
        }
      }
      mint.rules.clear();
      expect((await get(driver, sample)).value).to.deep.equal(at.value);
    }
  });

  it('deletes no role under people who hold it by a grant that is not in git', async () => {
    await createAll(driver, mintHarness.samples);
    const role = mintHarness.samples.find(({ kind }) => kind === 'AccessRole');
    const grant = mintHarness.samples.find(({ kind }) => kind === 'AccessGrant');
    if (role === undefined || grant === undefined) throw new Error('no samples');
    const signal = new AbortController().signal;
    const roleStep = stepFor('delete', role, driver, { at: await get(driver, role) });
    const grantStep = stepFor('delete', grant, driver, { at: await get(driver, grant) });
    expect((await driver.preflight([roleStep], signal)).map(({ key }) => key)).to.deep.equal([role.key]);
    expect(await driver.preflight([roleStep, grantStep], signal)).to.deep.equal([]);
  });
});
