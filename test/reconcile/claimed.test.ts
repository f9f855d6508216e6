import { expect } from 'chai';
import type { Key, Manifest } from '../../src/manifest/manifest.ts';
import type { LedgerView, Owned } from '../../src/plan/types.ts';
import { claimedTwice } from '../../src/reconcile/claimed.ts';

const KEY: Key = 'Integration/shared';
const manifest = {
  key: KEY,
  origin: { file: 'again.yaml', line: 1, column: 1 },
  annotations: {},
} as unknown as Manifest;
const owned: Owned = {
  key: KEY,
  remote: 'r1',
  title: 'Shared',
  fingerprint: '',
  secretHashes: {},
  how: 'created',
  dependsOn: [],
  file: 'again.yaml',
  revision: 'r',
  allowDataLoss: false,
};
const view = (...own: readonly Owned[]): LedgerView => ({
  owned: new Map(own.map((one) => [one.key, one])),
  ownedByOthers: new Map(),
  keysOfOthers: new Map([[KEY, { sync: 'first', file: 'shared.yaml' }]]),
  intents: [],
});
const here = { owner: 'default/second', platform: 'prod' } as const;

describe('a key that another Sync owns', () => {
  it('is no second claim of one that owns it too: what a former release let happen blocks neither', () => {
    expect(claimedTwice([manifest], view(owned), here)).to.deep.equal({ free: [manifest], problems: [] });
  });

  it('is a problem at the second manifest, which names the first', () => {
    const { free, problems } = claimedTwice([manifest], view(), here);
    expect(free).to.deep.equal([]);
    expect(problems[0]).to.include({ key: KEY, severity: 'error', origin: manifest.origin });
    expect(problems[0]?.message).to.include('first').and.to.include('shared.yaml').and.to.include('prod');
  });
});
