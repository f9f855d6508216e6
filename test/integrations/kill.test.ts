import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { Ledger } from '../../src/ledger/ledger.ts';
import { until } from '../daemon/fixture.ts';
import { CANARY, IntegrationPlace } from './place.ts';

const CHILD = fileURLToPath(new URL('daemon-child.ts', import.meta.url));

describe('A daemon that is killed in the middle of a sync', () => {
  it('loses no record, counts none twice, and goes on by itself', async () => {
    await using place = await IntegrationPlace.open();
    const { services, home, mint } = place;
    services.add(300);
    await place.write({ schedule: '0 0 1 1 *' });
    const begin = () => {
      const child = spawn(process.execPath, [CHILD, home.place.config, home.place.state, mint.url], {
        env: { ...process.env, CRM_TOKEN: CANARY },
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      return { child, exit: once(child, 'exit') };
    };
    // Killed again and again, each time with some deliveries sent and not settled.
    let stop = 40;
    let reached = Promise.withResolvers<void>();
    services.onPut = async () => {
      if (services.puts.length < stop) return;
      reached.resolve();
      await new Promise((resolve) => setTimeout(resolve, 20_000).unref());
    };
    let daemon = begin();
    // Whatever becomes of the test, nobody stays behind.
    await using _last = { [Symbol.asyncDispose]: async () => void daemon.child.kill('SIGKILL') };
    await until(async () => existsSync(join(home.place.state, 'daemon.json')), 'the daemon', 90_000);
    const running = until(() => place.run().catch(() => undefined), 'a run that was begun', 90_000).catch(
      () => undefined,
    );
    for (let kills = 0; kills < 3; kills++) {
      await reached.promise;
      daemon.child.kill('SIGKILL');
      await daemon.exit;
      stop += 90;
      reached = Promise.withResolvers<void>();
      daemon = begin();
    }
    stop = Infinity;
    reached.resolve();
    await place.holds(300);
    await running;
    await until(
      async () => {
        const { pid } = JSON.parse(readFileSync(join(home.place.state, 'daemon.json'), 'utf8')) as { pid: number };
        return pid === daemon.child.pid && (await home.operations.integrations({}))[0]?.state === 'idle';
      },
      'rest',
      90_000,
    );
    daemon.child.kill('SIGTERM');
    await daemon.exit;
    expect([...services.people.keys()].toSorted()).to.deep.equal(
      Array.from({ length: 300 }, (_, index) => `c${index}`).toSorted(),
    );
    using ledger = Ledger.open(home.place.state);
    const count = (what: string, result: string): number =>
      ledger.syncs.counts().find((one) => one.what === what && one.result === result)?.count ?? 0;
    expect(count('record', 'valid')).to.equal(300);
    expect(count('delivery', 'applied')).to.equal(300);
    expect(ledger.syncs.waiting({ platform: 'prod', name: 'crm-sync' }).records).to.equal(0);
    expect(await place.letters()).to.deep.equal([]);
  });
});
