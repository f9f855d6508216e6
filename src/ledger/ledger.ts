import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Journal } from '../apply/journal.ts';
import type { Key } from '../manifest/manifest.ts';
import type { LedgerView } from '../plan/types.ts';
import type { Seal } from '../secrets/seal.ts';
import { ARCHIVE_LIMITS, Archive } from './archive.ts';
import { Audit } from './audit.ts';
import type { ArchivedCopy, ArchiveLimits, ArchiveQuery } from './archive.ts';
import type { BusLimits } from './bus-limits.ts';
import { Bus } from './bus.ts';
import { connectForReading, Database, emptyDatabase } from './database.ts';
import { Events, EVENTS_KEPT } from './events.ts';
import type { EventQuery, LedgerEvent } from './events.ts';
import { ledgerError } from './faults.ts';
import { History, HISTORY_LIMITS } from './history.ts';
import type { HistoryLimits, HistoryQuery, PassRecord } from './history.ts';
import { LedgerJournal } from './journal.ts';
import { Letters } from './letters.ts';
import { StateLock } from './lock.ts';
import { Integrations } from './integrations.ts';
import { Owners } from './owners.ts';
import { Ownership } from './ownership.ts';
import type { Scope } from './ownership.ts';
import { openOrRecover } from './recovery.ts';
import type { Recovery } from './recovery.ts';
import { Runs } from './runs.ts';
import { SharedLedger } from './shared-rows.ts';
import { ServiceLevels } from './service-levels.ts';
import { Standing } from './standing.ts';
import type { PlatformFacts, Suspension } from './standing.ts';
import { SyncCursors } from './sync-cursors.ts';
import { SyncStates } from './sync-states.ts';
import { Tallies } from './tallies.ts';
import { Tokens } from './tokens.ts';
import { Webhooks } from './webhooks.ts';

export interface LedgerOptions {
  /** A lock already taken on the directory; without one the ledger takes it, and releases it when closed. */
  readonly lock?: StateLock;
  /** Told of a damaged ledger that was moved aside; by default a warning of the process. */
  readonly onRecovery?: (recovery: Recovery) => void;
  /** Applied to every error and message that is written down. */
  readonly redact?: (text: string) => string;
  /** What secrets of webhooks are kept under; without it they can be neither written nor told. */
  readonly seal?: Seal;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  readonly limits?: {
    readonly archive?: Partial<ArchiveLimits>;
    readonly history?: Partial<HistoryLimits>;
    readonly events?: number;
    readonly bus?: Partial<BusLimits>;
  };
}

/**
 * The embedded database of ownership, open intents and history: `ledger.db` (mode 0600) in the state directory. It can
 * be lost (law 7); what cannot be read from the platform again, such as history and the archive, is lost with it.
 * Methods throw ReconcilerErrors with a remedy (`ledger-full`, `ledger-readonly`, `ledger-io`, `ledger-corrupt`, …).
 */
export class Ledger implements Disposable {
  /** What happened to a damaged file when this ledger was opened. */
  readonly recovery: Recovery | undefined;
  /** Tokens of the API. */
  readonly tokens: Tokens;
  /** Calls of the API. */
  readonly audit: Audit;
  /** Runs of workflows that were asked for or seen. */
  readonly runs: Runs;
  readonly owners: Owners;
  /** Outgoing webhooks. */
  readonly webhooks: Webhooks;
  /** Service levels in force. */
  readonly serviceLevels: ServiceLevels;
  /** Code of Integrations in force. */
  readonly integrations: Integrations;
  /** How far their syncs are. */
  readonly syncs: SyncStates;
  /** Where other replicas go on with them. */
  readonly cursors: SyncCursors;
  /** What is known of their dead letters. */
  readonly letters: Letters;
  /** What was counted for them. */
  readonly tallies: Tallies;
  readonly #database: Database;
  readonly #ownership: Ownership;
  readonly #archive: Archive;
  readonly #history: History;
  readonly #standing: Standing;
  readonly #events: Events;
  readonly #now: () => number;
  readonly #redact: (text: string) => string;
  readonly #busLimits: Partial<BusLimits>;
  #bus: Bus | undefined;
  #lock: StateLock | undefined;

  private constructor(database: Database, options: LedgerOptions, recovery?: Recovery) {
    const { redact = (text: string) => text, now = Date.now, limits = {} } = options;
    this.recovery = recovery;
    this.#database = database;
    this.#now = now;
    this.#redact = redact;
    this.#busLimits = limits.bus ?? {};
    this.#ownership = new Ownership(database);
    this.#archive = new Archive(database, { ...ARCHIVE_LIMITS, ...limits.archive }, now);
    this.#history = new History(database, { ...HISTORY_LIMITS, ...limits.history }, redact);
    this.#standing = new Standing(database);
    this.#events = new Events(database, limits.events ?? EVENTS_KEPT, redact);
    this.tokens = new Tokens(database, now);
    this.audit = new Audit(database);
    this.runs = new Runs(database, redact, now);
    this.owners = new Owners(database);
    this.serviceLevels = new ServiceLevels(database, now);
    this.integrations = new Integrations(database, now);
    this.tallies = new Tallies(database);
    this.syncs = new SyncStates(database, this.tallies);
    this.cursors = new SyncCursors(database);
    this.letters = new Letters(database);
    this.webhooks = new Webhooks(database, { now, ...(options.seal === undefined ? {} : { seal: options.seal }) });
  }

