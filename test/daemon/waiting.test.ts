import { expect } from 'chai';
import { until } from './fixture.ts';
import { MemoryPlace, application, platform, sync } from './memory-place.ts';

const ROLE = `
apiVersion: plumbline.dev/v1alpha1
kind: AccessRole
metadata: {name: operator}
spec: {title: Operator, permissions: [{on: workflow, verbs: [read, run]}]}
`;
const grant = (name: string): string => `
apiVersion: plumbline.dev/v1alpha1
kind: AccessGrant
metadata: {name: ${name}}
spec: {role: operator, subjects: [{user: ${name}}], scope: {platform: true}}
`;

describe('a Sync that waits', function () {
  this.timeout(30_000);
  let at: MemoryPlace;

  beforeEach(async () => {
    at = await MemoryPlace.create();
    await at.write({
      'orders/role.yaml': ROLE,
      'orders/alice.yaml': grant('alice'),
      'orders/bob.yaml': grant('bob'),
      'base/b.yaml': application('b'),
    });
    await at.configure(platform('prod'), platform('dead'), sync('orders', 'platform: prod'), base);
    at.platform('dead').down = true;
    await at.start();
    await at.tried();
    expect(grants()).to.have.length(2);
  });
  afterEach(() => at.remove());

  const base = sync('base', 'platform: dead, retryInterval: 1h, interval: 1h');
  const grants = () => at.platform('prod').all.filter((one) => one.startsWith('AccessGrant'));
  const status = async () => (await at.operations.status({ sync: 'orders' })).syncs[0];
  const conditions = async () => (await status())?.conditions.map((one) => `${one.type} ${one.status} ${one.reason}`);
  const waiting = (reason: string) => [
    `Ready False ${reason}`,
    `Reconciling True ${reason}`,
    `Stalled False ${reason}`,
  ];

  /** A commit that gives something and takes access away, and the pass that follows. */
  const commit = async () => {
    await at.write({ 'orders/a.yaml': application('a'), 'orders/bob.yaml': undefined });
    await until(async () => grants().length === 1, 'access taken away');
    await until(async () => (await status())?.withheld.length === 1, 'the rest withheld');
    expect(at.platform('prod').all).not.to.include('Application a');
  };

  it('for another Sync says so, takes access away meanwhile, and goes on when that one has succeeded', async () => {
    await at.configure(platform('prod'), platform('dead'), sync('orders', 'platform: prod, dependsOn: [base]'), base);
    await until(async () => (await status())?.conditions[0]?.reason === 'DependencyNotReady', 'waiting');
    expect(await conditions()).to.deep.equal(waiting('DependencyNotReady'));
    const success = (await status())?.lastSuccess;
    await commit();
    const now = await status();
    expect(await conditions()).to.deep.equal(waiting('DependencyNotReady'));
    expect(now?.conditions[0]?.message).to.include('base').and.to.include('dead');
    expect(now?.withheld).to.have.nested.property('[0].code', 'dependency');
    expect(now?.lastSuccess, 'waiting is no success').to.equal(success);
    const since = now?.conditions[0]?.lastTransitionTime;
    await at.operations.reconcile({ sync: 'orders' });
    const again = 'plumbline_passes_total{sync="orders",platform="prod",trigger="command",result="withheld"} 1';
    await until(async () => (await at.daemon.workshop.metrics.text()).includes(again), 'looked at again');
    expect((await status())?.conditions[0]?.lastTransitionTime).to.equal(since);
    at.platform('dead').down = false;
    await at.operations.reconcile({ sync: 'base' });
    await until(async () => (await status())?.conditions[0]?.status === 'True', 'woken by its dependency');
    expect(at.platform('prod').all).to.include('Application a');
  });

  it('for its window says so, takes access away meanwhile, and is not ready', async () => {
    const windows = 'windows: [{deny: "* * * * *", duration: 1h}]';
    await at.configure(platform('prod'), platform('dead'), sync('orders', `platform: prod, ${windows}`), base);
    await at.daemon.reload();
    await at.tried();
    expect((await conditions())?.[0]).to.equal('Ready True Synced');
    await commit();
    expect(await conditions()).to.deep.equal(waiting('Waiting'));
    expect((await status())?.withheld).to.have.nested.property('[0].code', 'window');
  });

  for (const how of ['a person', 'its configuration']) {
    it(`because ${how} suspended it says who, takes access away meanwhile, and is stalled`, async () => {
      if (how === 'a person') await at.operations.suspend({ sync: 'orders', reason: 'freeze', by: 'ada' });
      else {
        await at.configure(platform('prod'), platform('dead'), sync('orders', 'platform: prod, suspend: true'), base);
        await at.daemon.reload();
        await at.tried();
      }
      await commit();
      const now = await status();
      expect(await conditions()).to.deep.equal([
        'Ready False Suspended',
        'Reconciling False Suspended',
        'Stalled True Suspended',
      ]);
      expect(now?.suspended).to.include(
        how === 'a person' ? { by: 'ada', reason: 'freeze' } : { by: 'configuration', reason: 'spec.suspend is true' },
      );
    });
  }
});
