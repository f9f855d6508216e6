import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { DeadLetters } from '../../src/integrations/dead-letters.ts';
import { RecordCheck } from '../../src/integrations/record-check.ts';
import { SyncRun } from '../../src/integrations/sync-run.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import type { JsonObject, JsonValue } from '../../src/manifest/manifest.ts';

const SYNC = { platform: 'prod', name: 'crm' };
const MINUTE = 60_000;

interface Handed {
  readonly id: number;
  readonly key: string;
  readonly data: string;
}

describe('A run of a sync', () => {
  let dir: string;
  let ledger: Ledger;
  let now: number;
  /** What was handed over, call by call, and what came of it. */
  let calls: string[];
  let pages: JsonValue[];
  let deliver: (records: readonly Handed[]) => JsonValue;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'plumbline-sync-run-'));
    ledger = Ledger.open(dir);
    now = 1_000_000;
    calls = [];
    pages = [];
    deliver = () => ({});
  });
  afterEach(() => {
    ledger.close();
    rmSync(dir, { recursive: true, force: true });
  });

  const run = async (attempts = 3): Promise<SyncRun> => {
    const code = { repository: '', ref: {}, path: '', entry: '', settings: {}, secrets: {} };
    ledger.syncs.begin(SYNC, now);
    const sync = new SyncRun({
      sync: SYNC,
      runs: { code, records: { schema: {}, attempts } },
      states: ledger.syncs,
      letters: new DeadLetters(join(dir, 'letters'), { redact: (text) => text, now: () => now }),
      check: new RecordCheck(),
      call: async (context: JsonObject) => {
        if (context['about'] === 'collect') return pages.shift() ?? { records: [] };
        const records = context['records'] as unknown as readonly Handed[];
        calls.push(records.map(({ data }) => data).join(' '));
        return deliver(records);
      },
      redact: (text) => text,
      weigh: () => new Map(),
      written: () => undefined,
      onPage: async () => undefined,
      now: () => now,
      random: () => 1,
    });
    await sync.run({ by: 'command' }, AbortSignal.timeout(60_000)).catch(() => undefined);
    return sync;
  };
  const records = (...all: readonly string[]): JsonValue => ({
    records: all.map((data) => ({ key: data.slice(0, 1), data })),
  });

  it('finds the one that takes a whole batch with it, and gives up that one alone (law 8)', async () => {
    pages.push(records('a1', 'b1', 'c1'));
    deliver = (handed) => {
      if (handed.some(({ data }) => data === 'b1')) throw new Error('the process ended');
      return {};
    };
    await run();
    expect(calls.splice(0)).to.deep.equal(['a1 b1 c1']);
    now += MINUTE;
    expect((await run()).result.delivered).to.deep.equal({ applied: 2, failed: 1, dead: 0 });
    expect(calls.splice(0)).to.deep.equal(['a1', 'b1', 'c1']);
    now += 2 * MINUTE;
    expect((await run()).result.delivered).to.deep.equal({ applied: 0, failed: 0, dead: 1 });
    const letter = JSON.parse(readFileSync(join(dir, 'letters', 'prod', 'crm.jsonl'), 'utf8')) as JsonObject;
    expect(letter).to.deep.include({ key: 'b', data: 'b1', attempts: 3, reason: 'the process ended' });
    expect(ledger.syncs.waiting(SYNC).records).to.equal(0);
  });

  it('hands over what failed before alone, though fresh ones wait behind it', async () => {
    pages.push(records('a1'));
    deliver = (handed) => {
      if (handed.some(({ data }) => data === 'a1')) throw new Error('the process ended');
      return {};
    };
    await run();
    // A run that was killed once it had read a page.
    const fresh = [{ key: 'b', data: 'b1' }];
    ledger.syncs.page(SYNC, { records: fresh }, { at: now, counts: [], weighed: new Map() });
    now += MINUTE;
    calls.splice(0);
    expect((await run()).result.delivered).to.deep.equal({ applied: 1, failed: 1, dead: 0 });
    expect(calls).to.deep.equal(['a1', 'b1']);
  });

  it('keeps the order of records with one key: what came later waits for what could not be delivered', async () => {
    pages.push(records('a1', 'b1', 'a2'));
    const down = new Set(['a1']);
    deliver = (handed) => ({
      failed: handed.filter(({ data }) => down.has(data)).map(({ id }) => ({ id, message: 'down' })),
    });
    await run(10);
    expect(calls.splice(0)).to.deep.equal(['a1 b1']);
    now += MINUTE;
    down.clear();
    await run(10);
    expect(calls.splice(0)).to.deep.equal(['a1', 'a2']);
  });

  it('stops to hand over when nothing gets through, and reads no more than it can keep', async () => {
    pages.push(records(...Array.from({ length: 1200 }, (_, index) => String.fromCharCode(200 + index))));
    deliver = () => {
      throw new Error('nobody is there');
    };
    await run();
    expect(calls.splice(0)).to.have.length(3);
    pages.push(records('never read'));
    now += 30 * MINUTE;
    await run();
    expect(pages).to.have.length(1);
    expect(ledger.syncs.waiting(SYNC).records).to.equal(1200);
  });

  it('takes no answer about records that it did not hand over', async () => {
    pages.push(records('a1'));
    deliver = () => ({ failed: [{ id: 999, message: 'x' }] });
    expect((await run()).result.delivered).to.deep.equal({ applied: 0, failed: 1, dead: 0 });
  });
});
