import { expect } from 'chai';
import { array, assert, constantFrom, option, property, record } from 'fast-check';
import { Access } from '../../src/gateway/api/access.ts';
import { Buckets } from '../../src/gateway/api/buckets.ts';
import { Scope, covers, isName, scopeFor, touches } from '../../src/gateway/api/scopes.ts';
import { createLog } from '../../src/report/log.ts';

const RIGHT = constantFrom('read' as const, 'trigger' as const, 'admin' as const);
/** Limits, as they are written and as what they let through. */
const LIMITS: readonly (readonly [string, readonly string[]])[] = [
  ['', []],
  [':a', ['a']],
  [':b', ['b']],
  [':a/x', ['a', 'x']],
  [':a/y', ['a', 'y']],
  [':b/x', ['b', 'x']],
];
const LIMIT = constantFrom(...LIMITS);
const EXTENT = record({
  platform: option(constantFrom('a', 'b', 'A', 'a/x'), { nil: undefined }),
  workflow: option(constantFrom('x', 'y', 'X', 'x/'), { nil: undefined }),
});

describe('Scopes and limits of the API', () => {
  it('cover what they name and what lies below it, letter for letter, and nothing else', () => {
    assert(
      property(
        array(record({ right: RIGHT, limit: LIMIT }), { maxLength: 4 }),
        RIGHT,
        EXTENT,
        (given, right, wanted) => {
          const scopes = given.map((one) => `${one.right}${one.limit[0]}`);
          const { platform, workflow } = wanted;
          // A workflow without a platform is nothing that a limit can name.
          const place = platform === undefined ? [] : [platform, workflow];
          const allowed = given.some(
            (one) =>
              (one.right === right || one.right === 'admin') &&
              one.limit[1].every((name, level) => place[level] === name),
          );
          const extent = {
            ...(platform === undefined ? {} : { platform }),
            ...(platform === undefined || workflow === undefined ? {} : { workflow }),
          };
          expect(covers(scopes, right, extent), `${scopes.join(' ')} for ${right} on ${place.join('/')}`).to.equal(
            allowed,
          );
          if (allowed && platform !== undefined) expect(touches(scopes, right, platform)).to.equal(true);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('are named as they can be given, and names that nobody can have are not repeated', () => {
    expect(Scope.safeParse(scopeFor('trigger', { platform: 'a', workflow: 'x' })).success).to.equal(true);
    expect(scopeFor('read', { platform: 'a', workflow: '<script>' })).to.equal('read:a');
    expect(scopeFor('read', { platform: '../a', workflow: 'x' })).to.equal('read');
    for (const name of [
      '',
      'a'.repeat(64),
      '-a',
      'a-',
      'a..b',
      'a.b.c',
      '.a',
      'a_b',
      'A',
      'ä',
      'a\n',
      'ﬀ',
      'a b',
      '..',
    ])
      expect(isName(name), JSON.stringify(name)).to.equal(false);
  });

  it('fill up again by their rate, never beyond their burst, and not by a clock that is set back', () => {
    let now = 0;
    const buckets = new Buckets(10, () => now);
    const rate = { perSecond: 2, burst: 3 };
    const takes = (count: number): number[] => Array.from({ length: count }, () => buckets.take('a', rate));
    expect(takes(4)).to.deep.equal([0, 0, 0, 500]);
    now = 500;
    expect(takes(2)).to.deep.equal([0, 500]);
    now = 100;
    expect(takes(1)).to.deep.equal([500]);
    now = 1_000_000;
    expect(takes(4)).to.deep.equal([0, 0, 0, 500]);
  });

  it('remember so many names and no more, those used last', () => {
    const buckets = new Buckets(3, () => 0);
    const rate = { perSecond: 1, burst: 1 };
    for (const name of ['a', 'b', 'c', 'a', 'd']) buckets.take(name, rate);
    expect(buckets.size).to.equal(3);
    expect(buckets.take('a', rate)).to.equal(1000);
    expect(buckets.take('b', rate)).to.equal(0);
  });

  it('count failures of an IPv6 network of 64 bits together, as one subscriber has it', () => {
    const tokens = { claim: () => ({ record: undefined }), used: () => undefined };
    const log = createLog({ level: 'error', format: 'json', redact: (text) => text });
    const access = new Access({ tokens, rootToken: 'r'.repeat(43), log, now: () => 0 });
    const reasons = (addresses: readonly string[]): readonly string[] =>
      addresses.map((ip) => {
        const admission = access.authenticate({ ip, headers: {} });
        return 'reason' in admission ? admission.reason : 'let in';
      });
    const own = Array.from({ length: 30 }, (_, index) => `2001:db8:1:2::${index.toString(16)}`);
    expect(new Set(reasons(own))).to.deep.equal(new Set(['token']));
    expect(reasons(['2001:db8:1:2:ffff::1', '2001:db8:1:3::1', '::1', '10.0.0.1', '::ffff:10.0.0.1'])).to.deep.equal([
      'rate',
      'token',
      'token',
      'token',
      'token',
    ]);
  });
});
