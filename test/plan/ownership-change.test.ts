import { expect } from 'chai';
import { does, dueOf, ours, owned, planOf, there, want, withholds } from './scene.ts';

const V1 = { steps: 'one' };
const V2 = { steps: 'two' };
const HAND = { steps: 'made by hand' };

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
    expect(planOf({ ...scene, terms }).notices, 'it has left git').to.deep.equal([]);
    const still = planOf({ ...scene, terms, git: [want('Workflow/a', V2)] });
    expect(does(still)).to.deep.equal(['release Workflow/a']);
    expect(still.notices.map(({ code, key, message }) => `${code} ${key}: ${message}`).join('\n')).to.match(
      /^still-in-git Workflow\/a: Workflow\/a is still in git \(a.yaml:1:1\): every pass from the next on wants it back/,
    );
  });

  it('what is released and not to be reconciled in git stays let go of', () => {
    const git = [want('Workflow/a', V2, { disabled: true })];
    const scene = { git, platform: [ours('Workflow/a', V1)], ledger: [owned('Workflow/a', V1)] };
    expect(does(planOf({ ...scene, terms: { release: ['Workflow/a'] } }))).to.deep.equal(['release Workflow/a']);
    for (const adopt of ['refuse', 'matching'] as const) {
      const after = planOf({ git, platform: [there('Workflow', 'r', V1, { title: 'a' })], terms: { adopt } });
      expect([does(after), withholds(after)]).to.deep.equal([[], []]);
    }
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

  it("a name that a manifest bears now is nobody's former name, with the ledger or without it", () => {
    const git = [want('Workflow/b', V1, { renamedFrom: ['Workflow/a'] }), want('Workflow/a', V1)];
    for (const ledger of [[owned('Workflow/a', V1)], []]) {
      const plan = planOf({ git, platform: [ours('Workflow/a', V1)], ledger });
      expect(does(plan)).to.deep.equal(['create Workflow/b']);
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
