import { expect } from 'chai';
import { restrict, withhold } from '../../src/plan/build.ts';
import {
  NOW,
  capabilitiesWith,
  does,
  dueOf,
  ours,
  owned,
  planOf,
  there,
  want,
  withheldOf,
  withholds,
} from './scene.ts';

const V1 = { steps: 'one' };
const V2 = { steps: 'two' };
const HAND = { steps: 'by hand' };

describe('Law 7: after the loss of the ledger', () => {
  const hashes = { secretHashes: { value: 'h1' } };

  it('nothing is made twice, nothing is deleted, each secret is written once, nothing else', () => {
    const plan = planOf({
      git: [want('Workflow/a', V1), want('Workflow/s', V1, hashes)],
      platform: [ours('Workflow/a', V1), ours('Workflow/s', V1), ours('Workflow/left', V1)],
    });
    expect(does(plan)).to.deep.equal(['update Workflow/s']);
    expect(dueOf(plan)[0])
      .to.include({ cause: 'secret' })
      .and.deep.include({ secrets: ['value'] });
    expect(plan.notices.map(({ code }) => code)).to.deep.equal(['orphaned-claim']);
  });

  it('drift with a secret keeps its grace, and the secret is written when it ends', () => {
    const scene = { git: [want('Workflow/s', V1, hashes)], platform: [ours('Workflow/s', HAND)] };
    const plan = planOf(scene);
    expect(withholds(plan)).to.deep.equal(['update Workflow/s: grace-period']);
    const ledger = plan.records.flatMap((one) => (one.record === 'own' ? [one.owned] : []));
    expect(withholds(planOf({ ...scene, ledger, now: NOW + 1000 }))).to.deep.equal(['update Workflow/s: grace-period']);
    const [change] = dueOf(planOf({ ...scene, ledger, now: NOW + 3_600_000 }));
    expect(change).to.deep.include({ verb: 'update', secrets: ['value'], overwritesDrift: true });
  });

  it('lost ledger, drift and a change in git at once: applied, with what stood there archived', () => {
    const applied = want('Workflow/a', V1).fingerprint;
    const plan = planOf({
      git: [want('Workflow/a', V2)],
      platform: [
        ours('Workflow/a', HAND, { marker: { owner: 'default/orders', key: 'Workflow/a', applied, how: 'created' } }),
      ],
    });
    expect(dueOf(plan)[0]).to.include({ verb: 'update', cause: 'changed', overwritesDrift: true });
  });
});

describe('Law 8: one failing change stops only what depends on it', () => {
  const git = [
    want('Integration/crm', {}, { title: 'CRM' }),
    want('Workflow/a', V1, { dependsOn: ['Integration/crm'] }),
    want('Workflow/b', V1, { dependsOn: ['Workflow/a'] }),
    want('Workflow/c', V1),
  ];

  it('what needs a withheld create waits, through any number of steps; the rest goes on', () => {
    const plan = planOf({ git, platform: [there('Integration', 'r', {}, { title: 'CRM' })] });
    expect(does(plan)).to.deep.equal(['create Workflow/c']);
    expect(withholds(plan)).to.have.members([
      'create Integration/crm: adopt-refused',
      'create Workflow/a: dependency',
      'create Workflow/b: dependency',
    ]);
  });

  it('what needs an object whose manifest is broken waits unless that object stands already', () => {
    const rest = git.slice(1);
    expect(does(planOf({ git: rest, unknownKeys: ['Integration/crm'] }))).to.deep.equal(['create Workflow/c']);
    const standing = planOf({ git: rest, unknownKeys: ['Integration/crm'], ledger: [owned('Integration/crm')] });
    expect(does(standing)).to.have.length(3);
  });

  it('what a withheld delete still needs is not deleted', () => {
    const plan = planOf({
      platform: [ours('Workflow/a', V1, { holds: 'runs' }), there('Integration', 'crm')],
      ledger: [owned('Workflow/a', V1, { dependsOn: ['Integration/crm'] }), owned('Integration/crm')],
    });
    expect(does(plan)).to.deep.equal([]);
    expect(withheldOf(plan, 'Integration/crm')).to.have.property('code', 'dependency');
  });

  it('nor what an object refers to whose update waits', () => {
    const scene = {
      git: [want('Workflow/a', V2)],
      platform: [ours('Workflow/a', V1), there('Integration', 'crm')],
      ledger: [owned('Workflow/a', V1, { dependsOn: ['Integration/crm'] }), owned('Integration/crm')],
    };
    const plan = planOf(scene);
    expect(does(plan)).to.deep.equal(['update Workflow/a', 'delete Integration/crm']);
    const reason = { code: 'refused-by-platform', because: 'no', remedy: 'no' } as const;
    expect(does(withhold(plan, new Map([['Workflow/a', reason]])))).to.deep.equal([]);
    expect(does(restrict(plan, ['Integration/crm']))).to.deep.equal([]);
  });

  it('"only" names what it leaves out when that is needed, and changes nothing else', () => {
    const plan = restrict(planOf({ git }), ['Workflow/a', 'Workflow/c']);
    expect(does(plan)).to.deep.equal(['create Workflow/c']);
    expect(withheldOf(plan, 'Workflow/a')?.because).to.contain('Integration/crm');
    expect(does(restrict(planOf({ git }), ['Workflow/a', 'Integration/crm']))).to.have.length(2);
  });

  it('an unsupported kind is withheld with its reason, and so is what depends on it', () => {
    const capabilities = capabilitiesWith({
      Integration: { unsupported: 'no credentials API', requires: 'the add-on' },
    });
    const plan = planOf({ git, facts: { capabilities } });
    expect(withheldOf(plan, 'Integration/crm')?.because).to.contain('no credentials API').and.contain('the add-on');
    expect(does(plan)).to.deep.equal(['create Workflow/c']);
  });
});
