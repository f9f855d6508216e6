import { expect } from 'chai';
import { MINUTE, NOW, does, dueOf, ours, owned, planOf, there, want, withheldOf, withholds } from './scene.ts';

const V1 = { steps: 'one' };
const V2 = { steps: 'two' };
const HAND = { steps: 'made by hand' };

describe('Ownership: prune', () => {
  const ten = Array.from({ length: 10 }, (_, index) => `Workflow/w${index}` as const);
  const all = { platform: ten.map((key) => ours(key, V1)), ledger: ten.map((key) => owned(key, V1)) };
  const prune = (maxDeletions: { count: number } | { percent: number }) => ({
    prune: { enabled: true, maxDeletions, maxRevocations: { percent: 100 } },
  });
  const keeping = (count: number) => ten.slice(0, count).map((key) => want(key, V1));

  it('"Only owned objects"', () => {
    const plan = planOf({ platform: [there('Workflow', 'x'), ours('Workflow/orphan'), there('AccessGrant', 'g')] });
    expect(does(plan)).to.deep.equal([]);
  });

  it('"only below the cap (… rounded up, at least 1; default 10 %)": beyond it nothing is deleted', () => {
    expect(does(planOf({ ...all, git: keeping(9), terms: prune({ percent: 10 }) }))).to.have.length(1);
    expect(withholds(planOf({ ...all, git: keeping(8), terms: prune({ percent: 10 }) }))).to.deep.equal([
      'delete Workflow/w8: delete-cap',
      'delete Workflow/w9: delete-cap',
    ]);
    expect(does(planOf({ ...all, git: keeping(8), terms: prune({ percent: 11 }) }))).to.have.length(2);
    expect(does(planOf({ ...all, git: keeping(9), terms: prune({ percent: 1 }) }))).to.have.length(1);
    expect(does(planOf({ ...all, git: keeping(9), terms: prune({ count: 0 }) }))).to.have.length(0);
  });

  it('"Overriding takes apply --allow-deletions=REVISION", of that revision only', () => {
    const over = prune({ count: 1 });
    const other = planOf({ ...all, git: keeping(5), terms: { ...over, approvals: { deletions: 'r0' } } });
    expect(does(other)).to.have.length(0);
    expect(other.withheld[0]?.remedy).to.contain('--allow-deletions=r1');
    expect(
      does(planOf({ ...all, git: keeping(5), terms: { ...over, approvals: { deletions: 'r1' } } })),
    ).to.have.length(5);
  });

  it('"never while the Sync has problems"', () => {
    const plan = planOf({ ...all, git: keeping(9), terms: prune({ count: 5 }), hasErrors: true });
    expect(withholds(plan)).to.deep.equal(['delete Workflow/w9: problems']);
  });

  it('what a broken text concerns is neither changed nor deleted', () => {
    const plan = planOf({ ...all, git: keeping(9), terms: prune({ count: 5 }), unknownKeys: ['Workflow/w9'] });
    expect([...does(plan), ...withholds(plan)]).to.deep.equal([]);
  });

  it('nothing is deleted of a kind that is not selected any more, or while pruning is off', () => {
    const kinds = planOf({ ...all, git: keeping(9), terms: { kinds: ['Integration'] } });
    expect(withholds(kinds)).to.deep.equal(['delete Workflow/w9: not-selected']);
    const off = planOf({ ...all, git: keeping(9), terms: { prune: { ...prune({ count: 5 }).prune, enabled: false } } });
    expect(withholds(off)).to.deep.equal(['delete Workflow/w9: prune-disabled']);
  });

  it('what holds data is deleted only with "allow-data-loss" on that object', () => {
    const platform = [ours('Workflow/a', V1, { holds: '2 rows' })];
    expect(withholds(planOf({ platform, ledger: [owned('Workflow/a', V1)] }))).to.deep.equal([
      'delete Workflow/a: data-loss',
    ]);
    const allowed = planOf({ platform, ledger: [owned('Workflow/a', V1, { allowDataLoss: true })] });
    expect(does(allowed)).to.deep.equal(['delete Workflow/a']);
  });
});

