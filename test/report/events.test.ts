import { expect } from 'chai';
import { ReconcilerError } from '../../src/errors.ts';
import { eventsOf } from '../../src/report/events.ts';
import type { WithheldCode } from '../../src/plan/types.ts';
import type { Told } from '../../src/report/events.ts';
import type { PassReport } from '../../src/report/pass-report.ts';
import { CANARY, ORIGIN, applied, createOf, failed, passOf, planOf, updateOf, withheld } from './reports.ts';

/** The events of passes one after the other, as `type key`. */
function tell(...passes: readonly PassReport[]): readonly (readonly string[])[] {
  let told: Told = {};
  return passes.map((pass) => {
    const { events, told: now } = eventsOf(pass, told);
    // As the ledger gives it back after a restart.
    told = JSON.parse(JSON.stringify(now)) as Told;
    return events.map(({ type, key }) => (key === undefined ? type : `${type} ${key}`));
  });
}

const drift = updateOf('Workflow/a', {
  cause: 'drift',
  overwritesDrift: true,
  who: { by: 'mallory', at: 1_700_000_000_000 },
});
const drifted = passOf({ result: 'withheld', plan: planOf({ withheld: [withheld(drift, 'drift-reported')] }) });
const unreadable = passOf({
  result: 'failed',
  error: new ReconcilerError('The platform cannot be reached.', 'backoff', { code: 'platform-unreachable' }),
});
const problem = { origin: ORIGIN, message: 'Unknown field.', remedy: 'Remove it.', severity: 'error' as const };

