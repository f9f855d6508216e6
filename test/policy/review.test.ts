import { expect } from 'chai';
import type { Key } from '../../src/manifest/manifest.ts';
import { withhold } from '../../src/plan/build.ts';
import type { Reason } from '../../src/plan/match-reasons.ts';
import { refusable, review } from '../../src/policy/review.ts';
import { NOW, does, ours, owned, planOf, want, withholds, withheldOf } from '../plan/scene.ts';

const NO: Reason = { code: 'policy', because: 'the plugin judge refuses it.', remedy: 'Ask the judge.' };
const refusing = (...keys: Key[]) => new Map(keys.map((key) => [key, NO]));
const grant = want('AccessGrant/eve', { role: 'operator' });
const flow = want('Workflow/a', { step: 'new' });

describe('A review of what somebody refuses', () => {
  const plan = planOf({
    git: [grant, flow, want('Workflow/b', { step: 'one' })],
    platform: [
      ours('Workflow/a', { step: 'old' }),
      ours('Workflow/gone'),
      ours('AccessGrant/alice', { role: 'operator' }),
    ],
    ledger: [
      owned('Workflow/a', { step: 'old' }),
      owned('Workflow/gone'),
      owned('AccessGrant/alice', { role: 'operator' }),
    ],
  });

  it('withholds exactly that, with the reason', () => {
    const reviewed = withhold(plan, review(plan, { windows: [], refused: refusing('Workflow/a') }, NOW));
    expect(withholds(reviewed)).to.deep.equal(['update Workflow/a: policy']);
    expect(withheldOf(reviewed, 'Workflow/a')).to.include(NO);
    expect(does(reviewed)).to.have.members([...does(plan)].filter((one) => one !== 'update Workflow/a'));
  });

  it('never withholds that access is taken away (law 16)', () => {
    const reviewed = review(plan, { windows: [], refused: refusing('AccessGrant/alice', 'AccessGrant/eve') }, NOW);
    expect([...reviewed.keys()]).to.deep.equal(['AccessGrant/eve']);
  });

  it('what holds for all comes before what holds for one', () => {
    const reviewed = review(plan, { windows: [], suspended: 'holiday', refused: refusing('Workflow/a') }, NOW);
    expect(reviewed.get('Workflow/a')).to.have.property('code', 'suspended');
  });

  it('nobody is asked about deletes, releases and revocations', () => {
    expect(refusable(plan).map(({ verb, key }) => `${verb} ${key}`)).to.have.members([
      'create AccessGrant/eve',
      'update Workflow/a',
      'create Workflow/b',
    ]);
  });
});
