import { expect } from 'chai';
import { MINUTE, NOW, OWNER, does, dueOf, ours, owned, planOf, there, want, withheldOf, withholds } from './scene.ts';

const V1 = { steps: 'one' };
const V2 = { steps: 'two' };
const HAND = { steps: 'made by hand' };

describe('Ownership: key and owner', () => {
  it('"Exactly one Sync of one installation owns a key": a second claim names both origins, whatever its title is', () => {
    const other = { owner: 'default/billing', key: 'Workflow/a' } as const;
    const plan = planOf({
      git: [want('Workflow/a', V1, { title: 'Mine', origin: { file: 'x.yaml', line: 7, column: 1 } })],
      platform: [there('Workflow', 'r', V2, { title: 'Theirs', marker: other })],
    });
    expect(does(plan)).to.deep.equal([]);
    expect(withholds(plan)).to.deep.equal(['create Workflow/a: foreign-owner']);
    expect(plan.withheld[0]?.because).to.contain('default/billing').and.contain('Theirs');
    expect(plan.withheld[0]?.change.origin).to.deep.equal({ file: 'x.yaml', line: 7, column: 1 });
  });

  it('the same name in another installation is another key, unless it has the same title', () => {
    const other = { owner: 'elsewhere/orders', key: 'Workflow/a' } as const;
    const beside = planOf({
      git: [want('Workflow/a', V1, { title: 'Mine' })],
      platform: [there('Workflow', 'r', V2, { title: 'Theirs', marker: other })],
    });
    expect(does(beside)).to.deep.equal(['create Workflow/a']);
    const same = planOf({
      git: [want('Workflow/a', V1, { title: 'Mine' })],
      platform: [there('Workflow', 'r', V2, { title: 'Mine', marker: other })],
    });
    expect(withholds(same)).to.deep.equal(['create Workflow/a: foreign-owner']);
  });

  it('an object that another Sync owns by the ledger alone is not taken over, whatever "adopt" says', () => {
    const plan = planOf({
      git: [want('Integration/a')],
      platform: [there('Integration', 'a')],
      terms: { adopt: 'matching' },
      view: { ownedByOthers: new Map([['Integration:a', 'billing']]) },
    });
    expect(withholds(plan)).to.deep.equal(['create Integration/a: foreign-owner']);
    expect(plan.withheld[0]?.because).to.contain('default/billing');
  });

  it('"Names that fold together under the platform\'s case or Unicode rules are one name"', () => {
    for (const [mine, theirs] of [
      ['Orders', 'orders'],
      ['Caf\u00e9', 'Cafe\u0301'],
    ] as const) {
      const plan = planOf({
        git: [want('Workflow/a', V1, { title: mine })],
        platform: [there('Workflow', 'r', V1, { title: theirs })],
      });
      expect(withholds(plan)).to.deep.equal(['create Workflow/a: adopt-refused']);
    }
  });

  it('two manifests whose unmarkable objects would bear one name are both withheld, and name each other', () => {
    const plan = planOf({
      git: [want('Integration/a', {}, { title: 'CRM' }), want('Integration/b', {}, { title: 'crm' })],
    });
    expect(withholds(plan)).to.deep.equal(['create Integration/a: ambiguous', 'create Integration/b: ambiguous']);
    expect(plan.withheld[0]?.because).to.contain('b.yaml:1:1');
  });

  it('an object by its deterministic id is ours although ledger and marker are lost', () => {
    const plan = planOf({
      git: [want('Workflow/a', V1)],
      platform: [there('Workflow', 'id-of-a', V1, { title: 'renamed by hand' })],
      idFor: (key) => `id-of-${key.slice('Workflow/'.length)}`,
    });
    expect(does(plan)).to.deep.equal(['update Workflow/a']);
  });

  it('a name whose deterministic id still belongs to what it was renamed to is not created over it', () => {
    const plan = planOf({
      git: [want('Workflow/new', V1, { renamedFrom: ['Workflow/old'] }), want('Workflow/old', V2)],
      platform: [ours('Workflow/new', V1, { remote: 'id-of-old' })],
      ledger: [owned('Workflow/new', V1, { remote: 'id-of-old' })],
      idFor: (key) => `id-of-${key.slice('Workflow/'.length)}`,
    });
    expect(does(plan)).to.deep.equal([]);
    expect(withholds(plan)).to.deep.equal(['create Workflow/old: ambiguous']);
  });
});

