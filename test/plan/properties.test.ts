import { expect } from 'chai';
import * as fc from 'fast-check';
import type { JsonObject, JsonValue, Key } from '../../src/manifest/manifest.ts';
import { differences } from '../../src/plan/diff.ts';
import { canonicalJson } from '../../src/manifest/canonical.ts';
import { fingerprint } from '../../src/plan/fingerprint.ts';
import { capOf } from '../../src/plan/terms.ts';
import type { Change } from '../../src/plan/types.ts';
import { stages } from '../../src/plan/stages.ts';
import { OWNER, dueOf, planOf, type Scene } from './scene.ts';
import { scenes } from './scenes.ts';

const json = fc.jsonValue({ maxDepth: 4 }) as fc.Arbitrary<JsonValue>;
const RUNS = { numRuns: 300 };

function shuffled(value: JsonValue): JsonValue {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(shuffled);
  const entries = Object.entries(value as JsonObject).toReversed();
  return Object.fromEntries(entries.map(([name, inner]) => [name, shuffled(inner)]));
}

describe('Properties of comparing', () => {
  it('a fingerprint does not depend on the order of names', () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(fingerprint(shuffled(value))).to.equal(fingerprint(value));
      }),
      RUNS,
    );
  });

  it('differences are empty exactly when canonical texts are equal', () => {
    const near = fc.tuple(json, json).chain(([one, other]) => fc.constantFrom([one, other], [one, shuffled(one)]));
    const listed = fc
      .array(fc.record({ id: fc.constantFrom('a', 'b', 'c'), x: fc.constantFrom(0, 1) }), { maxLength: 3 })
      .chain((list) => fc.shuffledSubarray(list).map((other): JsonValue[] => [list, other]));
    fc.assert(
      fc.property(fc.oneof(near, listed), ([before, after]) => {
        const { diff, more } = differences(before, after);
        expect(diff.length + more === 0).to.equal(canonicalJson(before) === canonicalJson(after));
      }),
      { numRuns: 1000 },
    );
  });

  it('names that are no ordinary names compare like all others', () => {
    const odd = JSON.parse('{"z":1,"__proto__":{"b":1,"a":2},"10":1,"9":2}') as JsonObject;
    expect(fingerprint(shuffled(odd))).to.equal(fingerprint(odd));
    const hidden = JSON.parse('{"z":1,"__proto__":{"a":2}}') as JsonObject;
    expect(fingerprint(hidden)).to.not.equal(fingerprint({ z: 1 }));
    expect(differences(odd, { z: 1 }).diff).to.have.length(3);
  });

  it('content nested a thousand deep, with no name in order, is compared in no time at all', function () {
    this.timeout(2000);
    let deep: JsonValue = 1;
    for (let level = 0; level < 1000; level += 1) deep = { b: deep, a: level };
    expect(fingerprint(deep)).to.equal(fingerprint(shuffled(deep)));
  });
});

describe('Properties of order', () => {
  const key = (index: number): Key => `Workflow/w${index}`;
  const graphs = fc.array(
    fc.record({
      verb: fc.constantFrom('create', 'update', 'delete'),
      needs: fc.array(fc.nat({ max: 12 }), { maxLength: 4 }),
    }),
    { maxLength: 12 },
  );

  function reaches(changes: ReadonlyMap<Key, Change>, from: Key, to: Key): boolean {
    const seen = new Set<Key>();
    const open = [from];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      for (const need of changes.get(next)?.dependsOn ?? []) {
        const change = changes.get(need);
        if (
          change === undefined ||
          seen.has(need) ||
          (change.verb === 'delete') !== (changes.get(from)?.verb === 'delete')
        )
          continue;
        if (need === to) return true;
        seen.add(need);
        open.push(need);
      }
    }
    return false;
  }

  it('dependencies come first, deletes last and the other way round, members of a cycle together; none is lost', () => {
    fc.assert(
      fc.property(graphs, (graph) => {
        const changes = graph.map(
          ({ verb, needs }, index) => ({ key: key(index), verb, dependsOn: needs.map(key) }) as unknown as Change,
        );
        const byKey = new Map(changes.map((change) => [change.key, change]));
        const ordered = stages(changes);
        const at = new Map(ordered.flatMap((stage, index) => stage.map((change) => [change.key, index] as const)));
        expect([...at.keys()]).to.have.members(changes.map((change) => change.key));
        expect(ordered.every((stage) => stage.length > 0)).to.equal(true);
        for (const change of changes) {
          for (const need of change.dependsOn) {
            const other = byKey.get(need);
            if (other === undefined || need === change.key) continue;
            const here = at.get(change.key) ?? -1;
            const there = at.get(need) ?? -1;
            const isDelete = change.verb === 'delete';
            if (isDelete !== (other.verb === 'delete')) expect(isDelete ? here > there : there > here).to.equal(true);
            else if (reaches(byKey, need, change.key)) expect(here).to.equal(there);
            else expect(isDelete ? here < there : there < here).to.equal(true);
          }
        }
      }),
      RUNS,
    );
  });

  it('a chain of 10,000 does not exhaust the stack', () => {
    const chain = Array.from(
      { length: 10_000 },
      (_, index) => ({ key: key(index), verb: 'create', dependsOn: [key(index + 1)] }) as unknown as Change,
    );
    expect(stages(chain)).to.have.length(10_000);
  });
});

