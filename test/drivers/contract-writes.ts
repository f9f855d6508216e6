import { expect } from 'chai';
import { KINDS } from '../../src/manifest/manifest.ts';
import type { JsonObject, JsonValue } from '../../src/manifest/manifest.ts';
import { fingerprint } from '../../src/plan/fingerprint.ts';
import type { RemoteObject } from '../../src/plan/types.ts';
import type { Sample } from './contract-harness.ts';
import { apply, createAll, expectContent, find, get, inStages, observe, stepFor, succeed } from './contract-steps.ts';
import type { Bench } from './contract.ts';

/** Create, change, delete; what is written is what is read, and writing it again would change nothing. */
export function describeWrites({ harness, platform }: Bench): void {
  const { samples } = harness;

  it('what was created is observed as it was meant (law 1)', async () => {
    await using driver = platform().connect();
    await createAll(driver, samples);
    const seen = await observe(driver);
    for (const sample of samples) {
      const found = find(seen, sample, driver);
      expect(found, `${sample.key} is observed`).to.not.equal(undefined);
      if (found === undefined) continue;
      expect(found.title).to.equal(sample.title);
      expectContent(found, sample, driver);
    }
    for (const kind of KINDS) {
      expect(await platform().truth(kind), `${kind} objects on the platform`).to.have.members(titles(samples, kind));
    }
  });

  it('an outcome names the object, and the version at which it is observed next', async () => {
    await using driver = platform().connect();
    for (const stage of inStages(samples)) {
      const steps = stage.map((sample) => stepFor('create', sample, driver));
      const outcomes = await apply(driver, steps);
      for (const sample of stage) {
        const outcome = outcomes.find(({ change }) => change.key === sample.key);
        const { remote, version } = await get(driver, sample);
        const named = outcome?.status === 'applied' ? outcome.remote : undefined;
        expect(named, sample.key).to.deep.equal({ id: remote, version });
      }
    }
  });

  it('an update reaches the platform, and keeps the object', async () => {
    await using driver = platform().connect();
    await createAll(driver, samples);
    for (const sample of samples) {
      const before = await get(driver, sample);
      await succeed(driver, [stepFor('update', sample, driver, { at: before, spec: sample.changed })]);
      const after = await get(driver, sample);
      expectContent(after, sample, driver, sample.changed);
      expect(after.remote, `${sample.key} is still the same object`).to.equal(before.remote);
      // Where a kind has nothing but its title, the change is none.
      const [then, now] = [sample.spec, sample.changed].map((spec) => fingerprint(driver.normalize(sample.kind, spec)));
      if (then !== now) expect(after.version, `${sample.key} has another version`).to.not.equal(before.version);
    }
  });

  it('a new title is an update of the same object', async () => {
    await using driver = platform().connect();
    await createAll(driver, samples);
    for (const sample of samples.filter(({ kind }) => kind === 'Workflow')) {
      const before = await get(driver, sample);
      const spec = { ...sample.spec, title: 'Renamed — été 🌻' };
      await succeed(driver, [stepFor('update', sample, driver, { at: before, spec })]);
      const after = await get(driver, sample);
      expect(after.remote).to.equal(before.remote);
      expect(after.title).to.equal('Renamed — été 🌻');
      expectContent(after, sample, driver, spec);
    }
  });

  it('a delete takes the object away, and one of what is gone already succeeds', async () => {
    await using driver = platform().connect();
    await createAll(driver, samples);
    for (const stage of inStages(samples).toReversed()) {
      const objects = await Promise.all(stage.map((sample) => get(driver, sample)));
      const steps = stage.map((sample, index) => stepFor('delete', sample, driver, { at: at(objects, index) }));
      await succeed(driver, steps);
      await succeed(driver, steps);
    }
    expect((await observe(driver)).objects.filter((object) => harness.standing?.(object) !== true)).to.deep.equal([]);
    for (const kind of KINDS) expect(await platform().truth(kind), kind).to.deep.equal([]);
  });

  it('whether a workflow is active is left alone where nobody says it (law 11)', async () => {
    await using driver = platform().connect();
    await createAll(driver, samples);
    for (const sample of samples.filter(({ kind, spec }) => kind === 'Workflow' && spec['active'] !== undefined)) {
      const before = await get(driver, sample);
      const { active, ...silent } = sample.changed;
      await succeed(driver, [
        stepFor('update', sample, driver, { at: before, spec: { ...sample.changed, active: active !== true } }),
      ]);
      const set = await get(driver, sample);
      await succeed(driver, [
        stepFor('update', sample, driver, { at: set, spec: { ...silent, title: 'Still as it was' } }),
      ]);
      expect((await get(driver, sample)).value['active'], sample.key).to.equal(active !== true);
    }
  });

  it('normalize changes nothing the second time, and nothing of what it is given', async () => {
    await using driver = platform().connect();
    for (const { kind, spec, changed } of samples) {
      for (const one of [spec, changed]) {
        const frozen = freeze(structuredClone(one));
        const once = driver.normalize(kind, frozen);
        expect(driver.normalize(kind, once)).to.deep.equal(once);
      }
    }
  });

  it('what is exported is equal to what is there (law 2)', async () => {
    await using driver = platform().connect();
    await createAll(driver, samples);
    for (const object of (await observe(driver)).objects) {
      if (harness.standing?.(object) === true) continue;
      expect(driver.normalize(object.kind, object.value), `${object.title} is observed in normal form`).to.deep.equal(
        object.value,
      );
      const manifest = driver.toManifest?.(object);
      if (manifest === undefined) continue;
      const spec = loaded(manifest);
      expect(driver.normalize(object.kind, spec), `${object.kind} ${object.title}`).to.deep.equal(object.value);
    }
  });

  it('text of every script and a definition of a megabyte arrive whole', async () => {
    await using driver = platform().connect();
    const scripts = '😀👩‍👩‍👧 שלום مرحبا é\u0301 \u202e עברית \u0000\u2028\\u0041 "quoted" 漢字';
    const odd = harness.workflow('Workflow/odd', 'Ünïcödé 😀 שלום', scripts);
    const large = harness.workflow('Workflow/large', 'Large', `${'0123456789abcdé'.repeat(70_000)}end`);
    await succeed(driver, [stepFor('create', odd, driver), stepFor('create', large, driver)]);
    expectContent(await get(driver, odd), odd, driver);
    expectContent(await get(driver, large), large, driver);
    expect((await get(driver, odd)).title).to.equal('Ünïcödé 😀 שלום');
  });
}

function titles(samples: readonly Sample[], kind: string): string[] {
  return samples.filter((sample) => sample.kind === kind).map(({ title }) => title);
}

function at(objects: readonly RemoteObject[], index: number): RemoteObject {
  const found = objects[index];
  if (found === undefined) throw new Error('fewer objects than samples');
  return found;
}

/** The spec that a manifest has once its definition's file is read. */
function loaded({ spec, definition }: { spec: JsonObject; definition?: { readonly text: string } }): JsonObject {
  if (definition === undefined) return spec;
  const { definitionFrom: _file, ...rest } = spec;
  return { ...rest, definition: JSON.parse(definition.text) as JsonValue };
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null)
    for (const inner of Object.values(Object.freeze(value))) freeze(inner);
  return value;
}