  /**
   * Opens the ledger for writing, creating it when there is none. A damaged file is moved aside and a new one begun.
   * @throws ReconcilerError `state-locked` when another process writes here, `ledger-newer` when a newer version did.
   */
  static open(directory: string, options: LedgerOptions = {}): Ledger {
    const now = options.now ?? Date.now;
    const own =
      options.lock === undefined ? StateLock.acquire(directory, { pid: process.pid, startedAt: now() }) : undefined;
    let database: Database | undefined;
    try {
      const { sqlite, recovery } = openOrRecover(directory, now());
      database = new Database(sqlite, join(directory, 'ledger.db'));
      const ledger = new Ledger(database, options, recovery);
      ledger.#lock = own;
      if (recovery !== undefined) ledger.#tell(recovery, options.onRecovery);
      return ledger;
    } catch (error) {
      database?.close();
      own?.release();
      throw ledgerError(error, 'open', join(directory, 'ledger.db'));
    }
  }

  /** Opens the ledger for reading, beside a daemon that writes it or without one; empty when there is none yet. */
  static read(directory: string): Ledger {
    const file = join(directory, 'ledger.db');
    try {
      return new Ledger(new Database(existsSync(file) ? connectForReading(file) : emptyDatabase(), file), {});
    } catch (error) {
      throw ledgerError(error, 'open', file);
    }
  }

  /** Events and their deliveries. Made when first asked for: a reader may have a file before it that knows none yet. */
  get bus(): Bus {
    const options = { redact: this.#redact, now: this.#now, limits: this.#busLimits };
    return (this.#bus ??= new Bus(this.#database, options));
  }

  /** What replicas tell each other. */
  get shared(): SharedLedger {
    return new SharedLedger(this.#database, this.#ownership);
  }

  /** Where a pass writes: the ledger itself, or, where others may take over, the ledger and what they read. */
  journalOf: (scope: Scope) => Journal = (scope) => this.journal(scope);

  /** Where `apply` writes what it is about to do and what came of it. */
  journal(scope: Scope): LedgerJournal {
    return new LedgerJournal({ database: this.#database, ownership: this.#ownership, archive: this.#archive }, scope);
  }

  /**
   * The ledger as a plan sees it. With `keys`, only what is owned under those keys (pass former names along) and the
   * intents about them; what others own is always whole.
   */
  view(scope: Scope, keys?: readonly Key[]): LedgerView {
    return this.#ownership.view(scope, keys);
  }

  ownedCount(scope: Scope): number {
    return this.#ownership.count(scope);
  }

  /** Every Sync and Platform under which something is owned or a write is unresolved: also of Syncs that are gone. */
  scopes(): readonly (Scope & { readonly owned: number })[] {
    return this.#ownership.scopes();
  }

  /**
   * Hands everything of a Sync to its new name (`spec.previousNames`). What both own under one key stays with each, so
   * that no ownership is forgotten by a rename.
   */
  renameSync(from: string, to: string): void {
    this.#database.write('rename a Sync', () => {
      for (const table of ['owned', 'intent', 'suspension', 'pass', 'archive', 'event']) {
        this.#database.prepare(`UPDATE OR IGNORE ${table} SET sync = ? WHERE sync = ?`).run(to, from);
      }
      this.#database.prepare('DELETE FROM suspension WHERE sync = ?').run(from);
      this.#ownership.refresh();
    });
  }

  /** Keeps a pass in which something happened. @returns its id, or undefined when there was nothing to write down. */
  recordPass(pass: PassRecord): number | undefined {
    return this.#history.record(pass);
  }

  /** Passes, newest first. */
  history(query: HistoryQuery = {}): readonly (PassRecord & { readonly id: number })[] {
    return this.#history.passes(query);
  }

  /** Archived copies, newest first. */
  archived(query: ArchiveQuery = {}): readonly ArchivedCopy[] {
    return this.#archive.copies(query);
  }

  rememberPlatform(platform: string, facts: PlatformFacts): void {
    this.#standing.rememberPlatform(platform, facts);
  }

  suspend(sync: string, by: string, reason: string): void {
    this.#standing.suspend({ sync, by, reason, since: this.#now() });
  }

  /** Exactly these from now on. */
  setSuspensions(suspensions: readonly Suspension[]): void {
    const wanted = new Set(suspensions.map(({ sync }) => sync));
    for (const { sync } of this.suspensions()) if (!wanted.has(sync)) this.#standing.resume(sync);
    for (const suspension of suspensions) this.#standing.suspend(suspension);
  }

  /** @returns whether it was suspended. */
  resume(sync: string): boolean {
    return this.#standing.resume(sync);
  }

  suspensions(): readonly Suspension[] {
    return this.#standing.suspensions();
  }

  /** Where reading of something (`executions/automation-prod`) stopped. */
  cursor(name: string): string | undefined {
    return this.#standing.cursor(name);
  }

  setCursor(name: string, value: string): void {
    this.#standing.setCursor(name, value);
  }

  /** @returns the event's id, which `events({after})` takes. */
  addEvent(event: LedgerEvent): number {
    return this.#events.add(event);
  }

  events(query: EventQuery = {}): readonly (LedgerEvent & { readonly id: number })[] {
    return this.#events.list(query);
  }

  close(): void {
    this.#database.close();
    this.#lock?.release();
    this.#lock = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #tell(recovery: Recovery, onRecovery?: (recovery: Recovery) => void): void {
    for (const suspension of recovery.suspensions) this.#standing.suspend(suspension);
    this.#events.add({ at: this.#now(), type: 'ledger-recovered', message: recovery.message });
    if (onRecovery === undefined) process.emitWarning(recovery.message, { type: 'LedgerWarning' });
    else onRecovery(recovery);
  }
}
