import { randomUUID } from 'node:crypto';
import type { StatementSync } from 'node:sqlite';
import type { RegisteredWebhook, WebhookDraft, WebhookRegister } from '../drivers/webhook-register.ts';
import { ReconcilerError } from '../errors.ts';
import type { Marker } from '../plan/types.ts';
import type { Seal } from '../secrets/seal.ts';
import type { SecretValue } from '../secrets/secrets.ts';
import type { Database } from './database.ts';

export interface WebhooksOptions {
  /** What secrets are kept under; without it they can be neither written nor told. */
  readonly seal?: Seal;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

type Row = ReturnType<StatementSync['get']>;

const COLUMNS =
  'id, platform, title, event, url, active, secret IS NOT NULL AS signed, marker, version, created_at, changed_at, changed_by';

/** The register of outgoing webhooks. Secrets are sealed, each for its own webhook; everything else is plain. */
export class Webhooks implements WebhookRegister {
  readonly #database: Database;
  readonly #seal: Seal | undefined;
  readonly #now: () => number;
  readonly #watchers = new Set<() => void>();
  readonly #all: StatementSync;
  readonly #ofPlatform: StatementSync;
  readonly #one: StatementSync;
  readonly #insert: StatementSync;
  readonly #update: StatementSync;
  readonly #setSecret: StatementSync;
  readonly #remove: StatementSync;
  readonly #secret: StatementSync;

