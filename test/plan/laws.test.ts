import { expect } from 'chai';
import type { Key } from '../../src/manifest/manifest.ts';
import { NOW, does, dueOf, ours, owned, planOf, want, withheldOf, withholds } from './scene.ts';

const V1 = { steps: 'one' };
const V2 = { steps: 'two' };
const HAND = { steps: 'by hand' };
const keys = (count: number) => Array.from({ length: count }, (_, index): Key => `Workflow/w${index}`);

describe('Law 3: unknown is not absent', () => {
  it('what an incomplete listing lacks is neither created nor forgotten', () => {
    const scene = { ledger: [owned('Workflow/a', V1)], partial: ['Workflow'] } as const;
    const wanted = planOf({ ...scene, git: [want('Workflow/a', V1), want('Workflow/b', V1)] });
    expect(withholds(wanted)).to.deep.equal([
      'create Workflow/a: listing-incomplete',
      'create Workflow/b: listing-incomplete',
    ]);
    expect(wanted.records).to.deep.equal([]);
    expect(planOf(scene).records).to.deep.equal([]);
  });

  it('an incomplete listing of one kind does not stop another', () => {
    const plan = planOf({
      git: [want('Application/x')],
      ledger: keys(10).map((key) => owned(key, V1)),
      partial: ['Workflow'],
    });
    expect(does(plan)).to.deep.equal(['create Application/x']);
  });

  it('what differed when it was listed and could not be read then is neither in order nor overwritten', () => {
    const scene = { git: [want('Workflow/a', V2)], platform: [ours('Workflow/a', V1)], unreadable: true };
    const plan = planOf({ ...scene, ledger: [owned('Workflow/a', V1)] });
    expect(withholds(plan)).to.deep.equal(['update Workflow/a: listing-incomplete']);
    expect(plan.records).to.deep.equal([]);
  });

  it('on another instance, or one that does not say which it is, nothing is done, forgotten or written down', () => {
    for (const facts of [{ instance: 'other' }, {}]) {
      const scene = {
        git: [want('Workflow/a', V1), want('Workflow/c', V2)],
        platform: [ours('Workflow/b', V1), ours('Workflow/c', V1)],
        ledger: [owned('Workflow/b', V1), owned('Workflow/gone', V1)],
        intents: [{ id: 'i', verb: 'create', key: 'Workflow/a', title: 'a', since: 1 }] as const,
        view: { instance: 'first' },
        facts,
      };
      const plan = planOf(scene);
      expect(does(plan)).to.deep.equal([]);
      expect(new Set(plan.withheld.map(({ code }) => code))).to.deep.equal(new Set(['instance-changed']));
      expect(plan.records).to.deep.equal([]);
      expect(does(planOf({ ...scene, terms: { approvals: { instance: true } } }))).to.include('create Workflow/a');
    }
  });

  it('under narrower rights than last time nothing is created or forgotten, until a person accepts them', () => {
    const scene = {
      git: [want('Workflow/a', V1), want('Workflow/b', V2)],
      platform: [ours('Workflow/b', V1)],
      ledger: [owned('Workflow/b', V1), owned('Workflow/gone', V1)],
      view: { rights: ['flows:read', 'flows:all'] },
      facts: { rights: ['flows:read'] },
    };
    const plan = planOf(scene);
    expect(does(plan)).to.deep.equal(['update Workflow/b']);
    expect(withholds(plan)).to.deep.equal([
      'create Workflow/a: rights-narrowed',
      'delete Workflow/gone: rights-narrowed',
    ]);
    expect(plan.records).to.deep.equal([]);
    expect(does(planOf({ ...scene, terms: { approvals: { instance: true } } }))).to.include('create Workflow/a');
  });

  for (const [count, gone, stops] of [
    [10, 3, false],
    [10, 4, true],
    [100, 20, false],
    [100, 21, true],
  ] as const) {
    it(`${gone} of ${count} owned objects vanished: creates are ${stops ? 'withheld' : 'not withheld'}`, () => {
      const all = keys(count);
      const plan = planOf({
        git: [...all.map((key) => want(key, V1)), want('Application/new')],
        platform: all.slice(gone).map((key) => ours(key, V1)),
        ledger: all.map((key) => owned(key, V1, { driftSince: 1 })),
      });
      expect(does(plan)).to.have.length(stops ? 0 : gone + 1);
      if (stops) expect(withheldOf(plan, 'Application/new')).to.have.property('code', 'vanished');
    });
  }

  it('a person is told of many that vanished also while their grace lasts, and may accept it', () => {
    const all = keys(10);
    const scene = { git: all.map((key) => want(key, V1)), ledger: all.map((key) => owned(key, V1, { driftSince: 1 })) };
    const fresh = planOf({ ...scene, ledger: all.map((key) => owned(key, V1)) });
    expect(new Set(fresh.withheld.map(({ code }) => code))).to.deep.equal(new Set(['vanished']));
    expect(does(planOf({ ...scene, terms: { approvals: { vanished: true } } }))).to.have.length(10);
  });

  it('what a listing broke off before does not count as vanished', () => {
    const all = keys(10);
    const plan = planOf({
      git: [...all.map((key) => want(key, V1)), want('Application/new')],
      ledger: all.map((key) => owned(key, V1)),
      partial: ['Workflow'],
    });
    expect(does(plan)).to.deep.equal(['create Application/new']);
  });

  it('objects that got new ids, and say whose they are, have not vanished', () => {
    const all = keys(10);
    const plan = planOf({
      git: all.map((key) => want(key, V1)),
      platform: all.map((key) => ours(key, V1, { remote: `imported-${key}` })),
      ledger: all.map((key) => owned(key, V1)),
    });
    expect([...does(plan), ...withholds(plan)]).to.deep.equal([]);
  });
});

