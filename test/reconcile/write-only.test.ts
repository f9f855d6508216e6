import { expect } from 'chai';
import type { Listed, Look } from '../../src/drivers/driver.ts';
import type { RemoteObject } from '../../src/plan/types.ts';
import { Desk, document } from './desk.ts';
import { MemoryDriver } from './memory-driver.ts';

/** A platform that takes the settings of a connection and shows them to nobody. */
class SilentDriver extends MemoryDriver {
  readonly writeOnly = { Integration: ['/settings'] };

  override async *observe(look: Look, signal: AbortSignal): AsyncGenerator<RemoteObject | Listed> {
    for await (const item of super.observe(look, signal)) {
      if ('listed' in item) yield item;
      else {
        const { settings: _unseen, ...value } = item.value;
        yield { ...item, value };
      }
    }
  }
}

describe('What a platform takes and shows to nobody', () => {
  let desk: Desk;
  let driver: SilentDriver;
  beforeEach(() => {
    desk = new Desk();
    driver = new SilentDriver();
  });
  afterEach(() => desk.close());

  const write = (url: string): void =>
    desk.write('crm.yaml', document('Integration', 'crm', { type: 'http', settings: { url } }));
  const writes = async (): Promise<readonly string[]> => {
    await desk.pass({ driver });
    return driver.writes.splice(0);
  };

  it('is written once, and no difference is seen where there is nothing to see (law 1)', async () => {
    write('https://one.example.com');
    expect(await writes()).to.deep.equal(['create Integration/crm']);
    expect(await writes()).to.deep.equal([]);
  });

  it('is written again when git changes it, and is named in the plan', async () => {
    write('https://one.example.com');
    await writes();
    write('https://two.example.com');
    const { plan } = await desk.pass({ driver });
    const [change] = plan?.stages.flat() ?? [];
    expect(change?.verb).to.equal('update');
    if (change?.verb === 'update') expect(change.secrets).to.deep.equal(['spec.settings']);
    expect(driver.named('Integration', 'crm').value['settings']).to.deep.equal({ url: 'https://two.example.com' });
    driver.writes.splice(0);
    expect(await writes()).to.deep.equal([]);
  });
});
