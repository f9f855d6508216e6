import { inspect } from 'node:util';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { Redactor } from '../../src/secrets/redactor.ts';
import { SecretStore } from '../../src/secrets/store.ts';

const VALUE = 'p@ss/w+rd "ü" \\ 42?';

function redactorOf(...values: readonly string[]): Redactor {
  const redactor = new Redactor();
  for (const value of values) redactor.add(value);
  return redactor;
}

describe('Redaction', () => {
  it('replaces a resolved value in every form in which texts carry it', () => {
    const redactor = redactorOf(VALUE);
    const bytes = Buffer.from(VALUE);
    const forms = {
      raw: VALUE,
      percent: encodeURIComponent(VALUE),
      lowerPercent: encodeURIComponent(VALUE).replaceAll(/%../g, (octet) => octet.toLowerCase()),
      form: new URLSearchParams({ v: VALUE }).toString().slice(2),
      base64: bytes.toString('base64'),
      unpadded: bytes.toString('base64').replaceAll('=', ''),
      base64url: bytes.toString('base64url'),
      json: JSON.stringify(VALUE).slice(1, -1),
      jsonTwice: JSON.stringify(JSON.stringify(VALUE)).slice(3, -3),
      hex: bytes.toString('hex'),
      upperHex: bytes.toString('hex').toUpperCase(),
    };
    for (const [name, form] of Object.entries(forms)) {
      expect(redactor.redact(`before ${form} after`), name).to.equal('before [secret] after');
    }
  });

  it('finds a value inside longer base64, as in basic authentication, at every alignment', () => {
    const value = 'correct-horse-battery';
    const redactor = redactorOf(value);
    for (const user of ['a', 'ab', 'abc', 'abcd']) {
      const encoded = Buffer.from(`${user}:${value}:and more`).toString('base64');
      const redacted = redactor.redact(encoded);
      expect(redacted, user).to.include('[secret]');
      expect(Buffer.from(redacted.replace('[secret]', ''), 'base64').toString(), user).to.not.include('horse');
    }
  });

  it('leaves nothing of a value in any text that contains it, whatever both are', () => {
    const secret = fc.string({ unit: 'binary', minLength: 4, maxLength: 20 });
    fc.assert(
      fc.property(
        fc.array(secret, { minLength: 1, maxLength: 5 }),
        fc.string(),
        fc.string(),
        (values, before, after) => {
          const redactor = redactorOf(...values);
          const redacted = redactor.redact(values.reduce((text, value) => `${text}${value} ${after}`, before));
          for (const value of values.filter((value) => !'[secret][secret]'.includes(value))) {
            expect(redacted.split('[secret]').some((piece) => piece.includes(value))).to.equal(false);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('replaces values that overlap together, so that no rest of one sticks out', () => {
    expect(redactorOf('abcdefgh', 'efghijkl', 'abcd').redact('xx abcdefghijkl abcd yy')).to.equal(
      'xx [secret] [secret] yy',
    );
  });

  it('replaces single lines of a multi-line value from eight characters on, and no value below four', () => {
    const redactor = redactorOf('first line of it\nshort\nlast line of it', 'abc');
    expect(redactor.redact('an error in "last line of it"')).to.equal('an error in "[secret]"');
    expect(redactor.redact('short abc')).to.equal('short abc');
  });

  it('remembers a bounded number of values: the ones used last', () => {
    const redactor = new Redactor(3);
    for (const value of ['value-1', 'value-2', 'value-3', 'value-1', 'value-4']) redactor.add(value);
    expect(redactor.redact('value-1 value-2 value-3 value-4')).to.equal('[secret] value-2 [secret] [secret]');
    const encoded = Buffer.from('value-5').toString('base64');
    for (const value of [encoded, 'value-5', 'value-6', 'value-7']) redactor.add(value);
    expect(redactor.redact(encoded), 'a form of a remembered value stays when its twin goes').to.equal('[secret]');
  });

  it('works off a long text with ten thousand values, of which each occurrence goes', () => {
    const values = Array.from({ length: 10_000 }, (_, n) => `ghp_token-number-${n}-of-many`);
    const redactor = redactorOf(...values);
    const text = values.map((value) => `the quick brown fox ${value} jumps over the lazy dog\n`.repeat(2)).join('');
    const redacted = redactor.redact(text);
    expect(redacted.includes('ghp_')).to.equal(false);
    expect(redacted.split('[secret]')).to.have.length(20_001);
  });

  it('covers what looks like a credential although nobody resolved it', () => {
    const redactor = new Redactor();
    const key = '-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n-----END OPENSSH PRIVATE KEY-----';
    const cases = [
      ['Authorization: Bearer tok3n', 'Authorization: Bearer [secret]'],
      ['{"authorization":"Basic dXNlcjpwYXNz"}', '{"authorization":"Basic [secret]"}'],
      ['"{\\"Authorization\\":\\"Bearer tok3n\\"}"', '"{\\"Authorization\\":\\"Bearer [secret]\\"}"'],
      ["['Authorization', 'Bearer tok3n']", "['Authorization', 'Bearer [secret]']"],
      ['sent bearer abcdefghijklmnop.qrst', 'sent bearer [secret]'],
      ['clone https://bob:hunter2@git.example.com/x.git', 'clone https://bob:[secret]@git.example.com/x.git'],
      ['postgres://u:p%40ss@db:5432/x', 'postgres://u:[secret]@db:5432/x'],
      ['https://ghp_abc@github.com/x', 'https://[secret]@github.com/x'],
      ['GET /hook?access_token=abc&x=1', 'GET /hook?access_token=[secret]&x=1'],
      ['X-N8N-API-KEY: abc', 'X-N8N-API-KEY: [secret]'],
      [`key ${key} end`, 'key [secret] end'],
      [`cut ${key.slice(0, 45)}`, 'cut [secret]'],
      [JSON.stringify({ key }), '{"key":"[secret]"}'],
    ] as const;
    for (const [text, expected] of cases) expect(redactor.redact(text)).to.equal(expected);
    const innocent = [
      'see https://git.example.com:8443/x@v1 and ssh://git@example.com/x',
      'orders.yaml:3:7: the key "active" is unknown',
      'the bearer token is missing',
    ];
    for (const text of innocent) expect(redactor.redact(text)).to.equal(text);
  });

  it('reaches every corner of a structured log entry, and ends for cycles', () => {
    const store = new SecretStore({ env: {}, hashKey: Buffer.alloc(32) });
    const value = store.hold('tok-4711');
    class OddError extends Error {
      readonly body = { sent: ['tok-4711'] };
    }
    const error = new OddError('refused tok-4711', {
      cause: new AggregateError([new Error('tok-4711')], 'all tok-4711'),
    });
    const entry: Record<string, unknown> = {
      error,
      value,
      buffer: Buffer.from('tok-4711'),
      map: new Map<unknown, unknown>([['a tok-4711', new Set(['tok-4711'])]]),
      url: new URL('https://x.example.com/?q=tok-4711'),
      when: new Date(0),
      count: 3,
      'tok-4711': true,
      password: 'never resolved',
      apiToken: 'never resolved',
      get broken(): string {
        throw new Error('tok-4711');
      },
    };
    entry['self'] = entry;
    const redacted = store.redactDeep(entry);
    const text = JSON.stringify(redacted) + inspect(redacted, { depth: 20, showHidden: true });
    expect(text).to.not.include('tok-4711').and.not.include('never resolved');
    expect(text).to.not.include(Buffer.from('tok-4711').toString('hex'));
    expect(redacted).to.deep.include({
      value: '[secret]',
      self: '[circular]',
      count: 3,
      when: '1970-01-01T00:00:00.000Z',
      buffer: '[8 bytes]',
      map: { 'a [secret]': ['[secret]'] },
      broken: '[unreadable]',
    });
    const { message, cause } = (
      redacted as {
        error: { message: string; cause: { errors: { message: string }[] } };
      }
    ).error;
    expect([message, cause.errors[0]?.message]).to.deep.equal(['refused [secret]', '[secret]']);
    expect((entry['error'] as Error).message, 'the original is untouched').to.equal('refused tok-4711');
  });

  it('cuts structures that are too deep or too large for a log entry', () => {
    let deep: unknown = 'tok-4711';
    for (let level = 0; level < 100_000; level++) deep = { deep };
    expect(JSON.stringify(new Redactor().redactDeep(deep))).to.include('[cut]');
    expect(new Redactor().redactDeep(Array.from({ length: 100_000 }, () => 1))).to.have.length(5001);
  });
});
