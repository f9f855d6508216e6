import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { Ledger } from '../../src/ledger/ledger.ts';
import { MOST_TOKENS } from '../../src/ledger/tokens.ts';
import { stateDirectories } from './samples.ts';

const DRAFT = { name: 'orders', scopes: ['read', 'trigger:node-red/orders'], by: 'alice' } as const;
const DAY = 24 * 3600 * 1000;

describe('Tokens in the ledger', () => {
  const stateDirectory = stateDirectories();
  let now = 1_000_000;
  const open = (directory: string): Ledger => Ledger.open(directory, { now: () => now });

  it('outlive the process, and only a hash of them is on the disk', () => {
    const directory = stateDirectory();
    let token: string;
    {
      using ledger = open(directory);
      token = ledger.tokens.create({
        ...DRAFT,
        expiresAt: now + DAY,
        rates: { read: { perSecond: 1, burst: 2 } },
      }).token;
      const files = readdirSync(directory).map((name) => readFileSync(join(directory, name)).toString('latin1'));
      expect(files.some((text) => text.includes(token.slice(-43)))).to.equal(false);
    }
    using ledger = open(directory);
    const [record] = ledger.tokens.list();
    expect(record).to.deep.include({ name: 'orders', scopes: DRAFT.scopes, createdBy: 'alice', expiresAt: now + DAY });
    expect(record?.rates).to.deep.equal({ read: { perSecond: 1, burst: 2 } });
    expect(ledger.tokens.claim(token)).to.deep.equal({ record });
  });

  it('are taken whole, as they were issued, and under their own id only', () => {
    using ledger = open(stateDirectory());
    const one = ledger.tokens.create(DRAFT);
    const other = ledger.tokens.create(DRAFT);
    const [, id = ''] = other.token.split('_');
    const swapped = one.token.replace(one.record.id, id);
    for (const wrong of ['', 'plb_', one.record.id, swapped, `${one.token}x`, ` ${one.token}`, one.token.slice(0, -1)])
      expect(ledger.tokens.claim(wrong).record, wrong).to.equal(undefined);
  });

  it('tell why they are not taken any more', () => {
    using ledger = open(stateDirectory());
    const expiring = ledger.tokens.create({ ...DRAFT, expiresAt: now + 10 });
    const revoked = ledger.tokens.create(DRAFT);
    const rotated = ledger.tokens.create(DRAFT);
    ledger.tokens.revoke(revoked.record.id);
    const fresh = ledger.tokens.rotate(rotated.record.id, 10);
    expect(ledger.tokens.claim(rotated.token).because).to.equal(undefined);
    now += 10;
    expect(ledger.tokens.claim(expiring.token).because).to.equal('expired');
    expect(ledger.tokens.claim(revoked.token).because).to.equal('revoked');
    expect(ledger.tokens.claim(rotated.token).because).to.equal('rotated');
    expect(ledger.tokens.claim(fresh.token).because).to.equal(undefined);
    ledger.tokens.rotate(rotated.record.id, 10);
    expect(ledger.tokens.claim(rotated.token).record, 'two rotations ago').to.equal(undefined);
    ledger.tokens.revoke(rotated.record.id);
    expect(ledger.tokens.claim(fresh.token).because, 'revoked within the grace').to.equal('revoked');
  });

  it('are bounded; those of no use any more are listed for 90 days and then make room', () => {
    using ledger = open(stateDirectory());
    const first = ledger.tokens.create(DRAFT);
    for (let count = 1; count < MOST_TOKENS; count += 1) ledger.tokens.create(DRAFT);
    expect(() => ledger.tokens.create(DRAFT))
      .to.throw('no more are kept')
      .with.property('code', 'tokens-full');
    ledger.tokens.revoke(first.record.id);
    now += 90 * DAY + 1;
    ledger.tokens.create(DRAFT);
    expect(ledger.tokens.list().some(({ id }) => id === first.record.id)).to.equal(false);
  });
});