describe('events', () => {
  it('of a quiet pass are none', () => {
    expect(tell(passOf(), passOf())).to.deep.equal([[], []]);
  });

  it('tell what was applied, every time it is', () => {
    const pass = passOf({
      result: 'applied',
      outcomes: [applied(createOf('Workflow/a')), applied(updateOf('Workflow/b'))],
    });
    expect(tell(pass, pass)).to.deep.equal([
      ['applied Workflow/a', 'applied Workflow/b'],
      ['applied Workflow/a', 'applied Workflow/b'],
    ]);
  });

  it('tell a situation once while it does not change, across restarts too', () => {
    expect(tell(drifted, drifted, drifted)).to.deep.equal([['drift-found Workflow/a'], [], []]);
    expect(tell(unreadable, unreadable)).to.deep.equal([['pass-failed'], []]);
    const stale = passOf({ stale: { reason: 'The branch is gone.', remedy: 'Restore it.', since: 1 } });
    expect(tell(stale, stale)).to.deep.equal([['source-stale'], []]);
    const wrong = passOf({ problems: [problem] });
    expect(tell(wrong, wrong)).to.deep.equal([['problem'], []]);
  });

  it('set off what a server said from what is to be done, though it said no full stop', () => {
    const error = new ReconcilerError("fatal: Couldn't connect to server", 'backoff', { remedy: 'Check the URL.' });
    const [event] = eventsOf(passOf({ result: 'failed', error }), {}).events;
    expect(event?.message).to.match(/Couldn't connect to server\. Check the URL\.$/);
  });

  it('tell it again when it changes or comes back', () => {
    const more = updateOf('Workflow/a', { cause: 'drift', diff: [{ path: '/nodes/other' }] });
    const worse = passOf({ plan: planOf({ withheld: [withheld(more, 'drift-reported')] }) });
    expect(tell(drifted, worse, passOf(), drifted)).to.deep.equal([
      ['drift-found Workflow/a'],
      ['drift-found Workflow/a'],
      [],
      ['drift-found Workflow/a'],
    ]);
  });

  it('tell of recovery when passes run again, the source is read again, or the last problem is gone', () => {
    expect(tell(unreadable, passOf())).to.deep.equal([['pass-failed'], ['recovered']]);
    const stale = passOf({ stale: { reason: 'The branch is gone.', remedy: 'Restore it.', since: 1 } });
    expect(tell(stale, passOf())).to.deep.equal([['source-stale'], ['recovered']]);
    const two = passOf({ problems: [problem, { ...problem, message: 'Another.' }] });
    expect(tell(two, passOf({ problems: [problem] }), passOf())).to.deep.equal([
      ['problem', 'problem'],
      [],
      ['recovered'],
    ]);
  });

  it('take nothing for over that the pass did not look at', () => {
    const { plan: _plan, revision: _revision, ...blind } = unreadable;
    expect(tell(drifted, blind, drifted)).to.deep.equal([['drift-found Workflow/a'], ['pass-failed'], ['recovered']]);
    expect(tell(drifted, passOf({ look: 'commit' }), drifted)).to.deep.equal([['drift-found Workflow/a'], [], []]);
  });

  it('forget the failure of an object once it was applied, whatever the pass looked at', () => {
    const failing = passOf({ result: 'partly-failed', outcomes: [failed(updateOf('Workflow/a'))] });
    const fixed = passOf({ look: 'commit', result: 'applied', outcomes: [applied(updateOf('Workflow/a'))] });
    expect(tell(failing, fixed, failing)).to.deep.equal([
      ['change-failed Workflow/a'],
      ['applied Workflow/a'],
      ['change-failed Workflow/a'],
    ]);
  });

  it('carry field paths, names of secrets and who it was, and never a value', () => {
    const { events } = eventsOf(
      passOf({
        outcomes: [applied(drift), applied(createOf('Workflow/c')), failed(updateOf('Workflow/b'))],
        archived: { 'Workflow/a': 'a7' },
        plan: planOf({ withheld: [withheld(updateOf('Workflow/d'), 'window')] }),
      }),
      {},
    );
    expect(JSON.stringify(events)).not.to.include(CANARY);
    expect(events[0]).to.deep.equal({
      type: 'drift-reverted',
      key: 'Workflow/a',
      message:
        'Reverted Workflow/a, changed on the platform by mallory at 2023-11-14T22:13:20.000Z; what was there is archived as a7.',
      paths: ['/nodes/timer/repeat'],
    });
    expect(events[1]?.paths).to.deep.equal(['/secrets/token']);
  });

  it('are short: what was done, or what is not and why, with the object named once', () => {
    const because = (reason: string, code: WithheldCode) => ({
      ...withheld(updateOf('Workflow/d'), code),
      because: reason,
    });
    const { events } = eventsOf(
      passOf({
        outcomes: [
          applied(createOf('Workflow/a')),
          applied(updateOf('Workflow/b')),
          applied({ ...createOf('Workflow/c'), cause: 'vanished' }),
          failed(updateOf('Workflow/e')),
        ],
        plan: planOf({
          withheld: [
            because('Workflow/d was changed on the platform by maker; it is reverted later.', 'grace-period'),
            because('the Sync is suspended.', 'suspended'),
            because('Workflow/d needs Workflow/x, which has a problem.', 'dependency'),
          ],
        }),
      }),
      {},
    );
    expect(events.map(({ message }) => message)).to.deep.equal([
      'Created Workflow/a.',
      'Updated Workflow/b.',
      'Created Workflow/c again, which was gone from the platform.',
      'Workflow/d was changed on the platform by maker; it is reverted later. Ask somebody.',
      'Update of Workflow/d withheld: the Sync is suspended. Ask somebody.',
      'Update withheld: Workflow/d needs Workflow/x, which has a problem. Ask somebody.',
      'Update of Workflow/e failed: The platform refused the flow. Correct it.',
    ]);
  });

  it('are bounded: a thousand alike become one', () => {
    const keys = Array.from({ length: 1000 }, (_, index) => `Workflow/w${index}` as const);
    const pass = passOf({
      outcomes: keys.map((key) => applied(createOf(key))),
      plan: planOf({ withheld: keys.map((key) => withheld(updateOf(key), 'window')) }),
    });
    expect(tell(pass, { ...pass, outcomes: [] })).to.deep.equal([['applied', 'withheld'], []]);
  });
});
