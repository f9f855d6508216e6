import { expect } from 'chai';
import { Gateway } from '../../src/daemon/gateway.ts';
import type { Execution, TriggerRequest, Triggered } from '../../src/drivers/driver.ts';
import { ReconcilerError } from '../../src/errors.ts';
import { MemoryPlace, MemoryPlatform, platform } from './memory-place.ts';

/** A platform in memory that runs workflows. */
class RunningPlatform extends MemoryPlatform {
  readonly runs: Execution[] = [];

  async trigger({ remote, correlation }: TriggerRequest): Promise<Triggered> {
    if (remote === 'none') throw new ReconcilerError('There is no such tab.', 'never', { code: 'not-found' });
    this.runs.push({ id: 'run-1', workflow: remote, correlation, status: 'running', startedAt: 1 });
    return { execution: 'run-1' };
  }

  async execution(id: string): Promise<Execution | undefined> {
    return this.runs.find((run) => run.id === id);
  }
}

describe('platforms as the API triggers workflows on them', function () {
  this.timeout(30_000);
  let place: MemoryPlace;
  let gateway: Gateway;
  let told: number;
  const never = new AbortController().signal;

  before(async () => {
    place = await MemoryPlace.create();
    place.platforms.set('prod', new RunningPlatform());
    await place.configure(platform('prod'), platform('quiet'));
    const { engine, plugins } = (await place.start()).workshop;
    gateway = new Gateway(engine, plugins);
  });
  beforeEach(() => {
    told = 0;
  });
  after(() => place?.remove());

  const driver = (name: string) => gateway.triggerable(() => void (told += 1)).driver(name, never);

  it('have their runs looked for after every wish to run something, also one that failed', async () => {
    const prod = await driver('prod');
    expect(told).to.equal(0);
    expect(await prod.trigger?.({ remote: 'tab', input: null, correlation: 'c-1' }, never)).to.deep.equal({
      execution: 'run-1',
    });
    expect(told).to.equal(1);
    const failure = await prod
      .trigger?.({ remote: 'none', input: null, correlation: 'c-2' }, never)
      .catch((error: unknown) => error);
    expect(failure).to.be.instanceOf(ReconcilerError).and.include({ code: 'not-found' });
    expect(told).to.equal(2);
    expect(await prod.execution?.('run-1', never)).to.include({ correlation: 'c-1' });
    expect(told, 'looking is no wish').to.equal(2);
  });

  it('claim only what their drivers can do, under the names of the configuration', async () => {
    expect((await driver('quiet')).trigger).to.equal(undefined);
    expect(gateway.triggerable(() => undefined).names()).to.deep.equal(['prod', 'quiet']);
    const failure = await driver('elsewhere').catch((error: unknown) => error);
    expect(failure).to.be.instanceOf(ReconcilerError).and.include({ code: 'not-found' });
  });
});
