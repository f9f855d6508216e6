import { expect } from 'chai';
import { review } from '../../src/policy/review.ts';
import { withhold } from '../../src/plan/build.ts';
import { NOW, does, dueOf, ours, owned, planOf, there, want, withholds } from './scene.ts';

const role = want('AccessRole/operator', { permissions: [{ on: 'workflow', verbs: ['read'] }] });
const roleThere = ours('AccessRole/operator', role.value);
const grant = want('AccessGrant/alice', { role: 'operator' }, { dependsOn: ['AccessRole/operator'] });
const grantThere = there('AccessGrant', 'alice', { role: 'operator' });
const byHand = there('AccessGrant', 'g7', { role: 'operator' }, { title: 'bob' });

describe('Access: additive by default', () => {
  it('"A grant that Plumbline did not make is reported"', () => {
    const plan = planOf({ git: [role], platform: [roleThere, byHand] });
    expect(does(plan)).to.deep.equal([]);
    expect(plan.notices.map(({ code, title }) => `${code} ${title}`)).to.deep.equal(['unmanaged-access bob']);
  });

  it('"it is reverted only where the AccessRole or Sync says exclusive: true"', () => {
    const byRole = planOf({ git: [{ ...role, exclusive: true }], platform: [roleThere, byHand] });
    expect(does(byRole)).to.deep.equal(['delete AccessGrant/remote:g7']);
    const bySync = planOf({ git: [role], platform: [roleThere, byHand], terms: { exclusive: true } });
    expect(dueOf(bySync)[0]).to.include({ verb: 'delete', revokes: true });
    const elsewhere = planOf({
      git: [{ ...role, exclusive: true }],
      platform: [roleThere, there('AccessGrant', 'g8', { role: 'another' })],
    });
    expect(does(elsewhere)).to.deep.equal([]);
  });

  it('a grant taken away for exclusiveness never bears the key of a manifest', () => {
    const plan = planOf({
      git: [{ ...role, exclusive: true }, want('AccessGrant/g7', { role: 'operator' }, { title: 'alice' })],
      platform: [roleThere, byHand],
    });
    expect(does(plan)).to.deep.equal(['create AccessGrant/g7', 'delete AccessGrant/remote:g7']);
  });

  it('who has a role of another owner is not ours to say, exclusive or not', () => {
    const theirs = { ...roleThere, marker: { owner: 'else/where', key: 'AccessRole/operator' } } as const;
    const plan = planOf({ git: [{ ...role, exclusive: true }], platform: [theirs, byHand] });
    expect(does(plan)).to.deep.equal([]);
  });

  it('grants of another Sync are no grants made by hand', () => {
    const plan = planOf({
      git: [{ ...role, exclusive: true }],
      platform: [roleThere, byHand],
      view: { ownedByOthers: new Map([['AccessGrant:g7', 'billing']]) },
    });
    expect(does(plan)).to.deep.equal([]);
  });

  it('"A role with members that Plumbline does not manage is not deleted"', () => {
    const scene = { platform: [roleThere, byHand], ledger: [owned('AccessRole/operator')] };
    expect(withholds(planOf(scene))).to.deep.equal(['delete AccessRole/operator: unmanaged-members']);
    expect(does(planOf({ ...scene, platform: [roleThere] }))).to.deep.equal(['delete AccessRole/operator']);
  });

  it('nor is it while not all grants, or not as many as before, can be seen', () => {
    const scene = { platform: [roleThere], ledger: [owned('AccessRole/operator')] };
    const expected = ['delete AccessRole/operator: listing-incomplete'];
    expect(withholds(planOf({ ...scene, partial: ['AccessGrant'] }))).to.deep.equal(expected);
    const narrowed = planOf({ ...scene, view: { rights: ['grants:read'] }, facts: { rights: [] } });
    expect(withholds(narrowed)).to.deep.equal(expected);
  });
});