describe('Ownership: drift', () => {
  const drifted = {
    git: [want('Workflow/a', V1)],
    platform: [ours('Workflow/a', HAND, { changedAt: NOW - 3 * MINUTE, changedBy: 'eve' })],
    ledger: [owned('Workflow/a', V1)],
  };

  it('"Default revert with a gracePeriod of 10 minutes for objects created from git"', () => {
    const waiting = planOf(drifted);
    expect(withholds(waiting)).to.deep.equal(['update Workflow/a: grace-period']);
    expect(waiting.counts.drifted).to.equal(1);
    expect(does(planOf({ ...drifted, now: NOW + 7 * MINUTE }))).to.deep.equal(['update Workflow/a']);
  });

  it('"report for adopted ones"; and the Sync may say otherwise', () => {
    const adopted = { ...drifted, ledger: [owned('Workflow/a', V1, { how: 'adopted' })], now: NOW + 60 * MINUTE };
    expect(withholds(planOf(adopted))).to.deep.equal(['update Workflow/a: drift-reported']);
    expect(does(planOf({ ...adopted, terms: { drift: 'revert' } }))).to.deep.equal(['update Workflow/a']);
    const reporting = planOf({ ...drifted, now: NOW + 60 * MINUTE, terms: { drift: 'report' } });
    expect(withholds(reporting)).to.deep.equal(['update Workflow/a: drift-reported']);
  });

  it('"A human\'s hot-fix is archived before it is reverted, and the report names who and when"', () => {
    const [change] = dueOf(planOf({ ...drifted, now: NOW + 7 * MINUTE }));
    expect(change).to.deep.include({ overwritesDrift: true, who: { by: 'eve', at: NOW - 3 * MINUTE } });
    expect(withheldOf(planOf(drifted), 'Workflow/a')?.because)
      .to.contain('by eve')
      .and.contain('2026-06-01T11:57');
  });

  it('the grace period runs on from pass to pass, also where the ledger was lost and the platform tells no time', () => {
    for (const ledger of [[owned('Workflow/a', V1)], []]) {
      const platform = [ours('Workflow/a', HAND)];
      const [record] = planOf({ ...drifted, platform, ledger }).records;
      const kept = record?.record === 'own' ? [record.owned] : [];
      expect(kept).to.have.nested.property('[0].driftSince', NOW);
      const later = planOf({ ...drifted, platform, ledger: kept, now: NOW + 9 * MINUTE });
      expect(withholds(later)).to.deep.equal(['update Workflow/a: grace-period']);
      expect(later.records).to.deep.equal([]);
      const after = planOf({ ...drifted, platform, ledger: kept, now: NOW + 10 * MINUTE });
      expect(does(after)).to.deep.equal(['update Workflow/a']);
    }
  });

  it('drift that ended is forgotten', () => {
    const plan = planOf({
      ...drifted,
      platform: [ours('Workflow/a', V1)],
      ledger: [owned('Workflow/a', V1, { driftSince: 1 })],
    });
    expect(plan.records).to.have.nested.property('[0].owned').that.does.not.have.property('driftSince');
  });

  it('a change in git is applied at once, in report mode too, and what it overwrites is archived', () => {
    const plan = planOf({ ...drifted, git: [want('Workflow/a', V2)], terms: { drift: 'report' } });
    expect(dueOf(plan)[0]).to.include({ verb: 'update', cause: 'changed', overwritesDrift: true });
  });

  it('an object that was deleted by hand is drift as well: created anew after its grace, never in report mode', () => {
    const gone = { ...drifted, platform: [] };
    expect(withholds(planOf(gone))).to.deep.equal(['create Workflow/a: grace-period']);
    const since = [owned('Workflow/a', V1, { driftSince: NOW - 10 * MINUTE })];
    expect(does(planOf({ ...gone, ledger: since }))).to.deep.equal(['create Workflow/a']);
    const report = planOf({ ...gone, ledger: since, terms: { drift: 'report' } });
    expect(withholds(report)).to.deep.equal(['create Workflow/a: drift-reported']);
  });

  it('"Per object: plumbline.dev/reconcile: disabled": nothing is done, and what it refers to is not deleted', () => {
    const plan = planOf({
      git: [want('Workflow/a', V2, { disabled: true })],
      platform: [ours('Workflow/a', HAND), there('Integration', 'crm')],
      ledger: [owned('Workflow/a', V1, { dependsOn: ['Integration/crm'] }), owned('Integration/crm')],
    });
    expect(does(plan)).to.deep.equal([]);
    expect(withholds(plan)).to.deep.equal(['delete Integration/crm: dependency']);
  });

  it('"spec.ignoreFields": what they name is nobody\'s business', () => {
    const plan = planOf({
      git: [want('Workflow/a', { ...V1, timezone: 'UTC' }, { ignore: ['/timezone'] })],
      platform: [ours('Workflow/a', { ...V1, timezone: 'Asia/Tokyo' })],
    });
    expect([...does(plan), ...withholds(plan)]).to.deep.equal([]);
  });

  it('what a person restored is held until git changes it, and no longer', () => {
    const held = { ...drifted.ledger[0], heldFingerprint: want('Workflow/a', V1).fingerprint } as const;
    const ledger = [owned('Workflow/a', V1, held)];
    expect(withholds(planOf({ ...drifted, ledger, now: NOW + 99 * MINUTE }))).to.deep.equal([
      'update Workflow/a: held',
    ]);
    const report = { ...drifted, ledger, git: [want('Workflow/a', V2)], terms: { drift: 'report' } } as const;
    expect(does(planOf(report))).to.deep.equal(['update Workflow/a']);
  });
});
