import { expect } from 'chai';
import * as fc from 'fast-check';
import type { Key } from '../../src/manifest/manifest.ts';
import type { Intent, Owned } from '../../src/plan/types.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import type { Scope } from '../../src/ledger/ownership.ts';
import { stateDirectories } from './samples.ts';

const SCOPES: readonly Scope[] = ['orders', 'crm'].flatMap((sync) =>
  ['east', 'west'].map((platform) => ({ sync, platform })),
);
const KEYS: readonly Key[] = ['Workflow/a', 'Workflow/b', 'Workflow/c', 'Integration/a'];

/** The ledger as anybody would write it in memory: what the one on disk must equal after any sequence of calls. */
class Model {
  readonly owned = new Map<string, { scope: Scope; owned: Owned }>();
  readonly intents = new Map<string, { scope: Scope; intent: Intent }>();

  own(scope: Scope, owned: Owned): void {
    for (const [id, row] of this.owned) {
      const sameObject = row.owned.remote === owned.remote && kindOf(row.owned.key) === kindOf(owned.key);
      if (same(row.scope, scope) && sameObject) this.owned.delete(id);
    }
    this.owned.set(idOf(scope, owned.key), { scope, owned });
  }

  view(scope: Scope, keys: readonly Key[] = KEYS): object {
    const rows = [...this.owned.values()];
    return {
      owned: new Map(
        rows
          .filter((row) => same(row.scope, scope) && keys.includes(row.owned.key))
          .map((row) => [row.owned.key, row.owned]),
      ),
      others: new Set(
        rows
          .filter((row) => row.scope.platform === scope.platform && row.scope.sync !== scope.sync)
          .map((row) => `${kindOf(row.owned.key)}:${row.owned.remote}`),
      ),
      intents: [...this.intents.values()]
        .filter((row) => same(row.scope, scope) && keys.includes(row.intent.key))
        .map((row) => row.intent)
        .sort((a, b) => a.since - b.since || (a.id < b.id ? -1 : 1)),
    };
  }
}

const same = (a: Scope, b: Scope): boolean => a.sync === b.sync && a.platform === b.platform;
const kindOf = (key: Key): string => key.slice(0, key.indexOf('/'));
const idOf = (scope: Scope, id: string): string => `${scope.sync} ${scope.platform} ${id}`;

const scope = fc.constantFrom(...SCOPES);
const key = fc.constantFrom(...KEYS);
const text = fc.string({ unit: 'grapheme', maxLength: 8 });
const owned: fc.Arbitrary<Owned> = fc.record(
  {
    key,
    remote: fc.constantFrom('1', 'it’s "2"'),
    title: text,
    fingerprint: text,
    secretHashes: fc.dictionary(fc.constantFrom('value', 'password'), text),
    how: fc.constantFrom('created' as const, 'adopted' as const),
    dependsOn: fc.subarray([...KEYS]),
    file: text,
    revision: text,
    allowDataLoss: fc.boolean(),
    driftSince: fc.integer({ min: 0, max: 2 ** 42 }),
    heldFingerprint: text,
  },
  {
    noNullPrototype: true,
    requiredKeys: [
      'key',
      'remote',
      'title',
      'fingerprint',
      'secretHashes',
      'how',
      'dependsOn',
      'file',
      'revision',
      'allowDataLoss',
    ],
  },
);
const intent: fc.Arbitrary<Intent> = fc.record(
  {
    id: fc.constantFrom('i1', 'i2', 'i3'),
    verb: fc.constantFrom('create' as const, 'delete' as const),
    key,
    title: text,
    since: fc.nat(5),
    remote: text,
    fingerprint: text,
  },
  {
    noNullPrototype: true,
    requiredKeys: ['id', 'verb', 'key', 'title', 'since'],
  },
);
const step = fc.oneof(
  fc.record({
    do: fc.constant('intend' as const),
    scope,
    intents: fc.array(intent, { maxLength: 3 }),
  }),
  fc.record({
    do: fc.constant('settle' as const),
    scope,
    id: fc.constantFrom('i1', 'i2', 'i3'),
    owned,
  }),
  fc.record({
    do: fc.constant('unchanged' as const),
    scope,
    id: fc.constantFrom('i1', 'i2', 'i3'),
  }),
  fc.record({
    do: fc.constant('forget' as const),
    scope,
    id: fc.constantFrom('i1', 'i2', 'i3'),
    key,
  }),
  fc.record({ do: fc.constant('own' as const), scope, owned }),
  fc.record({ do: fc.constant('disown' as const), scope, key }),
  fc.record({ do: fc.constant('reopen' as const) }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Takes the step on both; returns the ledger, which may have been opened anew. */
function take(one: Step, ledger: Ledger, model: Model, directory: string): Ledger {
  if (one.do === 'reopen') {
    ledger.close();
    return Ledger.open(directory);
  }
  const journal = ledger.journal(one.scope);
  if (one.do === 'intend') {
    journal.intend(one.intents);
    for (const intent of one.intents)
      model.intents.set(idOf(one.scope, intent.id), {
        scope: one.scope,
        intent,
      });
  } else if (one.do === 'own') {
    journal.record([{ record: 'own', owned: one.owned }]);
    model.own(one.scope, one.owned);
  } else if (one.do === 'disown') {
    journal.record([{ record: 'forget', key: one.key }]);
    model.owned.delete(idOf(one.scope, one.key));
  } else {
    model.intents.delete(idOf(one.scope, one.id));
    if (one.do === 'unchanged') journal.settle(one.id, 'unchanged');
    if (one.do === 'settle') {
      journal.settle(one.id, { owned: one.owned });
      model.own(one.scope, one.owned);
    }
    if (one.do === 'forget') {
      journal.settle(one.id, { forget: one.key });
      model.owned.delete(idOf(one.scope, one.key));
    }
  }
  return ledger;
}

describe('The ledger against a model in memory', () => {
  const stateDirectory = stateDirectories();

  it('gives the same view after any sequence of intents, outcomes, records and reopenings', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 40 }), fc.subarray([...KEYS]), (steps, some) => {
        const directory = stateDirectory();
        const model = new Model();
        let ledger = Ledger.open(directory);
        try {
          for (const one of steps) {
            ledger = take(one, ledger, model, directory);
            for (const scope of SCOPES) {
              for (const keys of [undefined, some]) {
                const { owned, ownedByOthers, intents } = ledger.view(scope, keys);
                const found = {
                  owned,
                  others: new Set(ownedByOthers.keys()),
                  intents,
                };
                expect(found).to.deep.equal(model.view(scope, keys));
              }
            }
          }
        } finally {
          ledger.close();
        }
      }),
      { numRuns: 60 },
    );
  });
});
