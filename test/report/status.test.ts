import { expect } from 'chai';
import { ReconcilerError } from '../../src/errors.ts';
import type { WithheldCode } from '../../src/plan/types.ts';
import type { PassReport } from '../../src/report/pass-report.ts';
import { firstStatus, statusAfter } from '../../src/report/status.ts';
import type { Standing } from '../../src/report/status.ts';
import { ORIGIN, applied, failed, passOf, planOf, updateOf, withheld } from './reports.ts';

const first = firstStatus({ sync: 'orders', platform: 'prod' }, 1_699_999_999_000);

/** `Ready/Reconciling/Stalled Reason` */
function short(status: Standing): string {
  const flags = status.conditions.map((condition) => condition.status.slice(0, 1)).join('');
  return `${flags} ${status.conditions[0]?.reason ?? ''}`;
}
const after = (report: PassReport): string => short(statusAfter(first, report));
const heldBack = (...codes: readonly WithheldCode[]): PassReport =>
  passOf({
    result: 'withheld',
    plan: planOf({ withheld: codes.map((code) => withheld(updateOf('Workflow/a'), code)) }),
  });
const error = (retry: 'backoff' | 'never'): PassReport => {
  const { plan: _plan, ...rest } = passOf({
    result: 'failed',
    error: new ReconcilerError('Gone.', retry, { code: 'platform-unreachable' }),
  });
  return rest;
};

