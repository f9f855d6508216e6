import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { daemonOf } from '../../src/daemon/remote-api.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { CANARIES, GatewayPlace, application, webhook } from './gateway-place.ts';
import { until } from './fixture.ts';

const PROGRAM = fileURLToPath(new URL('run-daemon.ts', import.meta.url));

/** One story, each test going on where the last one ended. */
describe('events that a daemon has acknowledged', function () {
  this.timeout(90_000);
  let desk: GatewayPlace;
  const children: ChildProcess[] = [];

  /** A daemon in a process of its own; what it makes of the platform is nobody's business here. */
  const launch = async (): Promise<ChildProcess> => {
    const child = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', PROGRAM, desk.place.config, desk.place.state],
      { env: { ...process.env, ...CANARIES }, stdio: 'ignore' },
    );
    children.push(child);
    desk.hooksUrl = await until(async () => {
      const told = daemonOf(desk.place.state);
      return told?.pid === child.pid && told?.hooks;
    }, 'a daemon');
    return child;
  };
  /** Sends an event whose receiver gives no answer. @returns the id that its delivery began with */
  const begin = async (order: number): Promise<string> => {
    desk.silent.add('/shop');
    expect((await desk.send('order.created', { id: order })).status).to.equal(200);
    const { id } = await desk.told('/shop', ({ subject }) => subject === `order/${order}`, 'the delivery under way');
    return id;
  };
  /** Answers again, and waits until the event came to that. */
  const comesAgain = async (order: number, id: string): Promise<void> => {
    const before = desk.delivered('/shop').filter((one) => one.id === id).length;
    desk.silent.clear();
    const found = await until(
      async () => desk.delivered('/shop').filter((one) => one.id === id)[before],
      `order ${order} again`,
    );
    expect(found.event.subject).to.equal(`order/${order}`);
  };

  before(async () => {
    desk = await GatewayPlace.create();
    await desk.push({
      'app.yaml': application('first'),
      'shop.yaml': webhook('shop', 'order.*', desk.receiver.url('/shop')),
    });
    await desk.start();
    await until(async () => desk.mint.store.list('applications').length === 1, 'the first pass');
    await desk.quiet();
  });
  after(async () => {
    for (const child of children) child.kill('SIGKILL');
    await desk?.[Symbol.asyncDispose]();
  });

  it('come after the next start, under the same id, when it was stopped while they were delivered', async () => {
    const id = await begin(1);
    await desk.stop();
    using ledger = Ledger.read(desk.place.state);
    const waiting = ledger.bus.list({ state: 'pending' }).map(({ event, attempts }) => [event.subject, attempts]);
    expect(waiting, 'as if it had not been tried').to.deep.equal([['order/1', 0]]);
    const [child] = await Promise.all([launch(), comesAgain(1, id)]);
    expect(child.exitCode).to.equal(null);
  });

  it('come after the next start, under the same id, when it was killed before they were delivered', async () => {
    const id = await begin(2);
    const [child] = children;
    child?.kill('SIGKILL');
    if (child !== undefined) await once(child, 'exit');
    await Promise.all([desk.start(), comesAgain(2, id)]);
    await until(async () => (await desk.deliveries('state=pending')).length === 0, 'nothing left');
    const ended = await desk.deliveries('type=order.created');
    expect(ended.map(({ state }) => state)).to.deep.equal(['done', 'done', 'done', 'done']);
  });
});
