import { createHmac } from 'node:crypto';
import { sign } from '@octokit/webhooks-methods';
import { expect } from 'chai';
import { Webhook } from 'standardwebhooks';
import { proofOf } from '../../src/gateway/hooks/providers.ts';
import type { GitProvider } from '../../src/gateway/hooks/providers.ts';
import { Verification } from '../../src/gateway/hooks/signatures.ts';
import type { Proof, Verdict } from '../../src/gateway/hooks/signatures.ts';

const SECRET = 'pushes are signed with this';
const BODY = '{"ref":"refs/heads/main","after":"0123456789abcdef0123456789abcdef01234567"}';
/** printf %s "$BODY" | openssl dgst -sha256 -hmac "$SECRET" */
const HEX = 'f8a8f421fd711dc261b002d8871f15fb5424e0b62be7ef119cb4adaf9173407b';
/** The key's bytes 00112233… in base64, and by openssl the signature of `msg_1.1700000000.` and the event. */
const WHSEC = 'whsec_ABEiM0RVZneImaq7zN3u/wARIjNEVWZ3iJmqu8zd7v8=';
const EVENT = '{"event_type":"order.created","data":{"id":42}}';
const EVENT_SIGNATURE = 'v1,3UHdVF641dmyoyqMjpz32wD04r0vBJtBn2Z2uwoPJoQ=';
const SENT_AT = 1_700_000_000_000;
const STANDARD: Proof = { kind: 'standard-webhooks' };

interface Request {
  readonly headers: Record<string, string>;
  readonly body?: string | Buffer;
  readonly secret?: string;
  readonly now?: number;
}

function check(proof: Proof, { headers, body = BODY, secret = SECRET, now = SENT_AT }: Request): Verdict {
  const verification = new Verification(proof, headers, secret);
  verification.update(Buffer.from(body));
  return verification.verdict(now);
}

function checkPush(provider: GitProvider, request: Request): Verdict {
  return check(proofOf(provider, request.headers), request);
}

const standard = (id: string, timestamp: number | string, signature: string): Record<string, string> => ({
  'webhook-id': id,
  'webhook-timestamp': String(timestamp),
  'webhook-signature': signature,
});
const hmacOf = (text: string, key = Buffer.from(WHSEC.slice(6), 'base64')): string =>
  createHmac('sha256', key).update(text).digest('base64');
/** A header whose bytes are UTF-8. */
const asNodeReads = (text: string): string => Buffer.from(text).toString('latin1');
const rightly = standard('msg_1', 1_700_000_000, EVENT_SIGNATURE);

