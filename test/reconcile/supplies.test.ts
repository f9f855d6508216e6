import { expect } from 'chai';
import type { Key, Manifest } from '../../src/manifest/manifest.ts';
import type { Match } from '../../src/plan/matches.ts';
import type { Lack, Observed } from '../../src/plan/types.ts';
import { PassMemory } from '../../src/reconcile/memory.ts';
import { allSupplies, suppliesIn } from '../../src/reconcile/supplies.ts';
import type { Sighting } from '../../src/reconcile/supplies.ts';
import { owned, planOf, there, want } from '../plan/scene.ts';
import type { Wish } from '../plan/scene.ts';

const LACK: Lack = { message: 'it lacks a credential.', remedy: 'Create it.' };
const SHOWS_NO_VALUES = { writeOnly: { Integration: ['/settings'] } };

/** What a pass says that this object lacks, in words. */
function told(wish: Wish, match: Partial<Match>, more: Partial<Sighting> = {}): readonly string[] {
  const sighting: Sighting = {
    plan: planOf({}),
    objects: new Map([[wish.key, wish]]),
    matches: { of: new Map([[wish.key, { desired: wish, ...match }]]), others: [], notices: [] },
    bearable: [],
    driver: SHOWS_NO_VALUES,
    ...more,
  };
  return [...suppliesIn(sighting).values()].flat().map(({ key, message }) => `${key ?? ''}: ${message}`);
}

function seen(kind: 'Workflow' | 'Integration', more: Partial<Observed> = {}): Observed {
  return { ...there(kind, 'r'), fingerprint: '', createdAt: 1000, changedAt: 1000, ...more };
}

describe('What is yet to be supplied', () => {
  const flow = want('Workflow/a');
  const crm = want('Integration/crm');
  const EMPTY = ['Integration/crm: git gives no values for it, and nobody has filled it in on the platform.'];

  it('is what the listing says of an object that stands, and none of what is not ours to tell of', () => {
    const observed = seen('Workflow', { lacks: [LACK] });
    expect(told(flow, { observed })).to.deep.equal(['Workflow/a: it lacks a credential.']);
    expect(told(flow, {})).to.deep.equal([]);
    const blocked = { code: 'ambiguous', because: '', remedy: '' } as const;
    expect(told(flow, { observed, blocked })).to.deep.equal([]);
  });

  it('is what the preflight says of an object that is about to be written, not what it lacks before', () => {
    const plan = planOf({ git: [flow] });
    const refusal = { because: 'it will lack a workflow.', remedy: 'Add it.', bearable: true } as const;
    const bearable = [
      { key: 'Workflow/a' as const, ...refusal },
      { key: 'Workflow/b' as const, ...refusal },
    ];
    const match = { observed: seen('Workflow', { lacks: [LACK] }) };
    expect(told(flow, match, { plan, bearable })).to.deep.equal(['Workflow/a: it will lack a workflow.']);
    expect(told(flow, match, { plan })).to.deep.equal([]);
  });

  it('is the values of a connection that Plumbline made without any, until somebody changed it', () => {
    const made = { observed: seen('Integration'), owned: owned('Integration/crm') };
    expect(told(crm, {}, { plan: planOf({ git: [crm] }) }), 'about to be made').to.deep.equal(EMPTY);
    expect(told(crm, made)).to.deep.equal(EMPTY);
    const filled = { ...made, observed: seen('Integration', { changedAt: 2000 }) };
    expect(told(crm, filled)).to.deep.equal([]);
    const adopted = { ...made, owned: owned('Integration/crm', {}, { how: 'adopted' }) };
    expect(told(crm, adopted), 'people made it').to.deep.equal([]);
    const given = want('Integration/crm', {}, { secretHashes: { value: 'h' } });
    expect(told(given, made), 'git gives them').to.deep.equal([]);
    expect(told(crm, made, { driver: {} }), 'the platform shows its values').to.deep.equal([]);
  });

  it('is remembered of what a pass did not look at, as long as it is in git', () => {
    const memory = new PassMemory();
    const before = (key: Key) => [key, []] as const;
    memory.supplies = new Map([before('Workflow/a'), before('Workflow/b'), before('Workflow/gone')]);
    const manifests = new Map(['Workflow/a', 'Workflow/b'].map((key) => [key as Key, {} as Manifest]));
    const keys = (looked: ReadonlySet<Key> | undefined) => [
      ...allSupplies(memory, new Map([before('Workflow/c')]), { looked, manifests }).keys(),
    ];
    expect(keys(new Set(['Workflow/b', 'Workflow/c']))).to.deep.equal(['Workflow/a', 'Workflow/c']);
    expect(keys(undefined), 'it looked at everything').to.deep.equal(['Workflow/c']);
  });
});
