import { expect } from 'chai';
import { restrict, withhold } from '../../src/plan/build.ts';
import { differences } from '../../src/plan/diff.ts';
import type { Key } from '../../src/manifest/manifest.ts';
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

describe('Law 9: plans show no secret', () => {
  const canary = 'CANARY-4711';
  const shown = (before: object, after: object) =>
    JSON.stringify(differences(before as never, after as never, (text) => text.replaceAll('KNOWN-1', '(secret)')));

  it('under a telling name, in whatever depth, in pairs, after schemes, in URLs and keys', () => {
    for (const content of [
      { password: canary },
      { headers: { Authorization: canary } },
      { deep: [{ more: { apiKey: canary } }] },
      { headers: [{ name: 'X-Api-Key', value: canary }] },
      { options: { list: [{ key: 'client_secret', value: canary }] } },
      { header: `Bearer ${canary}` },
      { url: `https://user:${canary}@crm.example.com/` },
      { pem: `-----BEGIN PRIVATE KEY-----\n${canary}\n-----END PRIVATE KEY-----` },
    ]) {
      expect(shown({}, content)).to.not.contain(canary);
      expect(shown(content, {})).to.not.contain(canary);
    }
  });

  it('known by its value, before anything is cut to size', () => {
    const long = `${'x'.repeat(395)}KNOWN-1`;
    expect(shown({ a: 'y' }, { a: long })).to.not.contain('KNOW');
    const text = shown({ a: long }, { a: `${long}z\nnew line` });
    expect(text).to.contain('new line');
    expect(text).to.not.contain('KNOWN-1');
    expect(shown({}, { a: ['KNOWN-1'] })).to.not.contain('KNOWN-1');
  });

  it('a plan tells which secrets it writes, and not what', () => {
    const plan = planOf({
      git: [want('Workflow/a', V1, { secretHashes: { token: 'h2' } })],
      platform: [ours('Workflow/a', V1)],
      ledger: [owned('Workflow/a', V1, { secretHashes: { token: 'h1' } })],
    });
    expect(dueOf(plan)[0])
      .to.have.nested.property('diff[0]')
      .that.deep.equals({ path: '/secrets/token', after: '(masked)', masked: true });
    expect(JSON.stringify(plan)).to.not.match(/h1|h2/);
  });
});

describe('Secrets', () => {
  const scene = {
    git: [want('Workflow/a', V1, { secretHashes: { token: 'h1', other: 'h' } })],
    ledger: [owned('Workflow/a', V1, { secretHashes: { token: 'h1', other: 'h' } })],
  };

  it('a rotated one is written at once, alone, and what drift it overwrites is archived', () => {
    const git = [want('Workflow/a', V1, { secretHashes: { token: 'h2', other: 'h' } })];
    const plan = planOf({ ...scene, git, platform: [ours('Workflow/a', V1)] });
    expect(dueOf(plan)[0]).to.deep.include({ cause: 'secret', secrets: ['token'], overwritesDrift: false });
    const drifted = planOf({ ...scene, git, platform: [ours('Workflow/a', HAND)] });
    expect(dueOf(drifted)[0]).to.deep.include({ secrets: ['token'], overwritesDrift: true });
  });

  it('one that the platform says is empty is drift', () => {
    const platform = [ours('Workflow/a', V1, { secretsSet: { token: false, other: true }, changedAt: 1 })];
    expect(dueOf(planOf({ ...scene, platform }))[0]).to.deep.include({ cause: 'drift', secrets: ['token'] });
    expect(withholds(planOf({ ...scene, platform, terms: { drift: 'report' } }))).to.deep.equal([
      'update Workflow/a: drift-reported',
    ]);
  });

  it('one that left git is forgotten without a write', () => {
    const git = [want('Workflow/a', V1, { secretHashes: { token: 'h1' } })];
    const plan = planOf({ ...scene, git, platform: [ours('Workflow/a', V1)] });
    expect(does(plan)).to.deep.equal([]);
    expect(plan.records).to.have.nested.property('[0].owned.secretHashes').that.deep.equals({ token: 'h1' });
  });
});
