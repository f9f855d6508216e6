import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ledger } from '../../../src/ledger/ledger.ts';
import { Seal } from '../../../src/secrets/seal.ts';
import { SecretStore } from '../../../src/secrets/store.ts';

const HASH_KEY = new Uint8Array(32).fill(9);

/** A real ledger in a folder of its own, with the key that secrets of webhooks are sealed with. */
export class Registry implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'plumbline-webhooks-'));
  readonly secrets = new SecretStore({ env: {}, hashKey: HASH_KEY });
  ledger: Ledger;
  #now = 1_700_000_000_000;

  constructor() {
    this.ledger = this.#open();
  }

  /** Closes the file and opens it again: what a restart does. */
  reopen(seal: 'same key' | 'other key' | 'no key' = 'same key'): void {
    this.ledger.close();
    this.ledger = this.#open(seal);
  }

  [Symbol.dispose](): void {
    this.ledger.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  #open(seal: 'same key' | 'other key' | 'no key' = 'same key'): Ledger {
    const key = seal === 'other key' ? new Uint8Array(32).fill(1) : HASH_KEY;
    const hold = (value: string) => this.secrets.hold(value);
    return Ledger.open(this.directory, {
      now: () => (this.#now += 1000),
      ...(seal === 'no key' ? {} : { seal: new Seal({ key, hold }) }),
    });
  }
}
