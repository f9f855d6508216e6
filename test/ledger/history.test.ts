import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import type { PassChange, PassRecord } from '../../src/ledger/history.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { SCOPE, stateDirectories } from './samples.ts';

const CHANGE: PassChange = {
  key: 'Workflow/orders',
  verb: 'update',
  cause: 'drift',
  paths: ['/definition/nodes/check/url'],
  outcome: 'applied',
};
const PASS: PassRecord = {
  ...SCOPE,
  revision: 'r1',
  author: 'Alice <alice@example.com>',
  startedAt: 1000,
  endedAt: 1500,
  result: 'applied',
  counts: { applied: 1 },
  changes: [CHANGE],
};
const FAILED: PassChange = { ...CHANGE, outcome: 'failed', error: 'refused' };

describe('The history of passes', () => {
  const stateDirectory = stateDirectories();

  it('tells who committed, what changed, what came of it, and when; newest first, by Sync and by object', () => {
    using ledger = Ledger.open(stateDirectory());
    const other = { ...CHANGE, key: 'Workflow/other' } as const;
    ledger.recordPass(PASS);
    ledger.recordPass({
      ...PASS,
      startedAt: 2000,
      result: 'partly-failed',
      changes: [CHANGE, other, FAILED],
    });
    ledger.recordPass({
      ...PASS,
      sync: 'crm',
      changes: [other],
      error: 'cut short',
    });
    expect(ledger.history({ sync: 'orders' }).map(({ startedAt }) => startedAt)).to.deep.equal([2000, 1000]);
    expect(ledger.history({ limit: 1 })).to.deep.equal([
      { ...PASS, id: 3, sync: 'crm', changes: [other], error: 'cut short' },
    ]);
    expect(ledger.history({ key: 'Workflow/orders' }).map(({ changes }) => changes)).to.deep.equal([
      [CHANGE, FAILED],
      [CHANGE],
    ]);
  });

  it('is written only when something happened: a change, a failure not seen before, or an end to failures', () => {
    using ledger = Ledger.open(stateDirectory());
    const quiet = { ...PASS, result: 'in-sync', changes: [] };
    const failing = { ...PASS, result: 'partly-failed', changes: [FAILED] };
    const steps: readonly [PassRecord, boolean][] = [
      [quiet, false],
      [PASS, true],
      [{ ...quiet, revision: 'r2' }, false],
      [PASS, true],
      [failing, true],
      [{ ...failing, startedAt: 5000, endedAt: 6000 }, false],
      [{ ...failing, changes: [{ ...FAILED, error: 'refused otherwise' }] }, true],
      [{ ...failing, revision: 'r3' }, true],
      [quiet, true],
      [quiet, false],
      [{ ...quiet, result: 'failed', error: 'unreachable' }, true],
      [{ ...quiet, result: 'failed', error: 'unreachable' }, false],
      [{ ...quiet, platform: 'elsewhere' }, false],
      [quiet, true],
    ];
    for (const [index, [pass, written]] of steps.entries()) {
      expect(ledger.recordPass(pass) !== undefined, `step ${index}`).to.equal(written);
    }
    expect(ledger.history()).to.have.length(steps.filter(([, written]) => written).length);
  });

  it('is bounded by count, by age and by the number of changes, and keeps the newest pass whole', () => {
    const day = 24 * 3600 * 1000;
    using ledger = Ledger.open(stateDirectory(), {
      limits: { history: { passes: 5, changes: 20, age: 30 * day } },
    });
    const starts = (): readonly number[] => ledger.history().map(({ startedAt }) => startedAt);
    for (let n = 1; n <= 8; n++) ledger.recordPass({ ...PASS, startedAt: n, endedAt: n });
    expect(starts()).to.deep.equal([8, 7, 6, 5, 4]);
    ledger.recordPass({
      ...PASS,
      startedAt: 9,
      changes: Array.from({ length: 17 }, () => CHANGE),
    });
    expect(starts(), 'three passes of one change fit beside seventeen').to.deep.equal([9, 8, 7, 6]);
    ledger.recordPass({
      ...PASS,
      startedAt: 10,
      changes: Array.from({ length: 50 }, () => CHANGE),
    });
    expect(starts()).to.deep.equal([10]);
    expect(ledger.history()[0]?.changes).to.have.length(50);
    using aging = Ledger.open(stateDirectory(), {
      limits: { history: { age: 30 * day } },
    });
    for (const at of [0, 1, 10 * day, 30 * day, 31 * day]) aging.recordPass({ ...PASS, startedAt: at, endedAt: at });
    expect(aging.history().map(({ startedAt }) => startedAt / day)).to.deep.equal([31, 30, 10]);
  });

  it('bounds one change too, and writes down no secret', () => {
    const directory = stateDirectory();
    const ledger = Ledger.open(directory, {
      redact: (text) => text.replaceAll('hunter2', '[secret]'),
    });
    const paths = Array.from({ length: 500 }, (_, n) => `/${n}`);
    const error = `hunter2 ${'long '.repeat(1000)}`;
    ledger.recordPass({
      ...PASS,
      changes: [
        { ...CHANGE, paths },
        { ...FAILED, error },
      ],
      error,
    });
    const [pass] = ledger.history();
    expect(pass?.changes[0]?.paths).to.have.length(50);
    expect(pass?.changes[1]?.error)
      .to.match(/^\[secret\]/)
      .and.have.length(1000);
    ledger.close();
    expect(readFileSync(join(directory, 'ledger.db')).includes('hunter2')).to.equal(false);
  });
});
