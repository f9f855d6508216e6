import { expect } from 'chai';
import { openAt, type Window } from '../../src/policy/windows.ts';

const HOUR = 3_600_000;
const at = (text: string) => Date.parse(text);
const isOpen = (windows: readonly Window[], time: string) => openAt(windows, at(time)).open;

describe('Sync windows', () => {
  it('none allow everything', () => {
    expect(isOpen([], '2026-03-27T18:00:00Z')).to.equal(true);
  });

  const weekend: Window = { effect: 'deny', schedule: '0 18 * * 5', duration: 62 * HOUR, timeZone: 'Europe/Berlin' };

  it('a deny window is read in its own time zone, in winter and in summer', () => {
    expect(isOpen([weekend], '2026-01-09T16:59:59Z')).to.equal(true);
    expect(isOpen([weekend], '2026-01-09T17:00:00Z')).to.equal(false);
    expect(isOpen([weekend], '2026-07-10T15:59:59Z')).to.equal(true);
    expect(isOpen([weekend], '2026-07-10T16:00:00Z')).to.equal(false);
  });

  it('it lasts its duration by the clock that never jumps, also over a change to summer time', () => {
    expect(isOpen([weekend], '2026-03-30T06:59:59Z')).to.equal(false);
    expect(isOpen([weekend], '2026-03-30T07:00:00Z')).to.equal(true);
  });

  it('deny wins over allow, in whatever order they stand', () => {
    const always: Window = { effect: 'allow', schedule: '0 0 * * *', duration: 24 * HOUR };
    for (const windows of [
      [always, weekend],
      [weekend, always],
    ])
      expect(isOpen(windows, '2026-01-10T12:00:00Z')).to.equal(false);
    expect(isOpen([always, weekend], '2026-01-14T12:00:00Z')).to.equal(true);
  });

  it('where there are allow windows, one of them has to be open; each has its own zone', () => {
    const tokyo: Window = { effect: 'allow', schedule: '0 9 * * *', duration: HOUR, timeZone: 'Asia/Tokyo' };
    const newYork: Window = { effect: 'allow', schedule: '0 9 * * *', duration: HOUR, timeZone: 'America/New_York' };
    expect(isOpen([tokyo, newYork], '2026-01-14T00:30:00Z')).to.equal(true);
    expect(isOpen([tokyo, newYork], '2026-01-14T14:30:00Z')).to.equal(true);
    expect(isOpen([tokyo, newYork], '2026-01-14T09:30:00Z')).to.equal(false);
    expect(openAt([tokyo, newYork], at('2026-01-14T09:30:00Z')))
      .to.have.property('because')
      .that.contains('Asia/Tokyo');
  });

  it('a time that the clocks jump over opens the window when they land', () => {
    const night: Window = { effect: 'allow', schedule: '30 2 * * *', duration: HOUR, timeZone: 'Europe/Berlin' };
    expect(isOpen([night], '2026-03-29T00:59:00Z')).to.equal(false);
    expect(isOpen([night], '2026-03-29T01:00:00Z')).to.equal(true);
  });

  it('a time that the clocks pass twice opens it once', () => {
    const night: Window = { effect: 'allow', schedule: '30 2 * * *', duration: HOUR, timeZone: 'Europe/Berlin' };
    expect(isOpen([night], '2026-10-25T00:30:00Z')).to.equal(true);
    expect(isOpen([night], '2026-10-25T01:29:59Z')).to.equal(true);
    expect(isOpen([night], '2026-10-25T01:30:00Z')).to.equal(false);
  });

  it('a window that lasts longer than its period is open all the time', () => {
    const day: Window = { effect: 'deny', schedule: '0 * * * *', duration: 3 * HOUR };
    for (const time of ['00:00:00', '07:31:12', '23:59:59'])
      expect(isOpen([day], `2026-05-05T${time}Z`)).to.equal(false);
  });

  it('one that cannot be worked out closes, and says so', () => {
    for (const schedule of ['0 0 30 2 *', '61 0 * * *', 'nonsense'])
      for (const effect of ['allow', 'deny'] as const) {
        const state = openAt([{ effect, schedule, duration: HOUR }], at('2026-05-05T00:00:00Z'));
        expect(state).to.include({ open: false }).and.have.property('because').that.contains('cannot be worked out');
      }
  });
});
