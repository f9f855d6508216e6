import { execFile } from 'node:child_process';
import { chmod, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { ReconcilerError } from '../../src/errors.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { until } from './fixture.ts';
import { MemoryPlace, application, integration, platform, sync } from './memory-place.ts';

/** The error that a command ends with. */
async function failure(work: Promise<unknown>): Promise<ReconcilerError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof ReconcilerError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

describe('operations over HTTP', function () {
  this.timeout(30_000);
  let at: MemoryPlace;

  beforeEach(async () => {
    at = await MemoryPlace.create();
    await at.write({ 'orders/a.yaml': application('a'), 'orders/i.yaml': integration('i') });
  });
  afterEach(() => at.remove());

  const prod = () => at.platform('prod');
  const start = async (more = 'gracePeriod: 0s', ...others: readonly string[]) => {
    await at.configure(platform('prod'), sync('orders', `platform: prod, ${more}`), ...others);
    await at.start();
    await at.tried();
    expect(prod().all).to.include.members(['Application a', 'Integration i']);
  };
  const status = async (name = 'orders') => (await at.operations.status({ sync: name })).syncs[0];
  const inventory = async () => (await status())?.inventory.map(({ key }) => key);
  const pass = () => at.operations.apply({ sync: 'orders' });

  it('are let in by the token of the keys that somebody else keeps; none is made in the state directory', async () => {
    await at.write({ 'keys/hash.key': '0a'.repeat(32), 'keys/token': 'given-token-'.repeat(4) });
    const keysDir = join(at.place.dir, 'keys');
    for (const name of ['hash.key', 'token']) await chmod(join(keysDir, name), 0o440);
    await at.configure(platform('prod'), sync('orders', 'platform: prod, gracePeriod: 0s'));
    const { url } = await at.start({ keysDir });
    await at.tried();
    expect(await inventory()).to.have.members(['Application/a', 'Integration/i']);
    const asked = await fetch(`${url}/api/v1/status`, {
      headers: { authorization: `Bearer ${'given-token-'.repeat(4)}` },
    });
    expect(asked.status).to.equal(200);
    const kept = await readdir(at.place.state);
    expect(kept).to.include('ledger.db').and.not.include('token').and.not.include('hash.key');
  });

  it('release gives an object up and leaves it there, and the next pass leaves it alone', async () => {
    await start('prune: {enabled: false}');
    await at.write({ 'orders/a.yaml': undefined });
    await pass();
    expect((await status())?.withheld.map(({ code }) => code)).to.deep.equal(['prune-disabled']);
    const [released] = await at.operations.release({ sync: 'orders', key: 'Application/a' });
    expect(released?.result).to.equal('applied');
    expect(prod().named('Application', 'a').marker).to.equal(undefined);
    expect(await inventory()).to.deep.equal(['Integration/i']);
    expect((await pass())[0]?.result).to.equal('in-sync');
    expect(prod().all).to.deep.equal(['Application a', 'Integration i']);
    const events = await at.operations.events({ sync: 'orders' });
    expect(events.map(({ message }) => message)).to.include('Released Application/a.');
  });

  it('export writes what is there as files that plumbline reads, and writes nothing anywhere', async () => {
    await start();
    prod().writes.length = 0;
    const { files } = await at.operations.export({ platform: 'prod' });
    const text = files.map((file) => file.text).join('\n');
    expect(text).to.include('kind: Application').and.to.include('kind: Integration').and.to.include('type: broker');
    expect(prod().writes).to.deep.equal([]);
    expect((await failure(at.operations.export({ platform: 'none' }))).code).to.equal('not-found');
  });

  it('accept takes a rewritten history that was refused, that revision and no other', async () => {
    await at.place.commit({ 'c.yaml': application('c') });
    await at.place.commit({ 'd.yaml': application('d') });
    const git = `
apiVersion: plumbline.dev/v1alpha1
kind: Sync
metadata: {name: git}
spec: {source: {git: {url: "file://${at.place.repo}"}}, platform: prod}
`;
    await start('gracePeriod: 0s', git);
    const taken = (await status('git'))?.revision;
    await at.place.git('reset', '--quiet', '--hard', 'HEAD~1');
    await at.place.commit({ 'e.yaml': application('e') });
    await at.operations.apply({ sync: 'git' });
    const refused = await status('git');
    expect([refused?.conditions[0]?.reason, refused?.revision]).to.deep.equal(['SourceStale', taken]);
    const wrong = await failure(at.operations.accept({ sync: 'git', revision: 'f'.repeat(40) }));
    expect(wrong.code).to.equal('not-accepted');
    const { stdout } = await promisify(execFile)('git', ['rev-parse', 'HEAD'], { cwd: at.place.repo });
    const accepted = await at.operations.accept({ sync: 'git', revision: stdout.trim() });
    await until(async () => (await status('git'))?.revision === accepted.revision, 'the new history');
    await until(async () => prod().all.includes('Application e'), 'its object');
    expect(prod().all).not.to.include('Application d');
    expect((await at.operations.events({ sync: 'git' })).map(({ type }) => type)).to.include('accepted');
  });

  it('restore brings a deleted object back as nobody’s, keeps what it replaces, and touches nothing of others', async () => {
    await start();
    await at.write({ 'orders/a.yaml': undefined });
    await pass();
    expect(prod().all).to.deep.equal(['Integration i']);
    const [copy] = await at.operations.archived({ key: 'Application/a' });
    const archiveId = copy?.id ?? '';
    const back = await at.operations.restore({ archiveId });
    expect(back).to.include({ key: 'Application/a', restored: archiveId }).and.not.to.have.property('replaced');
    expect(back.message).to.include('owned by nobody');
    expect(prod().named('Application', 'a').marker).to.equal(undefined);
    expect((await pass())[0]?.result).to.equal('in-sync');
    expect(prod().all, 'not deleted again').to.deep.equal(['Application a', 'Integration i']);
    expect(await inventory()).to.deep.equal(['Integration/i']);
    expect((await failure(at.operations.restore({ archiveId: 'a999' }))).code).to.equal('not-found');
  });

  it('restore archives an object that nobody owns before it writes over it, and refuses one that another Sync owns', async () => {
    await start('gracePeriod: 0s', sync('second', 'platform: prod, adopt: matching'));
    prod().edit('Integration', 'i', { title: 'i', type: 'broker', settings: { host: 'by-hand' } });
    await pass();
    const [copy] = await at.operations.archived({ key: 'Integration/i' });
    const archiveId = copy?.id ?? '';
    await at.configure(
      platform('prod'),
      sync('orders', 'platform: prod, prune: {enabled: false}'),
      sync('second', 'platform: prod, adopt: matching'),
    );
    await at.daemon.reload();
    await at.write({ 'orders/i.yaml': undefined });
    await pass();
    await at.operations.release({ sync: 'orders', key: 'Integration/i' });
    const restored = await at.operations.restore({ archiveId });
    expect(JSON.stringify(prod().named('Integration', 'i').value)).to.include('by-hand');
    expect(restored.replaced)
      .to.match(/^a\d+$/)
      .and.not.to.equal(archiveId);
    const kept = await at.operations.restore({ archiveId: restored.replaced ?? '' });
    expect(JSON.stringify(prod().named('Integration', 'i').value), kept.message).not.to.include('by-hand');
    await at.write({ 'second/i.yaml': integration('i') });
    await at.operations.apply({ sync: 'second' });
    expect((await status('second'))?.inventory.map(({ key }) => key)).to.deep.equal(['Integration/i']);
    const refused = await failure(at.operations.restore({ archiveId }));
    expect(refused).to.include({ code: 'foreign-owner' });
    expect(refused.message).to.include('the Sync second');
    expect(JSON.stringify(prod().named('Integration', 'i').value)).not.to.include('by-hand');
  });

  it('a stop ends passes at its deadline; what they were writing is found again and not made twice', async () => {
    await start();
    prod().silent = true;
    await at.write({ 'orders/b.yaml': `${application('b')}---${integration('j')}` });
    await until(async () => prod().writes.length >= 4, 'a write under way');
    await at.stop();
    expect(at.place.log).to.include('passes aborted').and.to.include('daemon stopped');
    const ledger = Ledger.read(at.place.state);
    const open = ledger.view({ sync: 'orders', platform: 'prod' }).intents.map(({ key }) => key);
    ledger.close();
    expect(open.length).to.be.above(0);
    prod().silent = false;
    await at.start();
    await until(async () => (await inventory())?.length === 4, 'all owned');
    expect(prod().all).to.deep.equal(['Application a', 'Application b', 'Integration i', 'Integration j']);
    expect(prod().writes.filter((write) => write.startsWith('create'))).to.have.length(4);
  });

  it('status counts what is owned after a pass, not before it', async () => {
    await start();
    expect((await status())?.counts).to.include({ owned: 2, changed: 2 });
    expect(await at.daemon.workshop.metrics.text()).to.include(
      'plumbline_owned_objects{sync="orders",platform="prod"} 2',
    );
    await at.write({ 'orders/a.yaml': undefined });
    await pass();
    expect((await status())?.counts).to.include({ owned: 1, changed: 1 });
  });

  it('events say once, with who and the remedy, that something was changed by hand, and that it was reverted', async () => {
    await start('gracePeriod: 1s');
    prod().put({
      ...prod().named('Integration', 'i'),
      value: { title: 'i', type: 'broker', settings: { host: 'by-hand' } },
      changedBy: 'maker',
    });
    await pass();
    await pass();
    const about = async () =>
      (await at.operations.events({ sync: 'orders' })).filter(({ key }) => key === 'Integration/i');
    const [found, ...more] = (await about()).filter(({ type }) => type !== 'applied');
    expect(more).to.deep.equal([]);
    expect(found?.type).to.equal('drift-found');
    expect(found?.message.split('Integration/i')).to.have.length(2);
    expect(found?.message).to.match(
      /^Integration\/i was changed on the platform by maker since .* Put the change into git/,
    );
    await until(async () => (await about()).some(({ type }) => type === 'drift-reverted'), 'reverted');
    const types = (await about()).map(({ type }) => type);
    expect(types.toSorted()).to.deep.equal(['applied', 'drift-found', 'drift-reverted']);
  });

  it('the circuit of a platform shows in its metric', async () => {
    await start();
    const open = async () =>
      /plumbline_platform_circuit_open\{platform="prod"\} (\d)/.exec(await at.daemon.workshop.metrics.text())?.[1];
    expect(await open()).to.equal('0');
    prod().connection?.onCircuit?.('open');
    expect(await open()).to.equal('1');
    prod().connection?.onCircuit?.('half-open');
    expect(await open()).to.equal('1');
    prod().connection?.onCircuit?.('closed');
    expect(await open()).to.equal('0');
  });
});
