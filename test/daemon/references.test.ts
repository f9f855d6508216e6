import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { until } from './fixture.ts';
import { MemoryPlace, platform, sync } from './memory-place.ts';

const workflow = (name: string, info: string, template = false): string => `
apiVersion: plumbline.dev/v1alpha1
kind: Workflow
metadata: {name: ${name}}
spec: {template: ${template}, definition: [{id: t, type: tab, label: ${name}, info: "${info}"}]}
`;
const caller = (name: string, reference: string): string => workflow(name, `\${ref:${reference}}`, true);

describe('References across Syncs and platforms', function () {
  this.timeout(60_000);
  let at: MemoryPlace;

  beforeEach(async () => {
    at = await MemoryPlace.create();
    await at.write({
      'orders/z.yaml': workflow('z', 'first'),
      'shop/a.yaml': caller('a', 'Workflow/z.hookUrl'),
      'other/y.yaml': workflow('y', 'none'),
    });
  });
  afterEach(() => at.remove());

  const SLOW = 'retryInterval: 1h, interval: 1h, gracePeriod: 0s';
  const configure = (shop = 'references: [orders]', more: readonly string[] = []) =>
    at.configure(
      platform('n'),
      platform('d'),
      sync('orders', `platform: n, ${SLOW}`),
      sync('shop', `platform: d, ${SLOW}, ${shop}`),
      ...more,
    );
  const info = (on = 'd', title = 'a') => {
    const [root] = (at.platform(on).titles('Workflow').includes(title)
      ? at.platform(on).named('Workflow', title).value['definition']
      : []) as unknown as readonly { readonly info?: string }[];
    return root?.info;
  };
  const reads = (text: string, on = 'd', title = 'a') => until(async () => info(on, title) === text, text);
  const status = async (name = 'shop') => (await at.operations.status({ sync: name })).syncs[0];
  const problem = (name = 'shop') => until(async () => (await status(name))?.problems[0], 'a problem');
  const commit = (file: string, text: string | undefined) => at.write({ [file]: text });

  it('wait until the other stands, follow when it changes, and after a restart', async () => {
    await configure();
    at.platform('n').down = true;
    await at.start();
    await at.tried();
    const waiting = await until(async () => (await status())?.withheld[0], 'withheld');
    expect(waiting).to.deep.include({ code: 'dependency' });
    expect(waiting.because).to.equal('Workflow/a waits: Workflow/z of the Sync orders is not on n yet.');
    expect((await status())?.problems).to.deep.equal([]);
    at.platform('n').down = false;
    await at.operations.reconcile({ sync: 'orders' });
    await reads('https://memory.test/first');
    await commit('orders/z.yaml', workflow('z', 'second'));
    await reads('https://memory.test/second');
    await until(async () => (await status())?.conditions[0]?.status === 'True', 'in order');
    await at.stop();
    const { writes } = at.platform('d');
    writes.length = 0;
    await at.start();
    await at.tried();
    expect(writes).to.deep.equal([]);
    await commit('orders/z.yaml', workflow('z', 'third'));
    await reads('https://memory.test/third');
    expect(writes).to.deep.equal(['update Workflow/a']);
  });

  it('wait for the other again when the ledger is lost, and delete or make nothing meanwhile', async () => {
    await configure();
    await at.start();
    await reads('https://memory.test/first');
    await at.stop();
    for (const file of ['ledger.db', 'ledger.db-wal', 'ledger.db-shm'])
      await rm(join(at.place.state, file), { force: true });
    const { writes } = at.platform('d');
    writes.length = 0;
    at.platform('n').down = true;
    await at.start();
    await at.tried();
    const waiting = await until(async () => (await status())?.withheld[0], 'withheld');
    expect(waiting.because).to.include('Workflow/z of the Sync orders is not on n yet');
    expect(writes).to.deep.equal([]);
    at.platform('n').down = false;
    await at.operations.reconcile({ sync: 'orders' });
    await until(async () => (await status())?.conditions[0]?.status === 'True', 'in order');
    expect(writes).to.deep.equal([]);
    expect(info()).to.equal('https://memory.test/first');
    await commit('orders/z.yaml', workflow('z', 'second'));
    await reads('https://memory.test/second');
  });

  it('are refused for a Sync that is not named in spec.references, whether it has the object or not', async () => {
    await configure('references: []');
    await at.start();
    await at.tried();
    const { message, remedy, origin } = await problem();
    expect(message).to.equal('"${ref:Workflow/z.hookUrl}": Workflow/z is not in this source.');
    expect(remedy).to.equal(
      'Correct the name; to refer to objects of another Sync, name that one in spec.references of the Sync shop.',
    );
    expect(origin).to.match(/^a.yaml:5:\d+$/);
    expect(at.platform('d').all).to.deep.equal([]);
    await commit('shop/a.yaml', caller('a', 'Workflow/nobody.hookUrl'));
    await until(async () => (await problem()).message.includes('nobody'), 'the next problem');
    expect((await problem()).message).to.equal(
      '"${ref:Workflow/nobody.hookUrl}": Workflow/nobody is not in this source.',
    );
    await configure();
    await at.daemon.reload();
    await commit('shop/a.yaml', caller('a', 'Workflow/z.hookUrl'));
    await reads('https://memory.test/first');
  });

  it('to what nobody has are a problem once everybody was read; the object stays, and comes back with the other', async () => {
    await configure();
    await at.start();
    await reads('https://memory.test/first');
    await at.write({ 'orders/x.yaml': workflow('x', 'x'), 'orders/z.yaml': undefined });
    expect((await problem()).message).to.equal(
      '"${ref:Workflow/z.hookUrl}": Workflow/z is neither in this source nor in the Syncs orders.',
    );
    expect(info()).to.equal('https://memory.test/first');
    await commit('shop/a.yaml', caller('a', 'Workflow/z.hookURL'));
    await commit('orders/z.yaml', workflow('z', 'again'));
    await until(async () => (await problem()).message.includes('hookURL'), 'the next problem');
    await until(async () => (await problem()).message.includes('no output'), 'the other problem');
    expect(await problem()).to.deep.include({
      message: '"${ref:Workflow/z.hookURL}": a Workflow has no output "hookURL".',
      remedy: 'Did you mean "hookUrl"?',
    });
    await commit('shop/a.yaml', caller('a', 'Workflow/z.hookUrl'));
    await reads('https://memory.test/again');
  });

  it('wait while the other source cannot be read', async () => {
    await at.write({ 'orders/z.yaml': 'kind: Workflow\nmetadata: {name: "z' });
    await configure();
    await at.start();
    await at.tried();
    const waiting = await until(async () => (await status())?.withheld[0], 'withheld');
    expect(waiting.because).to.include(
      'the Sync orders, which may have Workflow/z, has not been read yet, or has a problem',
    );
    expect((await status())?.problems).to.deep.equal([]);
  });

  it('name the Platform where several have the object', async () => {
    await at.write({ 'other/z.yaml': workflow('z', 'else') });
    await configure('references: [orders, other]', [platform('m'), sync('other', `platform: m, ${SLOW}`)]);
    await at.start();
    await until(async () => (await status())?.problems[0]?.message.includes('there is a'), 'ambiguous');
    expect(await problem()).to.deep.include({
      message:
        '"${ref:Workflow/z.hookUrl}": there is a Workflow/z on n (Sync orders), m (Sync other), and which one is meant cannot be told.',
      remedy: 'Name the Platform, as in ${ref:Workflow/z@n.hookUrl}.',
    });
    await commit('shop/a.yaml', caller('a', 'Workflow/z@m.hookUrl'));
    await reads('https://memory.test/else');
    await commit('shop/a.yaml', caller('a', 'Workflow/z@mm.hookUrl'));
    await until(async () => (await problem()).message.includes('mm'), 'unknown platform');
    expect((await problem()).remedy).to.equal('Did you mean "m"?');
  });

  it('in a circle are a problem of both ends, each with the place of the other', async () => {
    await at.write({ 'orders/z.yaml': caller('z', 'Workflow/a.hookUrl') });
    await configure('references: [orders]');
    await at.configure(
      platform('n'),
      platform('d'),
      sync('orders', `platform: n, ${SLOW}, references: [shop]`),
      sync('shop', `platform: d, ${SLOW}, references: [orders]`),
    );
    await at.start();
    const [one, other] = await Promise.all([problem('shop'), problem('orders')]);
    expect(one.message).to.equal(
      '"${ref:Workflow/z.hookUrl}": Workflow/a and Workflow/z of the Sync orders refer to each other\'s outputs (z.yaml:5:73), so that neither can come first.',
    );
    expect(other.message).to.include('Workflow/z and Workflow/a of the Sync shop').and.include('a.yaml:5:');
    await commit('orders/z.yaml', workflow('z', 'free'));
    await reads('https://memory.test/free');
  });

  it('chain: a change at one end arrives at the other', async () => {
    await at.write({ 'other/y.yaml': caller('y', 'Workflow/a.page'), 'shop/b.yaml': caller('b', 'Workflow/a.id') });
    await configure('references: [orders]', [platform('m'), sync('other', `platform: m, ${SLOW}, references: [shop]`)]);
    await at.start();
    await reads('https://memory.test/first');
    const { remote } = at.platform('d').named('Workflow', 'a');
    await reads(`https://memory.test/${remote}/edit`, 'm', 'y');
    // An id within the source is there after the first pass only; the next comes by itself.
    await reads(remote, 'd', 'b');
    at.platform('d').remove('Workflow', 'a');
    await at.operations.reconcile({ sync: 'shop' });
    await until(async () => at.platform('d').titles('Workflow').includes('a'), 'made again');
    const again = at.platform('d').named('Workflow', 'a').remote;
    expect(again).to.not.equal(remote);
    await reads(`https://memory.test/${again}/edit`, 'm', 'y');
    await reads(again, 'd', 'b');
  });

  it('never go into metrics, events or history', async () => {
    await at.write({ 'orders/z.yaml': workflow('z', 'canary-first') });
    await configure();
    await at.start();
    await reads('https://memory.test/canary-first');
    await commit('orders/z.yaml', workflow('z', 'canary-second'));
    await reads('https://memory.test/canary-second');
    await until(async () => (await status())?.conditions[0]?.status === 'True', 'in order');
    const said = [
      await at.daemon.workshop.metrics.text(),
      JSON.stringify(await at.operations.events({})),
      JSON.stringify(await at.operations.history({})),
      JSON.stringify(await at.operations.status({})),
      at.place.log,
    ].join('\n');
    expect(said).to.not.include('canary');
  });
});
