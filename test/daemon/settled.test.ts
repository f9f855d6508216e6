import { expect } from 'chai';
import { until } from './fixture.ts';
import { MemoryPlace, application, platform, sync } from './memory-place.ts';
import { isSettled } from '../../src/daemon/settled.ts';

describe('what is in force on a platform', function () {
  this.timeout(60_000);
  let at: MemoryPlace;
  beforeEach(async () => {
    at = await MemoryPlace.create();
    await at.write({ 'orders/a.yaml': application('a'), 'stock/b.yaml': application('b') });
    await at.configure(
      platform('prod'),
      platform('idle'),
      sync('orders', 'platform: prod'),
      sync('stock', 'platform: prod, retryInterval: 1s'),
    );
  });
  afterEach(() => at.remove());

  it('is known once every Sync on it has come into order, and not before', async () => {
    await at.write({ 'stock/b.yaml': 'kind: Nothing\n' });
    await at.start();
    await at.tried();
    const { engine } = at.daemon.workshop;
    expect(isSettled(engine, 'prod'), 'one of two has mistakes').to.equal(false);
    expect(isSettled(engine, 'idle'), 'nothing is wanted there').to.equal(true);
    await at.write({ 'stock/b.yaml': application('b') });
    await until(async () => isSettled(engine, 'prod'), 'settled', 50_000);
    const [target] = engine.roster.targets();
    if (target === undefined) throw new Error('no target');
    // As when another replica has held it meanwhile.
    target.progress.attempted = false;
    expect(isSettled(engine, 'prod')).to.equal(false);
    target.progress.attempted = true;
    const { roster, reporter } = engine;
    expect(isSettled({ roster, reporter, holds: () => false }, 'prod')).to.equal(false);
  });
});
