import { expect } from 'chai';
import { differences } from '../../src/plan/diff.ts';
import { does, dueOf, ours, owned, planOf, want, withholds } from './scene.ts';

const V1 = { steps: 'one' };
const HAND = { steps: 'by hand' };

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