describe('Ownership: marker', () => {
  const original = ours('Workflow/a', V1, { remote: 'original', createdAt: 10 });
  const duplicate = ours('Workflow/a', HAND, { remote: 'duplicate', createdAt: 20 });

  it('"If two objects carry one key, the ledger\'s remote id wins"', () => {
    const plan = planOf({
      git: [want('Workflow/a', V1)],
      platform: [original, duplicate],
      ledger: [owned('Workflow/a', HAND, { remote: 'duplicate' })],
    });
    expect(dueOf(plan)).to.have.length(1);
    expect(dueOf(plan)[0]).to.have.nested.property('remote.id', 'duplicate');
  });

  it('"else the oldest; the others are unowned, reported, never deleted"', () => {
    for (const platform of [
      [original, duplicate],
      [duplicate, original],
    ]) {
      const plan = planOf({ git: [want('Workflow/a', V1)], platform });
      expect(does(plan)).to.deep.equal([]);
      expect(plan.records).to.have.nested.property('[0].owned.remote', 'original');
      expect(plan.notices.map(({ code, remote }) => `${code} ${remote}`)).to.deep.equal(['copy duplicate']);
    }
  });

  it('a copy is not taken for the original while the listing may lack the original', () => {
    const plan = planOf({
      git: [want('Workflow/a', V1)],
      platform: [duplicate],
      ledger: [owned('Workflow/a', V1, { remote: 'original' })],
      partial: ['Workflow'],
    });
    expect(withholds(plan)).to.deep.equal(['create Workflow/a: listing-incomplete']);
  });

  it('a copy of an object that left git is never deleted; the original is', () => {
    const plan = planOf({
      platform: [original, duplicate],
      ledger: [owned('Workflow/a', V1, { remote: 'original' })],
    });
    expect(dueOf(plan).map((change) => 'remote' in change && change.remote.id)).to.deep.equal(['original']);
  });

  it('the marker of a kind is a claim for that kind only', () => {
    const plan = planOf({
      git: [want('Workflow/a', V1)],
      platform: [there('Application', 'x', V1, { marker: { owner: OWNER, key: 'Workflow/a' } })],
    });
    expect(does(plan)).to.deep.equal(['create Workflow/a']);
  });

  it('a lost marker is set again, and no two manifests are given one object', () => {
    const plan = planOf({
      git: [want('Workflow/b', V1, { renamedFrom: ['Workflow/a'] }), want('Workflow/a', V1)],
      platform: [there('Workflow', 'a', V1)],
      ledger: [owned('Workflow/a', V1)],
    });
    expect(does(plan)).to.have.members(['update Workflow/a', 'create Workflow/b']);
  });

  it('what stands under the id of a deleted object, with another title and no marker, is not deleted', () => {
    const plan = planOf({
      platform: [there('Workflow', 'a', HAND, { title: 'Something else' })],
      ledger: [owned('Workflow/a', V1)],
    });
    expect(withholds(plan)).to.deep.equal(['delete Workflow/a: unproven-ownership']);
  });
});

describe('Ownership: unmarkable kinds', () => {
  const flow = want('Workflow/flow', V1, { dependsOn: ['Integration/crm'] });

  it('"owned … because exactly one owned object refers to them"', () => {
    const plan = planOf({
      git: [want('Integration/crm'), flow],
      platform: [there('Integration', 'r', {}, { title: 'crm' }), ours('Workflow/flow', V1)],
    });
    expect(does(plan)).to.deep.equal([]);
    expect(plan.withheld).to.deep.equal([]);
    expect(plan.records.map((one) => one.record === 'own' && one.owned.key)).to.include('Integration/crm');
  });

  it('"otherwise ownership-unknown: withheld, reported"', () => {
    const drifted = planOf({
      git: [want('Integration/crm'), flow],
      platform: [there('Integration', 'r', {}, { title: 'crm' }), ours('Workflow/flow', HAND)],
      ledger: [owned('Workflow/flow', V1)],
    });
    expect(withheldOf(drifted, 'Integration/crm')).to.have.property('code', 'adopt-refused');
    const twice = planOf({
      git: [want('Integration/crm'), flow],
      platform: [
        there('Integration', 'r1', {}, { title: 'crm' }),
        there('Integration', 'r2', {}, { title: 'crm' }),
        ours('Workflow/flow', V1),
      ],
    });
    expect(withheldOf(twice, 'Integration/crm')).to.have.property('code', 'ambiguous');
  });

  it('what an interrupted create left is found by its title; where creation sets a marker, only by that', () => {
    const intents = [{ id: 'i', verb: 'create', key: 'Integration/crm', title: 'crm', since: NOW }] as const;
    const found = planOf({ git: [want('Integration/crm')], platform: [there('Integration', 'crm')], intents });
    expect(found.records.map((one) => one.record)).to.deep.equal(['own', 'settled']);
    const flows = [{ id: 'i', verb: 'create', key: 'Workflow/a', title: 'a', since: NOW }] as const;
    const strange = planOf({ git: [want('Workflow/a', V1)], platform: [there('Workflow', 'a', HAND)], intents: flows });
    expect(withholds(strange)).to.deep.equal(['create Workflow/a: adopt-refused']);
  });
});