describe('signatures of git pushes', () => {
  const signed: readonly (readonly [GitProvider, string, string])[] = [
    ['github', 'x-hub-signature-256', `sha256=${HEX}`],
    ['bitbucket', 'x-hub-signature', `sha256=${HEX}`],
    ['generic', 'x-signature-256', `sha256=${HEX}`],
    ['gitea', 'x-gitea-signature', HEX],
    ['forgejo', 'x-forgejo-signature', HEX],
    ['forgejo', 'x-gitea-signature', HEX],
  ];
  for (const [provider, header, value] of signed) {
    it(`of ${provider} in ${header} are those that openssl makes, and no others`, () => {
      expect(checkPush(provider, { headers: { [header]: value } })).to.equal('genuine');
      const wrong = [
        '',
        'sha256=',
        value.slice(0, -1),
        `${value}0`,
        `${value}${value}`,
        value.replace(/.$/, (digit) => (digit === '0' ? '1' : '0')),
        value.startsWith('sha256=') ? HEX : `sha256=${HEX}`,
        value.replace('sha256=', 'sha1='),
        '0'.repeat(64),
        `sha256=${'é'.repeat(64)}`,
        `${value}, ${value}`,
      ].filter((text) => text !== value);
      for (const text of wrong)
        expect(checkPush(provider, { headers: { [header]: text } }), JSON.stringify(text)).to.equal('wrong');
      expect(checkPush(provider, { headers: {} })).to.equal('wrong');
      expect(checkPush(provider, { headers: { [header]: value }, body: `${BODY} ` })).to.equal('wrong');
      expect(checkPush(provider, { headers: { [header]: value }, secret: `${SECRET}!` })).to.equal('wrong');
    });
  }

  it("of GitHub are those that GitHub's own library makes, over any bytes", async () => {
    for (const body of [BODY, 'payload=%7B%7D', '{"name":"Zoë 🛠"}']) {
      const headers = { 'x-hub-signature-256': await sign(SECRET, body) };
      expect(checkPush('github', { headers, body })).to.equal('genuine');
      expect(checkPush('github', { headers, body: `${body}\0` })).to.equal('wrong');
    }
  });

  it('of GitLab are its token, or Standard Webhooks where it signs, and then the token beside it counts for nothing', () => {
    expect(checkPush('gitlab', { headers: { 'x-gitlab-token': SECRET } })).to.equal('genuine');
    for (const token of ['', 'p', SECRET.slice(1), `${SECRET} `, SECRET.toUpperCase()])
      expect(checkPush('gitlab', { headers: { 'x-gitlab-token': token } }), token).to.equal('wrong');
    expect(checkPush('gitlab', { headers: rightly, body: EVENT, secret: WHSEC })).to.equal('genuine');
    const both = { ...rightly, 'webhook-signature': 'v1,AAAA', 'x-gitlab-token': WHSEC };
    expect(checkPush('gitlab', { headers: both, body: EVENT, secret: WHSEC })).to.equal('wrong');
  });
});

describe('signatures by Standard Webhooks', () => {
  it('are those that openssl makes, over id, time and body together', () => {
    const request = { headers: rightly, body: EVENT, secret: WHSEC };
    expect(check(STANDARD, request)).to.equal('genuine');
    expect(check(STANDARD, { ...request, body: BODY })).to.equal('wrong');
    expect(check(STANDARD, { ...request, headers: { ...rightly, 'webhook-id': 'msg_2' } })).to.equal('wrong');
    expect(check(STANDARD, { ...request, headers: { ...rightly, 'webhook-timestamp': '1700000001' } })).to.equal(
      'wrong',
    );
    for (const name of Object.keys(rightly))
      expect(check(STANDARD, { ...request, headers: { ...rightly, [name]: '' } }), name).to.equal('wrong');
  });

  it("are those that the standard's own library makes, with and without whsec_", () => {
    for (const secret of [WHSEC, WHSEC.slice(6)]) {
      const signature = new Webhook(secret).sign('msg_ü', new Date(SENT_AT), EVENT);
      const headers = standard(asNodeReads('msg_ü'), SENT_AT / 1000, signature);
      expect(check(STANDARD, { headers, body: EVENT, secret }), secret).to.equal('genuine');
      expect(check(STANDARD, { headers, body: EVENT, secret: 'whsec_AAAA' }), secret).to.equal('wrong');
    }
    const raw = new Webhook(SECRET, { format: 'raw' }).sign('1', new Date(SENT_AT), EVENT);
    expect(check(STANDARD, { headers: standard('1', SENT_AT / 1000, raw), body: EVENT })).to.equal('genuine');
  });

  it('are found among several, of which those of another version say nothing', () => {
    const among = (signature: string): Verdict =>
      check(STANDARD, { headers: { ...rightly, 'webhook-signature': signature }, body: EVENT, secret: WHSEC });
    expect(among(`v1,AAAA v1a,BBBB ${EVENT_SIGNATURE}`)).to.equal('genuine');
    expect(among(EVENT_SIGNATURE.replace('v1,', 'v2,'))).to.equal('wrong');
    expect(among(EVENT_SIGNATURE.slice(3))).to.equal('wrong');
    expect(among(`${'v1,AAAA '.repeat(8)}${EVENT_SIGNATURE}`), 'more than are looked at').to.equal('wrong');
  });

  it('are stale more than five minutes before and after they were made', () => {
    const at = (seconds: number): Verdict =>
      check(STANDARD, { headers: rightly, body: EVENT, secret: WHSEC, now: SENT_AT + seconds * 1000 });
    expect([-301, -300, 300, 301].map(at)).to.deep.equal(['stale', 'genuine', 'genuine', 'stale']);
  });

  it('need an id, even when none is rightly signed', () => {
    const headers = standard('', 1_700_000_000, `v1,${hmacOf(`.1700000000.${EVENT}`)}`);
    expect(check(STANDARD, { headers, body: EVENT, secret: WHSEC })).to.equal('wrong');
  });

  it('need a time in whole seconds, even when it is rightly signed', () => {
    const library = new Webhook(WHSEC);
    for (const timestamp of ['NaN', '1.7e9', '-1700000000', ' 1700000000', '0x6553f100', '1700000000.0', '']) {
      const signed = `v1,${hmacOf(`msg_1.${timestamp}.${EVENT}`)}`;
      const headers = standard('msg_1', timestamp, signed);
      expect(check(STANDARD, { headers, body: EVENT, secret: WHSEC }), timestamp).to.equal('wrong');
    }
    expect(`v1,${hmacOf(`msg_1.1700000000.${EVENT}`)}`).to.equal(library.sign('msg_1', new Date(SENT_AT), EVENT));
  });

  it('by a secret that is no key are nobody’s', () => {
    for (const secret of ['whsec_', 'whsec_?', 'whsec_A', 'whsec_not base64!']) {
      const carelessly = Buffer.from(secret.slice(6), 'base64');
      const signature = `v1,${hmacOf(`msg_1.1700000000.${EVENT}`, carelessly)}`;
      const headers = { ...rightly, 'webhook-signature': signature };
      expect(check(STANDARD, { headers, body: EVENT, secret }), secret).to.equal('unusable');
    }
  });
});