describe('Law 16: taking access away is never held up by anything else', () => {
  const scene = {
    git: [role],
    platform: [roleThere, grantThere],
    ledger: [owned('AccessRole/operator'), owned('AccessGrant/alice')],
  };

  it('by problems elsewhere, by pruning that is off, by the cap of other deletions', () => {
    const prune = { enabled: true, maxDeletions: { count: 0 }, maxRevocations: { percent: 50 } };
    expect(does(planOf({ ...scene, hasErrors: true, terms: { prune } }))).to.deep.equal(['delete AccessGrant/alice']);
  });

  it('by windows and suspension; everything else waits for them', () => {
    const plan = planOf({ ...scene, git: [role, want('Workflow/a')] });
    for (const rules of [
      { windows: [], suspended: 'holidays' },
      { windows: [{ effect: 'deny', schedule: '* * * * *', duration: 3_600_000 } as const] },
    ]) {
      const reviewed = withhold(plan, review(plan, rules, NOW));
      expect(does(reviewed)).to.deep.equal(['delete AccessGrant/alice']);
      expect(reviewed.withheld.map(({ code }) => code)).to.deep.equal(['suspended' in rules ? 'suspended' : 'window']);
    }
  });

  it('not even by a schedule that cannot be worked out', () => {
    const plan = planOf({ ...scene, git: [role, want('Workflow/a')] });
    for (const effect of ['allow', 'deny'] as const) {
      const rules = { windows: [{ effect, schedule: '0 0 30 2 *', duration: 60_000 }] };
      expect(does(withhold(plan, review(plan, rules, NOW)))).to.deep.equal(['delete AccessGrant/alice']);
    }
  });

  it('a narrower role that replaces a wide one is made although the window is closed', () => {
    const narrow = want('AccessRole/reader', {}, {});
    const plan = planOf({
      git: [role, narrow, want('AccessGrant/alice', { role: 'reader' }, { dependsOn: ['AccessRole/reader'] })],
      platform: [roleThere, grantThere],
      ledger: [owned('AccessRole/operator', role.value), owned('AccessGrant/alice', grantThere.value)],
    });
    const reviewed = withhold(plan, review(plan, { windows: [], suspended: 'x' }, NOW));
    expect(does(reviewed)).to.deep.equal(['create AccessRole/reader', 'update AccessGrant/alice']);
  });

  it('"revocations have their own cap", of the access that is owned', () => {
    const grants = ['a', 'b', 'c', 'd'].map((name) => `AccessGrant/${name}` as const);
    const many = {
      platform: grants.map((key) => ours(key, { role: 'x' }, {})).map((one) => ({ ...one, remote: one.remote })),
      ledger: [...grants.map((key) => owned(key)), ...Array.from({ length: 96 }, (_, n) => owned(`Workflow/w${n}`))],
      unknownKeys: Array.from({ length: 96 }, (_, n) => `Workflow/w${n}` as const),
      totals: { owned: 100, access: 4 },
      view: {},
    };
    const prune = { enabled: true, maxDeletions: { count: 0 }, maxRevocations: { percent: 50 } };
    const plan = planOf({ ...many, partial: ['Workflow'], terms: { prune } });
    expect(withholds(plan)).to.deep.equal(grants.map((key) => `delete ${key}: revocation-cap`));
    expect(plan.withheld[0]?.because).to.contain('(2 of 4 owned)');
  });

  it('"withheld only when the access files themselves cannot be read"', () => {
    for (const kind of ['AccessGrant', 'AccessRole'] as const)
      expect(withholds(planOf({ ...scene, unknownKinds: [kind], hasErrors: true }))).to.deep.equal([
        'delete AccessGrant/alice: unknown',
      ]);
    expect(does(planOf({ ...scene, unknownKinds: ['Workflow'], hasErrors: true }))).to.have.length(1);
  });

  it('a role is not deleted under a grant whose file is broken', () => {
    const plan = planOf({
      platform: [roleThere, grantThere],
      ledger: [owned('AccessRole/operator'), owned('AccessGrant/alice', {}, { dependsOn: ['AccessRole/operator'] })],
      unknownKeys: ['AccessGrant/alice'],
    });
    expect(withholds(plan)).to.deep.equal(['delete AccessRole/operator: dependency']);
  });

  it('"expiry always runs": through caps, problems, unreadable files, and although it is disabled', () => {
    const ended = { ...grant, expiresAt: NOW };
    const prune = { enabled: false, maxDeletions: { count: 0 }, maxRevocations: { count: 0 } };
    const plan = planOf({
      ...scene,
      git: [role, { ...ended, disabled: true }],
      hasErrors: true,
      unknownKinds: ['AccessGrant'],
      terms: { prune },
    });
    expect(does(plan)).to.deep.equal(['delete AccessGrant/alice']);
    const before = planOf({ ...scene, git: [role, { ...ended, expiresAt: NOW + 1 }] });
    expect(does(before).filter((one) => one.startsWith('delete'))).to.deep.equal([]);
  });

  it('what has expired is not made, and is forgotten once it is gone', () => {
    const plan = planOf({
      git: [role, { ...grant, expiresAt: NOW - 1 }],
      platform: [roleThere],
      ledger: [owned('AccessGrant/alice')],
    });
    expect([...does(plan), ...withholds(plan)]).to.deep.equal([]);
    expect(plan.records).to.deep.include({ record: 'forget', key: 'AccessGrant/alice' });
  });

  it('an update that takes something away revokes; one that only gives does not', () => {
    const revokes = (before: object, after: object, key: 'AccessGrant/x' | 'AccessRole/x' = 'AccessGrant/x') => {
      const plan = planOf({
        git: [want(key, after as never)],
        platform: [ours(key, before as never)],
        ledger: [owned(key, before as never)],
      });
      return dueOf(plan)[0]?.revokes === true;
    };
    const alice = { user: 'alice', id: 'a' };
    const bob = { user: 'bob', id: 'b' };
    expect(revokes({ subjects: [alice, bob] }, { subjects: [alice] })).to.equal(true);
    expect(revokes({ subjects: [alice] }, { subjects: [alice, bob] })).to.equal(false);
    expect(revokes({ role: 'admin' }, { role: 'reader' })).to.equal(true);
    expect(revokes({ role: 'r' }, { role: 'r', expiresAt: '2027-01-01' })).to.equal(true);
    expect(revokes({ role: 'r' }, { role: 'r', justification: 'on call' })).to.equal(false);
    const may = (verbs: string[], more = {}) => ({ permissions: [{ on: 'data', verbs, ...more }] });
    expect(revokes(may(['read', 'run']), may(['read']), 'AccessRole/x')).to.equal(true);
    expect(revokes(may(['read']), may(['read', 'run']), 'AccessRole/x')).to.equal(false);
    expect(revokes(may(['read']), may(['read'], { fields: ['id'] }), 'AccessRole/x')).to.equal(true);
  });
});
