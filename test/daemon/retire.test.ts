import { expect } from 'chai';
import { until } from './fixture.ts';
import { MemoryPlace, application, integration, platform, sync } from './memory-place.ts';

describe('Syncs that go', function () {
  this.timeout(30_000);
  let at: MemoryPlace;

  beforeEach(async () => {
    at = await MemoryPlace.create();
    await at.write({ 'orders/a.yaml': application('a'), 'billing/b.yaml': application('b') });
  });
  afterEach(() => at.remove());

  const prod = () => at.platform('prod');
  const orders = (policy: string) => sync('orders', `platform: prod, deletionPolicy: ${policy}`);
  const billing = sync('billing', 'platform: prod');
  const names = async () => (await at.operations.status({})).syncs.map(({ sync: name }) => name);
  const gone = (name: string) => until(async () => !(await names()).includes(name), `${name} retired`);
  const marked = (title: string) => prod().named('Application', title).marker !== undefined;
  const startBoth = async (policy: string) => {
    await at.configure(platform('prod'), orders(policy), billing);
    await at.start();
    await at.tried();
    expect(prod().all).to.deep.equal(['Application a', 'Application b']);
  };

  for (const policy of ['Delete', 'Orphan']) {
    const left = policy === 'Delete' ? ['Application b'] : ['Application a', 'Application b'];
    const words = policy === 'Delete' ? 'takes what it owned along' : 'leaves what it owned, without its marker';

    it(`with deletionPolicy ${policy}, one that is removed while plumbline runs ${words}`, async () => {
      await startBoth(policy);
      await at.configure(platform('prod'), billing);
      await gone('orders');
      expect(prod().all).to.deep.equal(left);
      if (policy === 'Orphan') expect([marked('a'), marked('b')]).to.deep.equal([false, true]);
    });

    it(`with deletionPolicy ${policy}, one that is removed while plumbline does not run ${words}`, async () => {
      await startBoth(policy);
      await at.stop();
      await at.configure(platform('prod'), billing);
      await at.start();
      await gone('orders');
      expect(prod().all).to.deep.equal(left);
      if (policy === 'Orphan') expect([marked('a'), marked('b')]).to.deep.equal([false, true]);
    });
  }

  it('give up nothing when the configuration has no Sync that is known here, however often it is started', async () => {
    await startBoth('Delete');
    await at.stop();
    await at.write({ 'other/o.yaml': application('o') });
    await at.configure(platform('prod'), sync('other', 'platform: prod'));
    for (const time of ['first', 'second']) {
      await at.start();
      await at.tried();
      const { syncs, configuration } = await at.operations.status({});
      expect(
        syncs.map((one) => one.sync),
        time,
      ).to.deep.equal(['other']);
      expect(configuration.valid).to.equal(true);
      expect(configuration.problems).to.have.length(1);
      expect(configuration.problems[0]).to.include({ severity: 'warning' });
      expect(configuration.problems[0]?.message).to.include('billing, orders').and.to.include('2 object(s)');
      expect(configuration.problems[0]?.remedy).to.include('previousNames');
      await at.stop();
    }
    expect(prod().all).to.deep.equal(['Application a', 'Application b', 'Application o']);
    expect([marked('a'), marked('b')]).to.deep.equal([true, true]);
    const told = at.place.log.split('\n').filter((line) => line.includes('sync gone, nothing given up'));
    expect(told, 'told once each').to.have.length(2);
  });

  it('that were spared go when they were configured again and are removed then', async () => {
    await startBoth('Delete');
    await at.stop();
    await at.write({ 'other/o.yaml': application('o') });
    const other = sync('other', 'platform: prod');
    await at.configure(platform('prod'), other);
    await at.start();
    await at.tried();
    await at.configure(platform('prod'), other, orders('Delete'));
    await until(async () => (await names()).includes('orders'), 'configured again');
    await at.tried();
    expect((await at.operations.status({})).configuration.problems[0]?.message).to.include('Sync(s) billing, which');
    await at.configure(platform('prod'), other);
    await gone('orders');
    expect(prod().all).to.deep.equal(['Application b', 'Application o']);
  });

  it('whose removal was seen while plumbline ran are retired by the next start, if nothing that stays is known', async () => {
    await at.configure(platform('prod'), orders('Delete'), sync('empty', 'platform: prod'));
    await at.write({ 'empty/readme.md': 'nothing' });
    await at.start();
    await at.tried();
    prod().down = true;
    prod().beforeWrite = () => {
      throw new Error('not now');
    };
    await at.configure(platform('prod'), sync('empty', 'platform: prod'));
    await until(async () => at.place.log.includes('sync retiring'), 'retiring');
    await at.stop();
    prod().down = false;
    prod().beforeWrite = () => undefined;
    expect(prod().all).to.deep.equal(['Application a']);
    await at.start();
    await gone('orders');
    expect(prod().all).to.deep.equal([]);
  });

  it('and come back under a new name that lists the old one keep everything: nothing is written, nobody owns it twice', async () => {
    await at.write({ 'orders/i.yaml': integration('i') });
    await at.configure(platform('prod'), orders('Delete'), billing);
    await at.start();
    await at.tried();
    expect(prod().all).to.deep.equal(['Application a', 'Application b', 'Integration i']);
    const remotes = () => [...prod().objects.keys()].toSorted();
    const before = remotes();
    for (const running of [true, false]) {
      const [from, to] = running ? ['orders', 'sales'] : ['sales', 'trade'];
      if (!running) await at.stop();
      prod().writes.length = 0;
      await at.write({ [`${to}/a.yaml`]: application('a'), [`${to}/i.yaml`]: integration('i') });
      await at.configure(
        platform('prod'),
        sync(to, `platform: prod, previousNames: [${from}], deletionPolicy: Delete`),
        billing,
      );
      if (!running) await at.start();
      await until(async () => (await names()).includes(to), `renamed to ${to}`);
      await at.tried();
      await until(async () => prod().named('Application', 'a').marker?.owner === `test/${to}`, 'the marker');
      expect(remotes()).to.deep.equal(before);
      expect(
        prod().writes.filter((write) => !write.startsWith('update')),
        'but for the marker',
      ).to.deep.equal([]);
      expect(await names()).to.have.members([to, 'billing']);
      const trees = await at.operations.tree({});
      const owners = trees.filter(({ objects }) => objects.some(({ key }) => key === 'Integration/i'));
      expect(owners.map((tree) => tree.sync)).to.deep.equal([to]);
    }
  });
});