describe('Ownership: adopt and release', () => {
  const object = there('Workflow', 'r', HAND, { title: 'Orders' });
  const wish = want('Workflow/a', V1, { title: 'Orders' });

  it('"default refuse"', () => {
    expect(withholds(planOf({ git: [wish], platform: [object] }))).to.deep.equal(['create Workflow/a: adopt-refused']);
  });

  it('"Adopting with differences is … withheld until a person approves it"', () => {
    const scene = { git: [wish], platform: [object], terms: { adopt: 'matching' } } as const;
    const plan = planOf(scene);
    expect(withholds(plan)).to.deep.equal(['adopt Workflow/a: adopt-approval']);
    expect(plan.withheld[0]?.change).to.have.nested.property('diff[0].path', '/steps');
    const approved = planOf({ ...scene, terms: { adopt: 'matching', approvals: { adopt: true } } });
    expect(does(approved)).to.deep.equal(['adopt Workflow/a']);
  });

  it('"adopting without differences just sets the marker"', () => {
    const plan = planOf({ git: [wish], platform: [{ ...object, value: V1 }], terms: { adopt: 'matching' } });
    expect(does(plan)).to.deep.equal(['adopt Workflow/a']);
    expect(dueOf(plan)[0]).to.have.property('diff').that.deep.equals([]);
  });

  it('"if exactly one has it"', () => {
    const plan = planOf({ git: [wish], platform: [object, { ...object, remote: 'r2' }], terms: { adopt: 'matching' } });
    expect(withholds(plan)).to.deep.equal(['create Workflow/a: ambiguous']);
    const partial = planOf({ git: [wish], platform: [object], terms: { adopt: 'matching' }, partial: ['Workflow'] });
    expect(withholds(partial)).to.deep.equal(['create Workflow/a: listing-incomplete']);
  });

  it('"an object owned by another owner never, unless adoptFrom names that owner"', () => {
    const theirs = { ...object, value: V1, marker: { owner: 'old/sync', key: 'Workflow/z' } } as const;
    const never = planOf({ git: [wish], platform: [theirs], terms: { adopt: 'matching', approvals: { adopt: true } } });
    expect(does(never)).to.deep.equal(['create Workflow/a']);
    const named = planOf({ git: [{ ...wish, adoptFrom: 'old/sync' }], platform: [theirs] });
    expect(does(named)).to.deep.equal(['adopt Workflow/a']);
    const other = planOf({ git: [{ ...wish, adoptFrom: 'another/sync' }], platform: [theirs] });
    expect(does(other)).to.deep.equal(['create Workflow/a']);
  });

  it('what another owner took over is neither changed nor deleted any more', () => {
    const taken = there('Workflow', 'a', HAND, { marker: { owner: 'new/home', key: 'Workflow/a' } });
    const kept = planOf({ git: [want('Workflow/a', V1)], platform: [taken], ledger: [owned('Workflow/a', V1)] });
    expect(withholds(kept)).to.deep.equal(['create Workflow/a: foreign-owner']);
    const removed = planOf({ platform: [taken], ledger: [owned('Workflow/a', V1)] });
    expect(withholds(removed)).to.deep.equal(['delete Workflow/a: foreign-owner']);
    const released = planOf({
      platform: [taken],
      ledger: [owned('Workflow/a', V1)],
      terms: { release: ['Workflow/a'] },
    });
    expect(does(released)).to.deep.equal([]);
    expect(released.records).to.deep.equal([{ record: 'forget', key: 'Workflow/a' }]);
  });

  it('"release KIND/NAME": the marker goes, the object stays, also while git still has it', () => {
    const scene = { platform: [ours('Workflow/a', V1)], ledger: [owned('Workflow/a', V1)] };
    const terms = { release: ['Workflow/a'] };
    expect(does(planOf({ ...scene, terms }))).to.deep.equal(['release Workflow/a']);
    expect(does(planOf({ ...scene, terms, git: [want('Workflow/a', V2)] }))).to.deep.equal(['release Workflow/a']);
  });

  it('"Deleting a Sync": Orphan releases all, Delete deletes all, above every cap, data excepted', () => {
    const scene = {
      platform: [ours('Workflow/a', V1), ours('Workflow/b', V1, { holds: '3 executions' })],
      ledger: [owned('Workflow/a', V1), owned('Workflow/b', V1)],
    };
    const prune = { enabled: false, maxDeletions: { count: 0 }, maxRevocations: { count: 0 } };
    const orphan = planOf({ ...scene, terms: { retire: 'Orphan', prune } });
    expect(does(orphan)).to.deep.equal(['release Workflow/a', 'release Workflow/b']);
    const gone = planOf({ ...scene, terms: { retire: 'Delete', prune } });
    expect(does(gone)).to.deep.equal(['delete Workflow/a']);
    expect(withholds(gone)).to.deep.equal(['delete Workflow/b: data-loss']);
  });
});

