import { ReconcilerError, messageOf } from '../errors.ts';
import type { IntegrationRuns } from '../manifest/integration.ts';
import type { JsonObject, JsonValue } from '../manifest/manifest.ts';
import type { FreshRecord, SyncCount, SyncName, SyncStates, WaitingRecord } from '../ledger/sync-states.ts';
import type { Happening } from '../monitor/happening.ts';
import type { Weighed } from '../monitor/monitor.ts';
import type { DeadLetter, DeadLetters } from './dead-letters.ts';
import { failuresOf, malformed, pageOf, recordOf } from './protocol.ts';
import type { RecordCheck } from './record-check.ts';

export interface SyncRunParts {
  readonly sync: SyncName;
  readonly runs: IntegrationRuns;
  readonly states: SyncStates;
  readonly letters: DeadLetters;
  readonly check: RecordCheck;
  /** Runs `execute(context)`. @throws ReconcilerError, or the signal's reason */
  readonly call: (context: JsonObject, signal: AbortSignal) => Promise<JsonValue>;
  readonly redact: (text: string) => string;
  /** What happened, in counts of service levels, and to be shown once that is written down. */
  readonly weigh: (happenings: readonly Happening[]) => Weighed;
  readonly written: (counts: readonly Count[], weighed: Weighed, latencies: readonly number[]) => void;
  /** A page was read and what is due of it delivered, and there is more. */
  readonly onPage: () => Promise<void>;
  readonly now: () => number;
  readonly random: () => number;
}

export type Count = Omit<SyncCount, 'platform' | 'name'>;

/** What came of a run. */
export interface SyncRunResult {
  readonly collected: { readonly valid: number; readonly invalid: number; readonly unchecked: number };
  readonly delivered: { readonly applied: number; readonly failed: number; readonly dead: number };
  readonly error?: ReconcilerError;
}

/** Records that are delivered in one call; one that failed before goes alone, so that it takes no other with it (law 8). */
const BATCH = 100;
/** Records that may wait before no more are read while none can be delivered. */
const BACKLOG = 1_000;
const MOST_PAGES = 10_000;
/** Characters of what is no record that are kept. */
const SHOWN = 10_000;
/** Bytes of a cursor: replicas share it in an object of the cluster. */
const LARGEST_CURSOR = 65_536;
/** Deliveries that may fail one after the other in one run: then it is not the record that is at fault. */
const PATIENCE = 3;
/** Milliseconds between two attempts to deliver a record. */
const PAUSE = { first: 30_000, longest: 900_000 };
/** Attempts where the manifest says nothing of records. */
const ATTEMPTS = 8;

/**
 * One run of an Integration's code: what waits is delivered, then page after page is read, checked, kept, and delivered. Each step is
 * written down before the next begins, so that a run that ends anywhere is gone on with by the next: what was read is never lost, and
 * what was handed over without an answer is handed over again.
 */
export class SyncRun {
  readonly #parts: SyncRunParts;
  readonly #collected = { valid: 0, invalid: 0, unchecked: 0 };
  readonly #delivered = { applied: 0, failed: 0, dead: 0 };
  #said: string | undefined;

  constructor(parts: SyncRunParts) {
    this.#parts = parts;
  }

