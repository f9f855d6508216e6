import { expect } from 'chai';
import { ReconcilerError } from '../../src/errors.ts';
import { namesThisMachine, parseAddress } from '../../src/daemon/address.ts';
import { dueAfter } from '../../src/daemon/pacing.ts';
import { retiringTarget } from '../../src/daemon/target.ts';
import type { Target } from '../../src/daemon/target.ts';
import { SyncTriggers } from '../../src/daemon/triggers.ts';
import { nextTime } from '../../src/manifest/cron.ts';
import type { PassReport } from '../../src/report/pass-report.ts';
import { failed, passOf, planOf, updateOf, withheld } from '../report/reports.ts';
import { ManualTimers } from './manual-timers.ts';

const MINUTE = 60_000;

function target(gracePeriod = 0): Target {
  const parts = { installation: 'test', formats: [], defaultFormat: 'node-red' };
  const pace = { interval: 5 * MINUTE, retryInterval: 30_000, timeout: MINUTE, gracePeriod };
  return { ...retiringTarget({ sync: 'orders', platform: 'prod' }, 'Orphan', parts), pace };
}

const broken = (retry: 'backoff' | 'never', retryAfter?: number): PassReport =>
  passOf({
    result: 'failed',
    error: new ReconcilerError('Gone.', retry, retryAfter === undefined ? {} : { retryAfter }),
  });

describe('pacing', () => {
  it('looks at everything again after the interval, which passes over commits do not put off', () => {
    const timers = new ManualTimers();
    const one = target();
    expect(dueAfter(one, passOf(), timers)).to.deep.equal({
      delay: 5 * MINUTE,
      trigger: 'interval',
      priority: 'drift',
    });
    timers.advance(4 * MINUTE);
    expect(dueAfter(one, passOf({ look: 'commit' }), timers).delay).to.equal(MINUTE);
    expect(dueAfter(one, passOf(), timers).delay).to.equal(5 * MINUTE);
  });

  it('tries again soon and ever later while something fails that may pass, and begins anew after a success', () => {
    const timers = new ManualTimers(0, 0.999_999);
    const one = target();
    const delays = Array.from({ length: 6 }, () => Math.round(dueAfter(one, broken('backoff'), timers).delay / 1000));
    expect(delays).to.deep.equal([31, 60, 120, 240, 300, 300]);
    dueAfter(one, passOf(), timers);
    expect(Math.round(dueAfter(one, broken('backoff'), timers).delay / 1000)).to.be.within(30, 32);
  });

  it('waits as long as the platform asks for', () => {
    const timers = new ManualTimers();
    expect(dueAfter(target(), broken('backoff', 10 * MINUTE), timers).delay).to.equal(10 * MINUTE);
  });

  it('does not hammer at what only a person can set right', () => {
    const timers = new ManualTimers();
    expect(dueAfter(target(), broken('never'), timers)).to.deep.include({ delay: 5 * MINUTE, trigger: 'interval' });
    const hopeless = passOf({ outcomes: [failed(updateOf('Workflow/a'), 'never')] });
    expect(dueAfter(target(), hopeless, timers)).to.deep.include({ delay: 5 * MINUTE, trigger: 'interval' });
    const hopeful = passOf({ outcomes: [failed(updateOf('Workflow/a')), failed(updateOf('Workflow/b'), 'never')] });
    expect(dueAfter(target(), hopeful, timers).trigger).to.equal('retry');
    const stale = passOf({ stale: { reason: 'Silent.', remedy: 'Look.', since: 1 } });
    expect(dueAfter(target(), stale, timers).trigger).to.equal('retry');
  });

  it('comes back when a grace period ends, when that is sooner', () => {
    const graceful = passOf({ plan: planOf({ withheld: [withheld(updateOf('Workflow/a'), 'grace-period')] }) });
    expect(dueAfter(target(MINUTE), graceful, new ManualTimers()).delay).to.be.within(MINUTE, MINUTE + 2000);
    expect(dueAfter(target(10 * MINUTE), graceful, new ManualTimers()).delay).to.equal(5 * MINUTE);
  });
});

describe('triggers', () => {
  it('wake a Sync at the times of its schedule in UTC, and no more once they are disposed', async () => {
    const timers = new ManualTimers(Date.parse('2026-03-01T22:59:00Z'));
    const woken: string[] = [];
    let changed: () => void = () => {};
    const source = {
      description: '',
      accept: () => undefined,
      read: () => Promise.reject(new Error('not read here')),
      watch: (onChange: () => void) => ((changed = onChange), { [Symbol.asyncDispose]: async () => undefined }),
    };
    const triggers = new SyncTriggers({ name: 'orders', source, schedule: '0 */2 * * *' }, timers, (trigger) =>
      woken.push(trigger),
    );
    timers.advance(MINUTE);
    expect(woken).to.deep.equal([]);
    timers.advance(60 * MINUTE);
    changed();
    timers.advance(120 * MINUTE);
    expect(woken).to.deep.equal(['schedule', 'commit', 'schedule']);
    await triggers[Symbol.asyncDispose]();
    changed();
    timers.advance(1000 * MINUTE);
    expect(woken).to.have.length(3);
    expect(timers.pending).to.equal(0);
    expect(nextTime('30 3 * * *', Date.parse('2026-03-29T03:30:00Z'))).to.equal(Date.parse('2026-03-30T03:30:00Z'));
  });
});

describe('addresses', () => {
  it('say host and port, and whether only this machine can connect', () => {
    expect(parseAddress('127.0.0.1:8480')).to.deep.equal({ host: '127.0.0.1', port: 8480, loopback: true });
    expect(parseAddress('[::1]:0')).to.deep.equal({ host: '::1', port: 0, loopback: true });
    expect(parseAddress('localhost:80').loopback).to.equal(true);
    for (const open of ['0.0.0.0:8480', '[::]:8480', '10.0.0.1:1', 'plumbline.local:1', '127.evil.example:1']) {
      expect(parseAddress(open).loopback, open).to.equal(false);
    }
    for (const wrong of ['8480', ':8480', 'localhost', 'localhost:99999', '::1:8480', 'http://localhost:1', '']) {
      expect(() => parseAddress(wrong), wrong).to.throw('HOST:PORT');
    }
  });

  it('take no name for this machine that a stranger can own', () => {
    for (const own of ['localhost', 'LOCALHOST:8480', '127.0.0.1:8480', '[::1]:8480'])
      expect(namesThisMachine(own), own).to.equal(true);
    for (const other of [
      undefined,
      '',
      'evil.example',
      '127.0.0.1.evil.example',
      'localhost.evil.example:8480',
      '127.evil.example',
      '10.0.0.1',
    ]) {
      expect(namesThisMachine(other), other).to.equal(false);
    }
  });
});