describe('Law 4: ownership is forgotten only when it is over', () => {
  it('an object that left git and is gone is forgotten; one that is there is deleted first', () => {
    const plan = planOf({
      platform: [ours('Workflow/a', V1)],
      ledger: [owned('Workflow/a', V1), owned('Workflow/b', V1)],
    });
    expect(does(plan)).to.deep.equal(['delete Workflow/a']);
    expect(plan.records).to.deep.equal([{ record: 'forget', key: 'Workflow/b' }]);
  });

  it('not on the strength of many that vanished at once', () => {
    const plan = planOf({ ledger: keys(10).map((key) => owned(key, V1)) });
    expect(plan.records).to.deep.equal([]);
    expect(new Set(plan.withheld.map(({ code }) => code))).to.deep.equal(new Set(['vanished']));
    const accepted = planOf({
      ledger: keys(10).map((key) => owned(key, V1)),
      terms: { approvals: { vanished: true } },
    });
    expect(accepted.records).to.have.length(10);
  });
});

describe('Law 6: after a crash', () => {
  const intent = { id: 'i', verb: 'create', key: 'Workflow/a', title: 'a', since: NOW - 1000 } as const;

  it('a create that landed is owned, one that did not is tried again; an unfinished look settles neither', () => {
    const git = [want('Workflow/a', V1)];
    const landed = planOf({ git, platform: [ours('Workflow/a', V1)], intents: [intent] });
    expect(does(landed)).to.deep.equal([]);
    expect(landed.records.map(({ record }) => record)).to.deep.equal(['own', 'settled']);
    const lost = planOf({ git, intents: [intent] });
    expect(does(lost)).to.deep.equal(['create Workflow/a']);
    const unseen = planOf({ git, intents: [intent], partial: ['Workflow'] });
    expect(does(unseen)).to.deep.equal([]);
    expect(unseen.records).to.deep.equal([]);
  });

  it('an update that landed before the crash is not taken for drift', () => {
    const plan = planOf({
      git: [want('Workflow/a', V2)],
      platform: [ours('Workflow/a', HAND)],
      ledger: [owned('Workflow/a', V1)],
      intents: [{ ...intent, verb: 'update', fingerprint: want('Workflow/a', HAND).fingerprint }],
    });
    expect(dueOf(plan)[0]).to.include({ cause: 'changed', overwritesDrift: false });
  });

  it('what a create left whose manifest has gone meanwhile is owned, so that the next pass removes it', () => {
    const plan = planOf({ platform: [ours('Workflow/a', V1)], intents: [intent] });
    expect(plan.records).to.have.nested.property('[0].owned.key', 'Workflow/a');
    const twice = planOf({
      platform: [ours('Workflow/a', V1), ours('Workflow/a', V1, { remote: 'r2' })],
      intents: [intent],
    });
    expect(twice.records.map(({ record }) => record)).to.deep.equal(['settled']);
  });
});