  get result(): Omit<SyncRunResult, 'error'> {
    return { collected: this.#collected, delivered: this.#delivered };
  }

  /** @throws ReconcilerError when it cannot go on; the signal's reason */
  async run(trigger: JsonObject, signal: AbortSignal): Promise<void> {
    const { states, sync } = this.#parts;
    await this.#deliver(signal);
    for (let page = 0, more = true; more && page < MOST_PAGES; page++) {
      const { applied } = this.#delivered;
      if (applied === 0 && this.#delivered.failed > 0 && states.waiting(sync).records > BACKLOG) break;
      more = await this.#page(trigger, signal);
      await this.#deliver(signal);
      if (more) await this.#parts.onPage();
    }
    const { failed } = this.#delivered;
    if (failed === 0) return;
    throw new ReconcilerError(`${failed} record(s) could not be delivered: ${this.#said ?? ''}`, 'backoff', {
      code: 'not-delivered',
      remedy: 'They are tried again, and become dead letters when that does not help.',
    });
  }

  /** @returns whether there is more */
  async #page(trigger: JsonObject, signal: AbortSignal): Promise<boolean> {
    const { call, states, sync, letters, weigh, written, now, runs } = this.#parts;
    const { cursor: before } = states.state(sync);
    const page = pageOf(await call({ about: 'collect', trigger, cursor: before ?? null }, signal));
    const cursorText = JSON.stringify(page.cursor ?? null);
    if (this.#parts.redact(cursorText) !== cursorText) throw malformed('put a secret into its cursor');
    const size = Buffer.byteLength(cursorText);
    if (size > LARGEST_CURSOR) throw malformed(`put ${size} bytes into its cursor, more than ${LARGEST_CURSOR}`);
    if (page.more && page.records.length === 0 && cursorText === JSON.stringify(before ?? null))
      throw malformed('says that there is more, and moves neither its cursor nor a record');
    const { good, bad } = await this.#judged(page.records, signal);
    await letters.add(sync, bad);
    const checked = runs.records !== undefined;
    const counts: Count[] = [
      { what: 'record', result: checked ? 'valid' : 'unchecked', count: good.length },
      { what: 'record', result: 'invalid', count: bad.length },
    ];
    const happenings: Happening[] = [
      ...(checked ? good : []).map(() => ({ what: 'record' as const, valid: true })),
      ...bad.map(() => ({ what: 'record' as const, valid: false })),
    ];
    const weighed = weigh(happenings);
    const kept = { records: good, ...(page.cursor === undefined ? {} : { cursor: page.cursor }) };
    states.page(sync, kept, { at: now(), counts, weighed });
    written(counts, weighed, []);
    this.#collected[checked ? 'valid' : 'unchecked'] += good.length;
    this.#collected.invalid += bad.length;
    return page.more;
  }

  /** Which records are in order, and which are given up at once. */
  async #judged(raw: readonly JsonValue[], signal: AbortSignal) {
    const { check, runs, redact } = this.#parts;
    const bad: DeadLetter[] = [];
    const formed: FreshRecord[] = [];
    for (const one of raw) {
      const read = recordOf(one);
      const text = JSON.stringify(one);
      if ('flaw' in read) bad.push({ what: 'fragment', reason: read.flaw, data: text.length > SHOWN ? null : one });
      else if (redact(text) !== text) bad.push({ what: 'record', reason: 'it holds a secret', data: one });
      else formed.push(read.record);
    }
    const { schema } = runs.records ?? {};
    const flaws =
      schema === undefined
        ? []
        : await check.flaws(
            schema,
            formed.map(({ data }) => data),
            signal,
          );
    const good = formed.filter((record, index) => {
      const flaw = flaws[index];
      if (flaw !== undefined) bad.push({ ...record, what: 'record', reason: `it breaks the schema: ${flaw}` });
      return flaw === undefined;
    });
    return { good, bad };
  }

  /** Hands over what is due, until nothing is or nothing gets through. */
  async #deliver(signal: AbortSignal): Promise<void> {
    const { states, sync, now } = this.#parts;
    for (let failures = 0; failures < PATIENCE;) {
      const [first, ...rest] = states.due(sync, now(), BATCH);
      if (first === undefined) return;
      const fresh = rest.findIndex(({ attempts }) => attempts > 0);
      const batch = first.attempts > 0 ? [first] : [first, ...(fresh < 0 ? rest : rest.slice(0, fresh))];
      failures = (await this.#handOver(batch, signal)) ? 0 : failures + 1;
    }
  }

  /** @returns whether any of them got through */
  async #handOver(batch: readonly WaitingRecord[], signal: AbortSignal): Promise<boolean> {
    const failed = await this.#attempt(batch, signal);
    const { states, sync, letters, now, weigh, written, runs } = this.#parts;
    const most = runs.records?.attempts ?? ATTEMPTS;
    const at = now();
    const gone: WaitingRecord[] = [];
    const dead: (WaitingRecord & Pick<DeadLetter, 'what' | 'reason'>)[] = [];
    const put: { seq: number; due: number; error: string }[] = [];
    for (const record of batch) {
      const failure = failed.get(record.seq);
      const attempts = record.attempts + 1;
      if (failure === undefined) gone.push(record);
      else if (failure.retry && attempts < most)
        put.push({ seq: record.seq, due: at + this.#pause(attempts), error: failure.message });
      else dead.push({ ...record, what: 'record', attempts, reason: failure.message });
      if (failure !== undefined) this.#said = failure.message;
    }
    await letters.add(sync, dead);
    const counts: Count[] = [
      { what: 'delivery', result: 'applied', count: gone.length },
      { what: 'delivery', result: 'failed', count: put.length },
      { what: 'delivery', result: 'dead', count: dead.length },
    ];
    const latency = ({ changedAt, again }: WaitingRecord): readonly number[] =>
      changedAt === undefined || again ? [] : [Math.max(0, at - changedAt) / 1000];
    const latencies = gone.flatMap(latency);
    const weighed = weigh([
      ...latencies.map((seconds) => ({ what: 'delivery' as const, ok: true, latency: seconds })),
      ...dead.flatMap(latency).map((seconds) => ({ what: 'delivery' as const, ok: false, latency: seconds })),
    ]);
    const given = gone.length === 0 ? new Set<string>() : await letters.keys(sync);
    const passed = gone.map(({ key }) => key).filter((key) => given.has(key));
    states.settle(sync, { gone: [...gone, ...dead].map(({ seq }) => seq), put, passed }, { at, counts, weighed });
    written(counts, weighed, latencies);
    this.#delivered.applied += gone.length;
    this.#delivered.failed += put.length;
    this.#delivered.dead += dead.length;
    return gone.length > 0 || put.length === 0;
  }

  /** What failed, and whether to try it again, by record. */
  async #attempt(batch: readonly WaitingRecord[], signal: AbortSignal) {
    const { call, redact } = this.#parts;
    const asked = new Set(batch.map(({ seq }) => seq));
    const records = batch.map(({ seq, key, changedAt, data, attempts }) => ({
      id: seq,
      key,
      ...(changedAt === undefined ? {} : { changedAt: new Date(changedAt).toISOString() }),
      attempt: attempts + 1,
      data,
    }));
    try {
      const failures = failuresOf(await call({ about: 'deliver', records }, signal), asked);
      return new Map(
        [...failures].map(([id, { message, retry }]) => [id, { message: redact(message).slice(0, 1000), retry }]),
      );
    } catch (error) {
      signal.throwIfAborted();
      // What one of several has done to all is found out one by one.
      const retry = batch.length > 1 || !(error instanceof ReconcilerError && error.code === 'code-refused');
      return new Map(batch.map(({ seq }) => [seq, { message: redact(messageOf(error)), retry }]));
    }
  }

  #pause(attempts: number): number {
    const full = Math.min(PAUSE.longest, PAUSE.first * 2 ** Math.min(attempts - 1, 20));
    return full * (0.75 + 0.25 * this.#parts.random());
  }
}