describe('bearer tokens and plain HMACs of platforms', () => {
  const token: Proof = { kind: 'token', headers: ['authorization', 'x-plumbline-token'] };

  it('are the whole token in either header', () => {
    for (const headers of [
      { authorization: 'Bearer s3cret-token' },
      { authorization: 'bearer  s3cret-token' },
      { 'x-plumbline-token': 's3cret-token' },
      { authorization: 'Bearer of-a-proxy', 'x-plumbline-token': 's3cret-token' },
    ])
      expect(check(token, { headers, secret: 's3cret-token' }), JSON.stringify(headers)).to.equal('genuine');
    expect(check(token, { headers: { 'x-plumbline-token': asNodeReads('schlüssel') }, secret: 'schlüssel' })).to.equal(
      'genuine',
    );
    for (const headers of [
      {},
      { authorization: 's3cret-token' },
      { authorization: 'Basic s3cret-token' },
      { authorization: 'Bearer s3cret' },
      { authorization: 'Bearer s3cret-token x' },
      { 'x-plumbline-token': 'Bearer s3cret-token' },
      { 'x-plumbline-token': '' },
    ])
      expect(check(token, { headers, secret: 's3cret-token' }), JSON.stringify(headers)).to.equal('wrong');
  });

  it('are hexadecimal digits in any case, with or without sha256=', () => {
    const plain: Proof = { kind: 'hmac', header: 'x-signature', prefix: 'sha256=', optional: true };
    for (const value of [HEX, HEX.toUpperCase(), `sha256=${HEX}`])
      expect(check(plain, { headers: { 'x-signature': value } }), value).to.equal('genuine');
    for (const value of [`sha1=${HEX}`, `sha256=sha256=${HEX}`, Buffer.from(HEX, 'hex').toString('base64')])
      expect(check(plain, { headers: { 'x-signature': value } }), value).to.equal('wrong');
  });
});
