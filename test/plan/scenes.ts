import * as fc from 'fast-check';
import type { Key, Kind } from '../../src/manifest/manifest.ts';
import type { Owner } from '../../src/plan/types.ts';
import { NOW, OWNER, owned, there, want, type Scene } from './scene.ts';

const kinds: readonly Kind[] = ['AccessRole', 'Integration', 'Workflow', 'AccessGrant'];
const names = ['a', 'b', 'c', 'd'] as const;
const key: fc.Arbitrary<Key> = fc
  .tuple(fc.constantFrom(...kinds), fc.constantFrom(...names))
  .map(([kind, name]): Key => `${kind}/${name}`);
const value = fc.constantFrom({ v: 1 }, { v: 2 }, { v: 3 }, { role: 'a' });
const remote = fc.constantFrom('r1', 'r2', 'r3', 'r4', 'r5');
const title = fc.constantFrom('a', 'b', 'A', 'x');
const owner: fc.Arbitrary<Owner> = fc.constantFrom(OWNER, OWNER, 'default/other', 'else/where');
const rarely = fc.integer({ min: 0, max: 9 }).map((number) => number === 0);

const wish = fc
  .record({
    key,
    value,
    title,
    dependsOn: fc.array(key, { maxLength: 2 }),
    renamedFrom: fc.array(key, { maxLength: 1 }),
  })
  .chain(({ key: name, value: content, title: called, dependsOn, renamedFrom }) =>
    fc
      .record({ disabled: rarely, exclusive: rarely, ends: rarely, hash: fc.constantFrom('', 'h1', 'h2') })
      .map((more) =>
        want(name, content, {
          title: called,
          dependsOn,
          renamedFrom: renamedFrom.filter((old) => old.split('/')[0] === name.split('/')[0]),
          disabled: more.disabled,
          exclusive: more.exclusive,
          secretHashes: more.hash === '' ? {} : { token: more.hash },
          ...(more.ends && name.startsWith('AccessGrant/') ? { expiresAt: NOW - 1 } : {}),
        }),
      ),
  );

const object = fc
  .record({
    kind: fc.constantFrom(...kinds),
    remote,
    value,
    title,
    marker: fc.option(fc.record({ owner, key }), { nil: undefined }),
    holds: rarely,
    createdAt: fc.option(fc.nat({ max: 99 }), { nil: undefined }),
  })
  .map(({ kind, remote: id, value: content, title: called, marker, holds, createdAt }) =>
    there(kind, id, content, {
      title: called,
      ...(marker === undefined ? {} : { marker }),
      ...(holds ? { holds: 'data' } : {}),
      ...(createdAt === undefined ? {} : { createdAt }),
    }),
  );

const entry = fc
  .record({
    key,
    value,
    remote,
    how: fc.constantFrom('created', 'adopted'),
    needs: fc.array(key, { maxLength: 2 }),
    since: rarely,
  })
  .map((one) =>
    owned(one.key, one.value, {
      remote: one.remote,
      how: one.how,
      dependsOn: one.needs,
      ...(one.since ? { driftSince: 1 } : {}),
    }),
  );

/** Situations of every sort, likely and unlikely ones; ids on the platform and keys are unique where they really are. */
export const scenes: fc.Arbitrary<Scene> = fc.record({
  git: fc.uniqueArray(wish, { maxLength: 6, selector: (one) => one.key }),
  platform: fc.uniqueArray(object, { maxLength: 8, selector: (one) => `${one.kind}:${one.remote}` }),
  ledger: fc
    .uniqueArray(entry, { maxLength: 6, selector: (one) => one.key })
    .map((list) => [...new Map(list.map((one) => [`${one.key.split('/')[0]}:${one.remote}`, one])).values()]),
  hasErrors: rarely,
  unknownKeys: fc.uniqueArray(key, { maxLength: 1 }),
  terms: fc.record({
    adopt: fc.constantFrom('refuse', 'matching'),
    exclusive: rarely,
    prune: fc.record({
      enabled: fc.constant(true),
      maxDeletions: fc.constantFrom({ count: 0 }, { count: 1 }, { percent: 10 }, { percent: 100 }),
      maxRevocations: fc.constant({ percent: 100 }),
    }),
    approvals: fc.constantFrom({}, { adopt: true }, { vanished: true }),
  }),
});
