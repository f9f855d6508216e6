import { createDecipheriv, createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { SQLInputValue } from 'node:sqlite';

/** What belongs to the instance and not to what people keep on it. */
const OF_THE_INSTANCE =
  /^(migrations|sqlite_|settings|scope|role|user|auth_|project|instance_|deployment_key|invalid_auth|installed_|api_)/;

type Row = Readonly<Record<string, SQLInputValue>>;

/** The database of a running n8n, from below: what its API neither shows (values of credentials) nor takes (ids). */
export class N8nStore implements Disposable {
  readonly #database: DatabaseSync;
  readonly #key: string;

  /** `folder`: N8N_USER_FOLDER of the server. */
  constructor(folder: string) {
    const home = join(folder, '.n8n');
    this.#database = new DatabaseSync(join(home, 'database.sqlite'), { enableForeignKeyConstraints: false });
    this.#database.exec('PRAGMA busy_timeout = 20000');
    const config = JSON.parse(readFileSync(join(home, 'config'), 'utf8')) as { readonly encryptionKey: string };
    this.#key = config.encryptionKey;
  }

  /** Everything that people keep there, as text. */
  save(): string {
    return JSON.stringify(
      Object.fromEntries(
        this.#tables().map((table) => [table, this.#database.prepare(`SELECT * FROM "${table}"`).all()]),
      ),
    );
  }

  /** Puts back what `save` gave, ids included, in one transaction. What runs has to be stopped before: n8n knows that by heart. */
  restore(saved: string): void {
    const tables = Object.entries(JSON.parse(saved) as Readonly<Record<string, readonly Row[]>>);
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      for (const [table] of tables) this.#database.exec(`DELETE FROM "${table}"`);
      for (const [table, rows] of tables)
        for (const row of rows) {
          const columns = Object.keys(row);
          const names = columns.map((name) => `"${name}"`).join(', ');
          const places = columns.map(() => '?').join(', ');
          this.#database.prepare(`INSERT INTO "${table}" (${names}) VALUES (${places})`).run(...Object.values(row));
        }
      this.#database.exec('COMMIT');
    } catch (error) {
      this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  /** Values of all credentials in clear, as JSON, by id. */
  secrets(): ReadonlyMap<string, string> {
    const rows = this.#database.prepare('SELECT id, data FROM credentials_entity').all() as {
      id: string;
      data: string;
    }[];
    return new Map(rows.map(({ id, data }) => [id, decrypted(data, this.#key)]));
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  #tables(): readonly string[] {
    const rows = this.#database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
    return rows.map(({ name }) => String(name)).filter((name) => !OF_THE_INSTANCE.test(name));
  }
}

/** As OpenSSL salts and encrypts with a passphrase, which is n8n's way: key and vector are MD5 sums of what came before. */
function decrypted(text: string, passphrase: string): string {
  const bytes = Buffer.from(text, 'base64');
  const salt = bytes.subarray(8, 16);
  const parts: Buffer[] = [];
  for (let made = Buffer.alloc(0); parts.length < 3; parts.push(made))
    made = createHash('md5').update(made).update(passphrase).update(salt).digest();
  const derived = Buffer.concat(parts);
  const decipher = createDecipheriv('aes-256-cbc', derived.subarray(0, 32), derived.subarray(32, 48));
  return Buffer.concat([decipher.update(bytes.subarray(16)), decipher.final()]).toString('utf8');
}
