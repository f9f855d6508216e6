import { expect } from 'chai';
import type { Owner } from '../../src/plan/types.ts';
import type { Sample } from './contract-harness.ts';
import { OWNER, apply, createAll, expectContent, find, get, observe, stepFor, succeed } from './contract-steps.ts';
import type { Bench } from './contract.ts';

const OTHER: Owner = 'elsewhere/theirs';

/** Markers, adoption, release, copies, and writes that come too late (OWNERSHIP.md). */
export function describeOwnership({ harness, platform, law }: Bench): void {
  const { samples } = harness;
  const workflow = first(samples, 'Workflow');

  it('an object says whose it is from its first write on, where its kind can carry a marker', async () => {
    await using driver = platform().connect();
    await createAll(driver, samples);
    for (const sample of samples.filter(({ kind }) => driver.marks.includes(kind))) {
      const { marker } = await get(driver, sample);
      expect(marker?.owner, sample.key).to.equal(OWNER);
      expect(marker?.key).to.equal(sample.key);
      expect(marker?.how).to.equal('created');
      const applied = (await markerOf(sample, driver))?.applied;
      expect(marker?.applied, 'what was last applied').to.equal(applied);
    }
  });

  it("another owner's marker is reported as theirs", async () => {
    await using driver = platform().connect();
    await succeed(driver, [stepFor('create', workflow, driver, { owner: OTHER })]);
    const seen = await observe(driver);
    expect(seen.objects.find(({ kind }) => kind === 'Workflow')?.marker?.owner).to.equal(OTHER);
    expect(find(seen, workflow, driver)).to.equal(undefined);
  });

  law('hand-made', 'what a person made is observed without a marker, and an adoption gives it one', async () => {
    await using driver = platform().connect();
    for (const sample of handMade()) {
      const remote = await platform().hands.make(sample);
      const made = (await observe(driver)).objects.find(
        (object) => object.remote === remote && object.kind === sample.kind,
      );
      expect(made?.marker, sample.key).to.equal(undefined);
      if (made === undefined) throw new Error(`${sample.key} is not observed`);
      expect(made.title).to.equal(sample.title);
      await succeed(driver, [stepFor('adopt', sample, driver, { at: made })]);
      const adopted = (await observe(driver)).objects.find(
        (object) => object.remote === remote && object.kind === sample.kind,
      );
      if (adopted === undefined) throw new Error(`${sample.key} is gone after its adoption`);
      expectContent(adopted, sample, driver);
      if (!driver.marks.includes(sample.kind)) continue;
      expect(adopted.marker?.owner).to.equal(OWNER);
      expect(adopted.marker?.how).to.equal('adopted');
    }
  });

  it('a release takes the marker and leaves the object as it is', async () => {
    await using driver = platform().connect();
    await createAll(driver, samples);
    for (const sample of samples) {
      const before = await get(driver, sample);
      await succeed(driver, [stepFor('release', sample, driver, { at: before })]);
      const after = (await observe(driver)).objects.find(
        (one) => one.remote === before.remote && one.kind === sample.kind,
      );
      expect(after?.marker, sample.key).to.equal(undefined);
      if (harness.onlyByMarker?.includes(sample.kind) === true) continue;
      expect(after?.title).to.equal(sample.title);
      expect(await platform().truth(sample.kind)).to.include(sample.title);
    }
    for (const sample of samples.filter(({ kind }) => kind === 'Workflow')) {
      const left = (await observe(driver)).objects.find(
        ({ title, kind }) => title === sample.title && kind === sample.kind,
      );
      expect(left?.value['definition'], sample.key).to.deep.equal(
        driver.normalize('Workflow', sample.spec)['definition'],
      );
    }
  });

  law('copies', 'a copy that a person made is seen as a second object with the same marker', async () => {
    await using driver = platform().connect();
    await createAll(driver, samples);
    const original = await get(driver, workflow);
    const copy = await platform().hands.copy('Workflow', original.remote);
    const claims = (await observe(driver)).objects.filter(({ marker }) => marker?.key === workflow.key);
    expect(claims.map(({ remote }) => remote)).to.have.members([original.remote, copy]);
    await succeed(driver, [stepFor('update', workflow, driver, { at: original, spec: workflow.changed })]);
    const after = (await observe(driver)).objects.filter(({ marker }) => marker?.key === workflow.key);
    const written = after.find(({ remote }) => remote === original.remote);
    if (written === undefined) throw new Error('the original is gone');
    expectContent(written, workflow, driver, workflow.changed);
    expect(after.find(({ remote }) => remote === copy)?.value['definition'], 'the copy is left alone').to.deep.equal(
      original.value['definition'],
    );
  });

  law(
    'stale',
    'a write to an object that was changed after it was looked at fails, and asks for a new plan',
    async () => {
      await using driver = platform().connect();
      await createAll(driver, samples);
      for (const sample of handMade()) {
        const looked = await get(driver, sample);
        await platform().hands.edit(sample.kind, looked.remote);
        const edited = await get(driver, sample);
        expect(edited.version, `${sample.key} has another version`).to.not.equal(looked.version);
        const [outcome] = await apply(driver, [
          stepFor('update', sample, driver, { at: looked, spec: sample.changed }),
        ]);
        expect(outcome?.status, sample.key).to.equal('failed');
        if (outcome?.status === 'failed') expect(outcome.error.retry).to.equal('replan');
        expect((await get(driver, sample)).value, 'the edit still stands').to.deep.equal(edited.value);
      }
    },
  );

  law(
    'stale',
    'a delete of an object that was changed after it was looked at fails, and asks for a new plan',
    async () => {
      await using driver = platform().connect();
      await succeed(driver, [stepFor('create', harness.workflow('Workflow/edited', 'Edited', 'one'), driver)]);
      const sample = harness.workflow('Workflow/edited', 'Edited', 'one');
      const looked = await get(driver, sample);
      await platform().hands.edit('Workflow', looked.remote);
      const [outcome] = await apply(driver, [stepFor('delete', sample, driver, { at: looked })]);
      expect(outcome?.status).to.equal('failed');
      if (outcome?.status === 'failed') expect(outcome.error.retry).to.equal('replan');
      expect(await platform().truth('Workflow')).to.deep.equal(['Edited']);
    },
  );

  law('client-ids', 'chosen ids are equal for the same owner and key, and differ for others', async () => {
    await using driver = platform().connect();
    const ids = [OWNER, OTHER].flatMap((owner) => samples.map(({ key }) => driver.idFor?.(owner, key)));
    expect(ids).to.not.include(undefined);
    expect(new Set(ids).size).to.equal(2 * samples.length);
    await using again = platform().connect();
    expect([OWNER, OTHER].flatMap((owner) => samples.map(({ key }) => again.idFor?.(owner, key)))).to.deep.equal(ids);
    await createAll(driver, samples);
    for (const sample of samples)
      expect((await get(driver, sample)).remote).to.equal(driver.idFor?.(OWNER, sample.key));
  });

  function handMade(): readonly Sample[] {
    const { kinds } = platform().hands;
    return samples.filter(({ kind, dependsOn }) => kinds.includes(kind) && dependsOn.length === 0);
  }

  async function markerOf(sample: Sample, driver: Parameters<typeof stepFor>[2]) {
    return stepFor('create', sample, driver).marker;
  }
}

function first(samples: readonly Sample[], kind: string): Sample {
  const found = samples.find((sample) => sample.kind === kind);
  if (found === undefined) throw new Error(`the harness has no sample of ${kind}`);
  return found;
}