describe('a Sync on several platforms', function () {
  this.timeout(30_000);
  let at: MemoryPlace;

  before(async () => {
    at = await MemoryPlace.create();
    await at.write({ 'orders/a.yaml': application('a') });
  });
  after(() => at.remove());

  it('reaches all that its selector means, whichever is down, and gives up what it owns where a label is taken away', async () => {
    at.platform('north').down = true;
    const selecting = sync(
      'orders',
      'platformSelector: {matchLabels: {tier: prod}}, deletionPolicy: Delete, retryInterval: 1s',
    );
    const west = platform('west', 'tier: test');
    await at.configure(platform('north', 'tier: prod'), platform('south', 'tier: prod'), west, selecting);
    await at.start();
    const reasons = async () =>
      Object.fromEntries(
        (await at.operations.status({})).syncs.map((one) => [one.platform, one.conditions[0]?.reason]),
      );
    await until(async () => (await reasons())['south'] === 'Synced', 'south');
    await at.tried();
    expect(await reasons()).to.deep.equal({ north: 'PlatformUnreachable', south: 'Synced' });
    expect(at.platform('south').all).to.deep.equal(['Application a']);
    at.platform('north').down = false;
    await until(async () => (await reasons())['north'] === 'Synced', 'north by its own retry');
    expect(at.platform('north').all).to.deep.equal(['Application a']);
    expect(at.platform('west').all).to.deep.equal([]);
    await at.configure(platform('north', 'tier: prod'), platform('south', 'tier: test'), west, selecting);
    await until(async () => !('south' in (await reasons())), 'south left');
    expect(at.platform('south').all).to.deep.equal([]);
    expect(at.platform('north').all).to.deep.equal(['Application a']);
  });
});

describe('one key that two Syncs claim', function () {
  this.timeout(30_000);
  let at: MemoryPlace;

  before(async () => {
    at = await MemoryPlace.create();
    await at.write({
      'first/shared.yaml': integration('shared', 'One'),
      'second/folder/again.yaml': integration('shared', 'Two') + '---' + application('own'),
      'second/app.yaml': application('app'),
      'first/app.yaml': application('app'),
    });
  });
  after(() => at.remove());

  it('stays with the Sync that has it; the other is told of both places, and does the rest of its work', async () => {
    await at.configure(platform('prod'), sync('first', 'platform: prod'));
    await at.start();
    await at.tried();
    await at.configure(platform('prod'), sync('first', 'platform: prod'), sync('second', 'platform: prod'));
    await until(async () => (await at.operations.status({})).syncs.length === 2, 'both');
    await at.tried();
    expect(at.platform('prod').all).to.deep.equal(['Application app', 'Application own', 'Integration One']);
    const [second] = (await at.operations.status({ sync: 'second' })).syncs;
    expect(second?.problems.map(({ key, origin }) => [key, origin])).to.have.deep.members([
      ['Integration/shared', 'folder/again.yaml:2:1'],
      ['Application/app', 'app.yaml:2:1'],
    ]);
    const told = second?.problems.find(({ key }) => key === 'Integration/shared');
    expect(told?.message).to.include('the Sync first').and.to.include('shared.yaml').and.to.include('prod');
    expect(told?.remedy).to.include('plumbline.dev/adopt-from: test/first');
    const [first] = (await at.operations.status({ sync: 'first' })).syncs;
    expect(first?.problems).to.deep.equal([]);
    expect(first?.counts.owned).to.equal(2);
  });

  it('goes to the other when the first lets go of it', async () => {
    await at.write({ 'first/shared.yaml': undefined });
    await until(async () => !at.platform('prod').all.includes('Integration One'), 'deleted by the first');
    await until(async () => {
      await at.operations.reconcile({ sync: 'second' });
      return at.platform('prod').all.includes('Integration Two');
    }, 'made by the second');
  });
});