  constructor(database: Database, { seal, now }: WebhooksOptions) {
    this.#database = database;
    this.#seal = seal;
    this.#now = now;
    this.#all = database.prepare(`SELECT ${COLUMNS} FROM webhook ORDER BY id`);
    this.#ofPlatform = database.prepare(`SELECT ${COLUMNS} FROM webhook WHERE platform = ? ORDER BY id`);
    this.#one = database.prepare(`SELECT ${COLUMNS} FROM webhook WHERE id = ?`);
    this.#insert = database.prepare(
      `INSERT INTO webhook (id, platform, title, event, url, active, marker, version, created_at, changed_at, changed_by)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#update = database.prepare(
      `UPDATE webhook SET platform = ?, title = ?, event = ?, url = ?, active = ?, marker = ?, version = ?, changed_at = ?,
         changed_by = ? WHERE id = ?`,
    );
    this.#setSecret = database.prepare('UPDATE webhook SET secret = ? WHERE id = ?');
    this.#remove = database.prepare('DELETE FROM webhook WHERE id = ?');
    this.#secret = database.prepare('SELECT secret FROM webhook WHERE id = ?');
  }

  /**
   * Calls back after every write that changed something, by whomever: whoever delivers looks again. What it is called with must not throw.
   * Ends when disposed.
   */
  watch(onChange: () => void): Disposable {
    this.#watchers.add(onChange);
    return { [Symbol.dispose]: () => void this.#watchers.delete(onChange) };
  }

  list(platform?: string): readonly RegisteredWebhook[] {
    return this.#database.read('read the webhooks', () =>
      (platform === undefined ? this.#all.all() : this.#ofPlatform.all(platform)).map(webhookOf),
    );
  }

  get(id: string): RegisteredWebhook | undefined {
    return this.#database.read('read a webhook', () => {
      const row = this.#one.get(id);
      return row === undefined ? undefined : webhookOf(row);
    });
  }

  create(draft: WebhookDraft, id: string = randomUUID()): RegisteredWebhook {
    const secret = this.#sealed(draft, id);
    return this.#write('register the webhook', () => {
      if (this.#one.get(id) !== undefined) throw taken(id);
      const { platform, title, event, url, active, by } = draft;
      const at = Math.trunc(this.#now());
      const marker = markerText(draft.marker);
      this.#insert.run(id, platform, title, event, url, Number(active), marker, randomUUID(), at, at, by);
      if (secret !== undefined) this.#setSecret.run(secret, id);
      return webhookOf(this.#one.get(id));
    });
  }

  update(id: string, draft: WebhookDraft, version?: string): RegisteredWebhook {
    const secret = this.#sealed(draft, id);
    return this.#write('change the webhook', () => {
      const row = this.#one.get(id);
      if (row === undefined) throw absent(id);
      if (version !== undefined && row['version'] !== version) throw stale(id, String(row['title']));
      const { platform, title, event, url, active, by } = draft;
      const at = Math.trunc(this.#now());
      const marker = markerText(draft.marker);
      this.#update.run(platform, title, event, url, Number(active), marker, randomUUID(), at, by, id);
      if (secret !== undefined) this.#setSecret.run(secret, id);
      return webhookOf(this.#one.get(id));
    });
  }

  remove(id: string, version?: string): boolean {
    return this.#write('remove the webhook', () => {
      const row = this.#one.get(id);
      if (row === undefined) return false;
      if (version !== undefined && row['version'] !== version) throw stale(id, String(row['title']));
      return this.#remove.run(id).changes !== 0;
    });
  }

  secretOf(id: string): SecretValue | undefined {
    const sealed = this.#database.read('read the secret of a webhook', () => this.#secret.get(id)?.['secret']);
    return typeof sealed === 'string' ? this.#requireSeal().open(sealed, contextOf(id)) : undefined;
  }

  /** Runs `work` in a transaction; once it stands, those who watch are told, unless it says that nothing changed. */
  #write<T>(doing: string, work: () => T): T {
    const result = this.#database.write(doing, work);
    if (result !== false) for (const tell of this.#watchers) tell();
    return result;
  }

  /** As it is to be kept: a text, null for none, undefined for what is there already. */
  #sealed({ secret }: WebhookDraft, id: string): string | null | undefined {
    return secret === undefined || secret === null ? secret : this.#requireSeal().seal(secret, contextOf(id));
  }

  #requireSeal(): Seal {
    if (this.#seal !== undefined) return this.#seal;
    throw new ReconcilerError(
      'The ledger was opened without the key that secrets of webhooks are sealed with.',
      'never',
      {
        code: 'seal-missing',
        remedy: 'Ask the daemon instead: it has the key.',
      },
    );
  }
}

/** A sealed secret opens for its own webhook only: one that was copied to another row, with another URL, does not. */
function contextOf(id: string): string {
  return `webhook/${id}/secret`;
}

function markerText(marker: Marker | undefined): string | null {
  return marker === undefined ? null : JSON.stringify(marker);
}

function webhookOf(row: Row): RegisteredWebhook {
  const text = (column: string): string => String(row?.[column]);
  const marker = row?.['marker'];
  return {
    id: text('id'),
    platform: text('platform'),
    title: text('title'),
    event: text('event'),
    url: text('url'),
    active: row?.['active'] === 1,
    signed: row?.['signed'] === 1,
    version: text('version'),
    ...(typeof marker === 'string' ? { marker: JSON.parse(marker) as Marker } : {}),
    createdAt: Number(row?.['created_at']),
    changedAt: Number(row?.['changed_at']),
    changedBy: text('changed_by'),
  };
}

function taken(id: string): ReconcilerError {
  return new ReconcilerError(`There is a webhook with the id ${id} already.`, 'never', {
    code: 'conflict',
    remedy: 'Change that one, or leave the id out.',
  });
}

function absent(id: string): ReconcilerError {
  return new ReconcilerError(`There is no webhook with the id ${id} any more.`, 'replan', {
    code: 'not-found',
    remedy: 'List the webhooks, and register it again where it is still wanted.',
  });
}

function stale(id: string, title: string): ReconcilerError {
  return new ReconcilerError(`The webhook "${title}" (${id}) was changed since it was looked at.`, 'replan', {
    code: 'stale',
    remedy: 'Look at it again, and decide anew.',
  });
}