describe('status', () => {
  it('before the first pass is unknown, and on its way', () => {
    expect(short(first)).to.equal('UTF Pending');
  });

  it('is ready when the platform stands as the source says, or differs only as configured', () => {
    expect(after(passOf())).to.equal('TFF Synced');
    expect(after(passOf({ result: 'applied', outcomes: [applied(updateOf('Workflow/a'))] }))).to.equal('TFF Synced');
    expect(after(heldBack('drift-reported', 'disabled', 'held'))).to.equal('TFF Synced');
  });

  it('goes on by itself while time or another try may help, and is stalled when only a person can', () => {
    expect(after(heldBack('grace-period'))).to.equal('FTF Waiting');
    expect(after(heldBack('window', 'drift-reported'))).to.equal('FTF Waiting');
    expect(after(heldBack('window', 'delete-cap'))).to.equal('FFT Withheld');
    expect(after(heldBack('adopt-approval'))).to.equal('FFT Withheld');
    expect(after(error('backoff'))).to.equal('FTF PlatformUnreachable');
    expect(after(error('never'))).to.equal('FFT PlatformUnreachable');
    expect(
      after(passOf({ outcomes: [failed(updateOf('Workflow/a')), failed(updateOf('Workflow/b'), 'never')] })),
    ).to.equal('FTF ChangesFailed');
    expect(after(passOf({ outcomes: [failed(updateOf('Workflow/a'), 'never')] }))).to.equal('FFT ChangesFailed');
    expect(after(passOf({ stale: { reason: 'Silent.', remedy: 'Look.', since: 1 } }))).to.equal('FTF SourceStale');
    expect(
      after(passOf({ problems: [{ origin: ORIGIN, message: 'Wrong.', remedy: 'Correct it.', severity: 'error' }] })),
    ).to.equal('FFT ProblemsFound');
    expect(
      after(passOf({ problems: [{ origin: ORIGIN, message: 'Odd.', remedy: 'Look.', severity: 'warning' }] })),
    ).to.equal('TFF Synced');
  });

  it('waits for another Sync while a pass may only take access away, unless there is worse to tell', () => {
    const waits = 'The Sync base that it depends on has not succeeded on prod yet.';
    expect(after(passOf({ waits }))).to.equal('FTF DependencyNotReady');
    expect(after({ ...heldBack('dependency'), waits })).to.equal('FTF DependencyNotReady');
    expect(after({ ...heldBack('suspended'), waits })).to.equal('FFT Suspended');
    expect(after({ ...error('backoff'), waits })).to.equal('FTF PlatformUnreachable');
    expect(statusAfter(first, passOf({ waits })).lastSuccess).to.equal(undefined);
  });

  it('counts what is owned as it is told, which a plan cannot know', () => {
    expect(statusAfter(first, passOf(), 7).counts.owned).to.equal(7);
    expect(statusAfter(first, passOf()).counts.owned).to.equal(1);
  });

  it('says since when each condition is as it is, not when it was looked at last', () => {
    const ready = statusAfter(first, passOf({ endedAt: 1_700_000_000_000 }));
    const again = statusAfter(ready, passOf({ endedAt: 1_700_000_060_000, revision: 'r2' }));
    expect(again.conditions[0]).to.deep.include({
      lastTransitionTime: '2023-11-14T22:13:20.000Z',
      observedRevision: 'r2',
    });
    const broken = statusAfter(again, { ...error('backoff'), endedAt: 1_700_000_120_000 });
    expect(broken.conditions[0]).to.deep.include({ status: 'False', lastTransitionTime: '2023-11-14T22:15:20.000Z' });
  });

  it('keeps what a pass could not learn', () => {
    const stood = statusAfter(
      first,
      passOf({
        result: 'withheld',
        plan: planOf({
          withheld: [withheld(updateOf('Workflow/a'), 'delete-cap')],
          counts: { desired: 9, owned: 8, inSync: 7, drifted: 1 },
        }),
      }),
    );
    const { revision: _revision, ...blind } = error('backoff');
    const now = statusAfter(stood, blind);
    expect(now).to.deep.include({ revision: 'r1', withheld: stood.withheld });
    expect(now.counts).to.deep.equal({ owned: 8, changed: 0, drifted: 1, withheld: 1, problems: 0, supply: 0 });
  });

  it('tells when something was last changed, and when all was last well', () => {
    const changed = statusAfter(
      first,
      passOf({ result: 'applied', outcomes: [applied(updateOf('Workflow/a'))], endedAt: 1_700_000_000_000 }),
    );
    const quiet = statusAfter(changed, passOf({ endedAt: 1_700_000_060_000 }));
    const bad = statusAfter(quiet, { ...error('backoff'), endedAt: 1_700_000_120_000 });
    expect(bad).to.deep.include({ lastChange: '2023-11-14T22:13:20.000Z', lastSuccess: '2023-11-14T22:14:20.000Z' });
    expect(bad.counts.changed).to.equal(1);
  });

  it('lists what is to be supplied, keeps it while a pass cannot look, and drops it once it is there', () => {
    const lack = { message: 'It lacks a credential.', remedy: 'Add it.' };
    const about = { kind: 'Workflow', title: 'Orders', key: 'Workflow/orders', origin: ORIGIN } as const;
    const copy = { kind: 'Workflow', title: 'Copy', code: 'copy', remote: 'r9', ...lack } as const;
    const many = Array.from({ length: 120 }, () => ({ ...about, code: 'to-supply', ...lack }) as const);
    const open = statusAfter(first, passOf({ plan: planOf({ notices: [copy, ...many] }) }));
    expect(open.counts.supply).to.equal(120);
    expect(open.supply).to.have.length(100);
    expect(open.supply[0]).to.deep.equal({ key: 'Workflow/orders', origin: 'flows/orders.yaml:3:5', ...lack });
    expect(short(open), 'the platform stands as git says').to.equal('TFF Synced');
    const blind = statusAfter(open, error('backoff'));
    expect([blind.counts.supply, blind.supply.length]).to.deep.equal([120, 100]);
    const whole = statusAfter(blind, passOf({ plan: planOf({ notices: [copy] }) }));
    expect([whole.counts.supply, whole.supply]).to.deep.equal([0, []]);
  });

  it('lists problems and withheld changes for people, and no more than can be read', () => {
    const problems = Array.from({ length: 300 }, (_, line) => ({
      origin: { ...ORIGIN, line },
      message: 'Wrong.',
      remedy: 'Correct it.',
      severity: 'error' as const,
    }));
    const status = statusAfter(first, passOf({ problems }));
    expect(status.counts.problems).to.equal(300);
    expect(status.problems).to.have.length(100);
    expect(status.problems[0]).to.deep.equal({
      origin: 'flows/orders.yaml:0:5',
      severity: 'error',
      message: 'Wrong.',
      remedy: 'Correct it.',
    });
  });
});
