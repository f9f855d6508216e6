import { expect } from 'chai';
import { ask } from './fixture.ts';
import { MemoryPlace, application, platform, sync } from './memory-place.ts';

describe('Series of a Sync', function () {
  this.timeout(60_000);
  let at: MemoryPlace;

  beforeEach(async () => {
    at = await MemoryPlace.create();
  });
  afterEach(() => at.remove());

  it('are there for changes of the kinds that its source has, before the first of them in the life of a process', async () => {
    await at.write({ 'orders/a.yaml': application('a') });
    await at.configure(platform('prod'), sync('orders', 'platform: prod'));
    await at.start();
    await at.tried();
    await at.restart();
    await at.tried();
    const { text } = await ask(`${at.daemon.url}/metrics`);
    const changes = text.split('\n').filter((line) => line.startsWith('plumbline_changes_total{'));
    const kinds = changes.map((line) => /kind="(\w+)"/.exec(line)?.[1]);
    expect([...new Set(kinds)]).to.deep.equal(['Application']);
    expect(
      changes.every((line) => line.endsWith(' 0')),
      'a quiet pass changes nothing',
    ).to.equal(true);
  });
});
