import { Writable } from 'node:stream';
import { expect } from 'chai';
import { Ledger } from '../../src/ledger/ledger.ts';
import { createLog } from '../../src/report/log.ts';
import { Metrics } from '../../src/report/metrics.ts';
import { Reporter } from '../../src/report/reporter.ts';
import { stateDirectories } from '../ledger/samples.ts';
import { applied, failed, passOf, planOf, updateOf, withheld } from './reports.ts';

const SCOPE = { sync: 'orders', platform: 'prod' };

describe('the revision that is live', () => {
  const directory = stateDirectories();
  let folder: string;
  let ledger: Ledger;
  let reporter: Reporter;
  /** What was live when another one was about to be. */
  let before: (string | undefined)[];

  const open = (): void => {
    ledger = Ledger.open(folder);
    before = [];
    const redact = (text: string): string => text;
    const stream = new Writable({ write: (_chunk, _encoding, done) => done() });
    reporter = new Reporter({
      ledger,
      metrics: new Metrics({ version: '1' }),
      log: createLog({ level: 'error', format: 'json', redact, stream }),
      redact,
      clock: Date.now,
    });
    reporter.onLive = (scope) => before.push(reporter.live(scope));
  };
  beforeEach(() => {
    folder = directory();
    open();
  });
  afterEach(() => ledger.close());

  const change = updateOf('Workflow/a');
  const pass = (revision: string, more: Parameters<typeof passOf>[0] = {}): void =>
    reporter.report(passOf({ ...SCOPE, revision, ...more }));
  const wrote = { result: 'applied', outcomes: [applied(change)] } as const;

  it('is the one of which a pass applied something, or found all of it there', () => {
    expect(reporter.live(SCOPE)).to.equal(undefined);
    pass('r1', wrote);
    expect(reporter.live(SCOPE)).to.equal('r1');
    pass('r2', { result: 'in-sync', outcomes: [] });
    expect(reporter.live(SCOPE)).to.equal('r2');
    pass('r3', { result: 'partly-failed', outcomes: [applied(change), failed(updateOf('Workflow/b'))] });
    expect(reporter.live(SCOPE)).to.equal('r3');
  });

  it('is not one that was read and did not get there', () => {
    pass('r1', wrote);
    pass('r2', { result: 'failed', outcomes: [failed(change)] });
    pass('r3', { result: 'withheld', outcomes: [], plan: planOf({ withheld: [withheld(change, 'window')] }) });
    expect(reporter.live(SCOPE)).to.equal('r1');
    expect(reporter.standing(SCOPE).revision, 'what was read last').to.equal('r3');
  });

  it('is told before it is another one, once', () => {
    pass('r1', wrote);
    pass('r1', { result: 'in-sync', outcomes: [] });
    pass('r2', wrote);
    expect(before).to.deep.equal([undefined, 'r1']);
  });

  it('is known after a start as far as history goes, and of no other Sync', () => {
    pass('r1', wrote);
    pass('r2', { result: 'failed', outcomes: [failed(change)] });
    ledger.close();
    open();
    expect(reporter.live(SCOPE)).to.equal('r1');
    expect(reporter.live({ ...SCOPE, platform: 'other' })).to.equal(undefined);
    reporter.forget(SCOPE, true);
    pass('r3', wrote);
    expect(reporter.live(SCOPE)).to.equal('r3');
  });

  it('stays told although who is told of it fails', () => {
    reporter.onLive = () => {
      throw new Error('the disk is full');
    };
    pass('r1', wrote);
    expect(reporter.standing(SCOPE).revision).to.equal('r1');
    expect(ledger.history(SCOPE)).to.have.lengthOf(1);
  });
});
