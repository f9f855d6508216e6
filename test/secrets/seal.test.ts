import { inspect } from 'node:util';
import { expect } from 'chai';
import { assert, asyncProperty, constantFrom, nat, pre, property, string } from 'fast-check';
import { Seal } from '../../src/secrets/seal.ts';
import { SecretStore } from '../../src/secrets/store.ts';
import { failureOf } from './folders.ts';

function installation(byte: number) {
  const hashKey = new Uint8Array(32).fill(byte);
  const store = new SecretStore({ env: {}, hashKey });
  return { hashKey, store, seal: new Seal({ key: hashKey, hold: (value) => store.hold(value) }) };
}

/** Whole Unicode, as secrets are read: text without lone surrogates. */
const secret = string({ unit: 'grapheme', maxLength: 200 });
const context = string({ unit: 'grapheme', maxLength: 40 });

describe('A seal', () => {
  const { seal, store, hashKey } = installation(1);

  it('gives back what was sealed, for the same context, whatever both are', () => {
    assert(
      property(secret, context, (value, of) => {
        expect(seal.open(seal.seal(store.hold(value), of), of).reveal()).to.equal(value);
      }),
    );
  });

  it('still opens after a restart of the same installation', () => {
    expect(
      installation(1)
        .seal.open(seal.seal(store.hold('old'), 'a'), 'a')
        .reveal(),
    ).to.equal('old');
  });

  it('tells nothing: no two texts are alike, and none has the value or the key in it', () => {
    assert(
      property(string({ unit: 'grapheme', minLength: 8, maxLength: 60 }), (value) => {
        const texts = [seal.seal(store.hold(value), 'c'), seal.seal(store.hold(value), 'c')];
        expect(texts[0]).to.not.equal(texts[1]);
        for (const text of texts) {
          expect(text).to.match(/^v1:[\w-]+$/);
          const bytes = Buffer.from(text.slice(3), 'base64url');
          for (const canary of [Buffer.from(value, 'utf8'), Buffer.from(hashKey)])
            expect(bytes.includes(canary)).to.equal(false);
        }
      }),
    );
  });

  it('is sealed under a key of its own, not under that of the hashes', async () => {
    const { createDecipheriv } = await import('node:crypto');
    const bytes = Buffer.from(seal.seal(store.hold('value'), 'c').slice(3), 'base64url');
    const decipher = createDecipheriv('aes-256-gcm', hashKey, bytes.subarray(0, 12), { authTagLength: 16 });
    decipher.setAAD(Buffer.from('c'));
    decipher.setAuthTag(bytes.subarray(-16));
    decipher.update(bytes.subarray(12, -16));
    expect(() => decipher.final()).to.throw();
  });

  it('does not open for another context or another installation, and says what to do', async () => {
    await assert(
      asyncProperty(secret, context, context, async (value, of, other) => {
        pre(of !== other);
        const text = seal.seal(store.hold(value), of);
        for (const open of [() => seal.open(text, other), () => installation(2).seal.open(text, of)]) {
          const failure = await failureOf(open);
          expect([failure.code, failure.retry]).to.deep.equal(['seal-broken', 'never']);
          expect(failure.remedy).to.match(/^Give the secret again/);
        }
      }),
    );
  });

  it('does not open once a single character of it has changed, is missing or is one too many', async () => {
    await assert(
      asyncProperty(secret, nat(), constantFrom('drop', 'add', 'swap'), async (value, at, how) => {
        const text = seal.seal(store.hold(value), 'c');
        const index = at % text.length;
        const other = text[index] === 'A' ? 'B' : 'A';
        const rest = text.slice(how === 'add' ? index : index + 1);
        const changed = text.slice(0, index) + (how === 'drop' ? '' : other) + rest;
        pre(changed !== text);
        expect((await failureOf(() => seal.open(changed, 'c'))).code).to.equal('seal-broken');
      }),
    );
    for (const nothing of ['', 'v1:', 'plain text', 'v1:AAAA', `v2:${seal.seal(store.hold('x'), 'c').slice(3)}`])
      expect((await failureOf(() => seal.open(nothing, 'c'))).code, nothing).to.equal('seal-broken');
  });

  it('holds what it opens: it is redacted from then on, and never printed (law 9)', () => {
    const text = seal.seal(store.hold('CANARY-sealed-value'), 'c');
    const later = installation(1);
    const opened = later.seal.open(text, 'c');
    expect(later.store.redact('said CANARY-sealed-value')).to.not.include('CANARY');
    expect(`${inspect(opened)}${JSON.stringify(opened)}${inspect(later.seal, { showHidden: true })}`).to.not.include(
      'CANARY',
    );
  });
});