describe('Properties of plans', () => {
  const holds = (law: (scene: Scene) => void) => {
    fc.assert(fc.property(scenes, law), { numRuns: 500 });
  };

  it('the same input gives the same plan', () => {
    holds((scene) => {
      expect(planOf(scene)).to.deep.equal(planOf(scene));
    });
  });

  it('the fingerprint does not depend on the order in which the platform lists', () => {
    holds((scene) => {
      const reversed = { ...scene, platform: (scene.platform ?? []).toReversed() };
      expect(planOf(reversed).fingerprint).to.equal(planOf(scene).fingerprint);
    });
  });

  it('a key is due once or withheld once, and no object on the platform is written twice', () => {
    holds((scene) => {
      const plan = planOf(scene);
      const keys = [...dueOf(plan), ...plan.withheld.map(({ change }) => change)].map((change) => change.key);
      expect(keys).to.have.length(new Set(keys).size);
      const remotes = dueOf(plan).flatMap((change) =>
        'remote' in change ? [`${change.kind}:${change.remote.id}`] : [],
      );
      expect(remotes).to.have.length(new Set(remotes).size);
    });
  });

  it('nothing unowned is ever deleted, except where access is exclusive', () => {
    holds((scene) => {
      const exclusive = scene.terms?.exclusive === true || (scene.git ?? []).some((wish) => wish.exclusive);
      for (const change of dueOf(planOf(scene))) {
        if (change.verb !== 'delete') continue;
        const owned = scene.ledger?.some((one) => one.remote === change.remote.id && one.key === change.key);
        const expired = scene.git?.some((wish) => wish.key === change.key && wish.expiresAt !== undefined);
        expect(owned === true || expired === true || (exclusive && change.kind === 'AccessGrant')).to.equal(true);
      }
    });
  });

  it("nothing that says it is another owner's is written", () => {
    holds((scene) => {
      for (const change of dueOf(planOf(scene))) {
        if (!('remote' in change) || change.verb === 'adopt') continue;
        const object = scene.platform?.find((one) => one.kind === change.kind && one.remote === change.remote.id);
        expect(object?.marker?.owner ?? OWNER).to.equal(OWNER);
      }
    });
  });

  it('deletes stay under their caps, and none is due while there are problems', () => {
    holds((scene) => {
      const deletes = dueOf(planOf(scene)).filter((change) => change.verb === 'delete');
      const prune = scene.terms?.prune;
      if (prune === undefined) return;
      const size = scene.ledger?.length ?? 0;
      const others = deletes.filter((change) => change.revokes !== true);
      expect(others.length).to.be.at.most(capOf(prune.maxDeletions, size));
      if (scene.hasErrors === true) expect(others).to.deep.equal([]);
    });
  });

  it('what is due needs nothing that is withheld, and nothing deleted is needed by what stays', () => {
    holds((scene) => {
      const plan = planOf(scene);
      const missing = new Set(plan.withheld.flatMap(({ change }) => (change.verb === 'create' ? [change.key] : [])));
      const staying = plan.withheld.flatMap(({ change }) => (change.verb === 'delete' ? change.dependsOn : []));
      for (const change of dueOf(plan)) {
        if (change.verb === 'delete') expect(staying).to.not.include(change.key);
        else if (change.verb !== 'release')
          for (const need of change.dependsOn) expect(missing.has(need)).to.equal(false);
      }
    });
  });

  it('an incomplete listing creates nothing of its kind and forgets nothing', () => {
    holds((scene) => {
      const plan = planOf({ ...scene, partial: ['Workflow'] });
      const isFlow = (key: Key) => key.startsWith('Workflow/');
      expect(dueOf(plan).filter((change) => change.verb === 'create' && isFlow(change.key))).to.deep.equal([]);
      const seen = new Set((scene.platform ?? []).map((object) => object.remote));
      for (const record of plan.records) {
        if (record.record !== 'forget' || !isFlow(record.key)) continue;
        expect(seen.has(scene.ledger?.find((one) => one.key === record.key)?.remote ?? '')).to.equal(true);
      }
    });
  });
});