describe('Ownership: rename', () => {
  it('"The title may change: an update by id"', () => {
    const plan = planOf({
      git: [want('Workflow/a', { title: 'New' }, { title: 'New' })],
      platform: [ours('Workflow/a', { title: 'Old' }, { remote: 'r', title: 'Old' })],
      ledger: [owned('Workflow/a', { title: 'Old' }, { remote: 'r' })],
    });
    expect(does(plan)).to.deep.equal(['update Workflow/a']);
  });

  it('"renamedFrom: [old]" keeps the object, with the ledger or without it', () => {
    const git = [want('Workflow/new', V1, { renamedFrom: ['Workflow/old'] })];
    for (const ledger of [[owned('Workflow/old', V1)], []]) {
      const plan = planOf({ git, platform: [ours('Workflow/old', V1)], ledger });
      expect(does(plan)).to.deep.equal(['update Workflow/new']);
      expect(dueOf(plan)[0]).to.include({ from: 'Workflow/old', cause: 'renamed' });
    }
  });

  it('"without it the plan shows delete + create and asks for approval when the object has runs or data"', () => {
    const scene = { git: [want('Workflow/new', V1)], ledger: [owned('Workflow/old', V1)] };
    const plain = planOf({ ...scene, platform: [ours('Workflow/old', V1)] });
    expect(does(plain)).to.deep.equal(['create Workflow/new', 'delete Workflow/old']);
    const data = planOf({ ...scene, platform: [ours('Workflow/old', V1, { holds: '312 executions' })] });
    expect(withholds(data)).to.deep.equal(['delete Workflow/old: data-loss']);
    expect(data.withheld[0]?.because).to.contain('312 executions');
  });

  it('"(a Sync: spec.previousNames)": the objects of the former name are its own', () => {
    const plan = planOf({
      git: [want('Workflow/a', V1)],
      platform: [ours('Workflow/a', V1, { marker: { owner: 'default/before', key: 'Workflow/a' } })],
      terms: { previousOwners: ['default/before'] },
    });
    expect(does(plan)).to.deep.equal(['update Workflow/a']);
    expect(dueOf(plan)[0]).to.have.property('cause', 'marker');
  });

  it('a rename that a crash cut off, and whose renamedFrom is gone since, neither deletes nor duplicates', () => {
    const plan = planOf({
      git: [want('Workflow/new', V1)],
      platform: [ours('Workflow/new', V1, { remote: 'r' })],
      ledger: [owned('Workflow/old', V1, { remote: 'r' })],
    });
    expect(does(plan)).to.deep.equal([]);
    expect(plan.withheld).to.deep.equal([]);
  });
});

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
