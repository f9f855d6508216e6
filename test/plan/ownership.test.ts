import { expect } from 'chai';
import { NOW, OWNER, does, dueOf, ours, owned, planOf, there, want, withheldOf, withholds } from './scene.ts';

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

  it('among objects of one title, each manifest adopts the one that is what it asks for; where content does not tell, none', () => {
    const git = [want('AccessRole/policy', V1, { title: 'Editor' }), want('AccessRole/role', V2, { title: 'Editor' })];
    const platform = [
      there('AccessRole', 'r', V2, { title: 'Editor' }),
      there('AccessRole', 'p', V1, { title: 'Editor' }),
    ];
    const rest = { terms: { adopt: 'matching' }, marks: ['AccessRole'] } as const;
    const plan = planOf({ git, platform, ...rest });
    expect(does(plan)).to.have.members(['adopt AccessRole/policy', 'adopt AccessRole/role']);
    expect(
      plan.stages.flat().map((change) => 'remote' in change && [change.key, change.remote.id]),
    ).to.have.deep.members([
      ['AccessRole/policy', 'p'],
      ['AccessRole/role', 'r'],
    ]);
    const twins = platform.map((object) => ({ ...object, value: V1 }));
    expect(does(planOf({ git, platform: twins, ...rest }))).to.deep.equal([]);
    const strangers = platform.map((object) => ({ ...object, value: HAND }));
    expect(does(planOf({ git, platform: strangers, ...rest }))).to.deep.equal([]);
    expect(withholds(planOf({ git, platform }))).to.deep.equal([
      'create AccessRole/policy: adopt-refused',
      'create AccessRole/role: adopt-refused',
    ]);
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

  it('a copy that says which object its marker was written on is a copy even when the original and the ledger are gone', () => {
    const marker = { owner: OWNER, key: 'Workflow/a', remote: 'original' } as const;
    const plan = planOf({ git: [want('Workflow/a', V1)], platform: [there('Workflow', 'duplicate', V1, { marker })] });
    expect(does(plan)).to.deep.equal(['create Workflow/a']);
    expect(plan.notices.map(({ code, remote }) => `${code} ${remote}`)).to.deep.equal(['copy duplicate']);
  });

  it('a copy of an object that left git is never deleted; the original is', () => {
    const plan = planOf({
      platform: [original, duplicate],
      ledger: [owned('Workflow/a', V1, { remote: 'original' })],
    });
    expect(dueOf(plan).map((change) => 'remote' in change && change.remote.id)).to.deep.equal(['original']);
  });

  it('a marker that was written on another object makes no claim, not even where the original is gone', () => {
    const marker = { owner: OWNER, key: 'Workflow/a', remote: 'original' } as const;
    const plan = planOf({
      git: [want('Workflow/a', V1)],
      platform: [there('Workflow', 'duplicate', HAND, { marker })],
    });
    expect(does(plan)).to.deep.equal(['create Workflow/a']);
    expect(plan.notices.map(({ code }) => code)).to.deep.equal(['copy']);
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

  it('… also after a later write of it was left open, until ownership is written down', () => {
    const create = { id: 'i', verb: 'create', key: 'Integration/crm', title: 'crm', since: NOW } as const;
    const update = { ...create, id: 'j', verb: 'update', remote: 'crm', since: NOW + 1 } as const;
    const found = planOf({
      git: [want('Integration/crm', {}, { secretHashes: { value: 'h' } })],
      platform: [there('Integration', 'crm')],
      intents: [create, update],
    });
    expect(does(found)).to.deep.equal(['update Integration/crm']);
    expect(found.records).to.deep.equal([]);
  });

  it('what an interrupted create left is owned, to be removed, when its manifest has gone, and the title alone tells it', () => {
    const intent = { id: 'i', verb: 'create', key: 'Integration/crm', title: 'crm', since: NOW } as const;
    const crm = (more: Parameters<typeof there>[3] = {}) => there('Integration', 'r', {}, { title: 'crm', ...more });
    const recordsOf = (scene: Parameters<typeof planOf>[0]) =>
      planOf(scene).records.map((one) =>
        one.record === 'own' ? `own ${one.owned.key} ${one.owned.remote}` : one.record,
      );
    expect(recordsOf({ platform: [crm()], intents: [intent] })).to.deep.equal(['own Integration/crm r', 'settled']);
    const long = crm({ createdAt: NOW - 3_600_000 });
    expect(recordsOf({ platform: [long], intents: [intent] }), 'there before').to.deep.equal(['settled']);
    const two = [crm(), there('Integration', 's', {}, { title: 'crm' })];
    expect(recordsOf({ platform: two, intents: [intent] }), 'two of them').to.deep.equal(['settled']);
    const other = { ...intent, id: 'k', key: 'Integration/mail' } as const;
    expect(recordsOf({ platform: [crm()], intents: [intent, other] }), 'meant twice').to.deep.equal([
      'settled',
      'settled',
    ]);
    const flow = { ...intent, key: 'Workflow/crm' } as const;
    expect(
      recordsOf({ platform: [there('Workflow', 'r', {}, { title: 'crm' })], intents: [flow] }),
      'a kind that is marked',
    ).to.deep.equal(['settled']);
  });
});
