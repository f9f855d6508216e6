import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { RegisteredIntegration } from '../../src/drivers/integration-register.ts';
import { DeadLetters } from '../../src/integrations/dead-letters.ts';
import type { DeadLetter } from '../../src/integrations/dead-letters.ts';
import { discardLetters, replayLetters, settleTaken } from '../../src/integrations/letter-replay.ts';
import type { LettersReplayed } from '../../src/integrations/letter-replay.ts';
import { RecordCheck } from '../../src/integrations/record-check.ts';
import { SyncRun } from '../../src/integrations/sync-run.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import type { JsonObject, JsonValue } from '../../src/manifest/manifest.ts';
import type { Happening } from '../../src/monitor/happening.ts';

const SYNC = { platform: 'prod', name: 'crm' };
const SCHEMA = { type: 'object', required: ['v'], properties: { v: { type: 'integer' } } };
const signal = (): AbortSignal => AbortSignal.timeout(60_000);

describe('Dead letters that are replayed', () => {
  let dir: string;
  let ledger: Ledger;
  let letters: DeadLetters;
  let now: number;
  let schema: JsonObject | undefined;
  let pages: JsonValue[];
  /** Keys and values that got through, in order. */
  let delivered: string[];
  /** Keys that the target refuses for good. */
  let refused: Set<string>;
  let happened: Happening[];

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'plumbline-letters-'));
    now = 1_000_000;
    ledger = Ledger.open(dir);
    letters = new DeadLetters(dir, { redact: (text) => text.replaceAll('hush', '***'), now: () => now });
    schema = SCHEMA;
    [pages, delivered, refused, happened] = [[], [], new Set(), []];
  });
  afterEach(() => {
    ledger.close();
    rmSync(dir, { recursive: true, force: true });
  });

  const one = (): RegisteredIntegration =>
    ({
      ...SYNC,
      id: 'x',
      runs: {
        code: { repository: '', ref: {}, path: '', entry: '', settings: {}, secrets: {} },
        ...(schema === undefined ? {} : { records: { schema, attempts: 1 } }),
      },
    }) as never;
  const run = async (): Promise<void> => {
    now += 1000;
    ledger.syncs.begin(SYNC, now);
    const sync = new SyncRun({
      sync: SYNC,
      runs: one().runs,
      states: ledger.syncs,
      letters,
      check: new RecordCheck(),
      call: async (context: JsonObject) => {
        if (context['about'] === 'collect') return pages.shift() ?? { records: [] };
        const records = context['records'] as unknown as readonly { id: number; key: string; data: { v: string } }[];
        const failed = records.filter(({ key }) => refused.has(key));
        for (const { key, data } of records) if (!refused.has(key)) delivered.push(`${key}${data.v}`);
        return { failed: failed.map(({ id }) => ({ id, message: 'refused', retry: false })) };
      },
      redact: (text) => text,
      weigh: (all) => {
        happened.push(...all);
        return new Map();
      },
      written: () => undefined,
      onPage: async () => undefined,
      now: () => now,
      random: () => 1,
    });
    await sync.run({ by: 'command' }, signal()).catch(() => undefined);
    now += 1000;
  };
  const page = (...records: readonly (readonly [key: string, v: JsonValue])[]): void => {
    pages.push({ records: records.map(([key, v]) => ({ key, changedAt: now - 5000, data: { v } })) });
  };
  const parts = () => ({ letters, known: ledger.letters, check: new RecordCheck(), now: () => now });
  const replay = (selection: Parameters<typeof replayLetters>[1] = {}): Promise<LettersReplayed> =>
    replayLetters(one(), selection, parts(), signal());
  const left = async (): Promise<readonly string[]> => {
    const keys: string[] = [];
    for await (const { key } of letters.list(SYNC)) keys.push(key);
    return keys;
  };
  const letter = (key: string, more: Partial<DeadLetter> = {}): DeadLetter => ({
    what: 'record',
    reason: 'r',
    key,
    data: { v: 1 },
    ...more,
  });

  it('are delivered once, are not there any more, and are counted no second time', async () => {
    page(['a', 1], ['b', 2], ['c', 'wrong']);
    refused.add('a');
    await run();
    expect(delivered).to.deep.equal(['b2']);
    expect(await left()).to.deep.equal(['c', 'a']);
    const told = [...happened];
    expect(told.filter(({ what }) => what === 'record')).to.have.length(3);
    expect(told.filter(({ what }) => what === 'delivery')).to.have.length(2);
    refused.clear();
    schema = { type: 'object' };
    expect(await replay()).to.deep.equal({ replayed: 2, refused: 0, refusals: [], left: 0 });
    expect(await replay()).to.include({ replayed: 0 });
    expect(await left()).to.deep.equal([]);
    await run();
    await run();
    expect(delivered).to.deep.equal(['b2', 'cwrong', 'a1']);
    expect(happened).to.deep.equal(told);
  });

  it('that are given up again stand there again, once', async () => {
    page(['a', 1]);
    refused.add('a');
    await run();
    for (let round = 0; round < 3; round++) {
      expect(await replay({ keys: ['a'] })).to.include({ replayed: 1 });
      expect(await left()).to.deep.equal([]);
      await run();
      expect(await left()).to.deep.equal(['a']);
    }
    expect(delivered).to.deep.equal([]);
  });

  it('stay when the schema still refuses them, hold nothing, or are no record, each with its reason', async () => {
    await letters.add(SYNC, [
      letter('a', { data: { v: 'wrong' } }),
      letter('b', { data: { v: 'hush' } }),
      letter('', { what: 'fragment', data: 7 }),
      letter('d'),
    ]);
    const { refusals, ...counts } = await replay();
    expect(counts).to.deep.equal({ replayed: 1, refused: 3, left: 0 });
    const told = refusals.map(({ key = '', because }) => `${key}: ${because}`).join('\n');
    expect(told).to.include('a: it breaks the schema: /v must be integer');
    expect(told).to.include(': it held a secret').and.to.include(': it is no record');
    expect(await left()).to.have.length(3);
    await run();
    expect(delivered).to.deep.equal(['d1']);
    expect(await discardLetters(one(), {}, parts())).to.equal(3);
    expect(await left()).to.deep.equal([]);
  });

  it('go before what waits and keep their order, so that of one key the newest is delivered last', async () => {
    await letters.add(SYNC, [letter('a', { data: { v: 1 } }), letter('b'), letter('a', { data: { v: 2 } })]);
    const counting = { at: now, counts: [], weighed: new Map() };
    ledger.syncs.begin(SYNC, now);
    ledger.syncs.page(SYNC, { records: [{ key: 'a', data: { v: 3 } }] }, counting);
    await replay();
    await run();
    expect(delivered.filter((one) => one.startsWith('a'))).to.deep.equal(['a1', 'a2', 'a3']);
  });

  it('write over nothing newer of their key, unless somebody says so', async () => {
    page(['a', 1], ['b', 1]);
    refused.add('a').add('b');
    await run();
    refused.clear();
    page(['a', 2]);
    await run();
    const { refusals } = await replay();
    expect(refusals.map(({ key, because }) => `${key}: ${because}`)).to.deep.equal([
      'a: something newer of its key was delivered since, which it would write over',
    ]);
    await run();
    expect(delivered).to.deep.equal(['a2', 'b1']);
    expect(await replay({ keys: ['a'], overtaken: true })).to.include({ replayed: 1 });
    await run();
    expect(delivered.at(-1)).to.equal('a1');
    expect(ledger.letters.passed(SYNC).size).to.equal(0);
  });

  it('are taken up once, though the process dies before they are out of their file', async () => {
    await letters.add(SYNC, [letter('a'), letter('b')]);
    const ids: string[] = [];
    for await (const { id } of letters.list(SYNC)) ids.push(id);
    const taken = ids.map((id, index) => ({ id, record: { key: 'ab'.charAt(index), data: { v: index } } }));
    ledger.letters.take(SYNC, taken, now);
    // Another process begins: the file has them, and the ledger has them as records.
    ledger.close();
    ledger = Ledger.open(dir);
    letters = new DeadLetters(dir, { redact: (text) => text, now: () => now });
    expect(await replay()).to.deep.equal({ replayed: 0, refused: 0, refusals: [], left: 0 });
    expect(await left()).to.deep.equal([]);
    await run();
    expect(delivered).to.deep.equal(['a0', 'b1']);
    ledger.letters.take(SYNC, [], now);
    await letters.add(SYNC, [letter('c')]);
    await settleTaken(one(), parts());
    expect(await left()).to.deep.equal(['c']);
  });

  it('ask for their run again where they were what asked for one', async () => {
    await letters.add(SYNC, [{ what: 'trigger', reason: 'r', data: { by: 'event', event: { id: 'e' } } }]);
    await replay();
    await replay();
    expect(ledger.syncs.nextWish(SYNC)?.wish).to.deep.equal({ by: 'event', event: { id: 'e' } });
    expect(ledger.syncs.waiting(SYNC).records).to.equal(0);
  });

  it('outlive a line that was cut off, and what somebody else wrote between them', async () => {
    await letters.add(SYNC, [letter('a')]);
    appendFileSync(letters.fileOf(SYNC), 'no letter\n{"id":"half');
    await letters.add(SYNC, [letter('b'), letter('b')]);
    expect(await left()).to.deep.equal(['a', 'b']);
    expect(await replay({ keys: ['a'] })).to.include({ replayed: 1 });
    expect(await left()).to.deep.equal(['b']);
    expect(readFileSync(letters.fileOf(SYNC), 'utf8')).to.include('no letter\n{"id":"half\n{"id":');
  });

  it('are taken up some at a time', async () => {
    const many = Array.from({ length: 10_050 }, (_, index) => letter(`k${index}`));
    await letters.add(SYNC, many);
    expect(await replay()).to.deep.equal({ replayed: 10_000, refused: 0, refusals: [], left: 50 });
    expect(await left()).to.have.length(50);
    expect(ledger.syncs.waiting(SYNC).records).to.equal(10_000);
  });
});
