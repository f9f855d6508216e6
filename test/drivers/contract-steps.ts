import { createHmac } from 'node:crypto';
import { expect } from 'chai';
import type { Driver, Listed, Look, Outcome, Step } from '../../src/drivers/driver.ts';
import { KINDS } from '../../src/manifest/manifest.ts';
import type { JsonObject, Kind } from '../../src/manifest/manifest.ts';
import { fingerprint } from '../../src/plan/fingerprint.ts';
import type { Change, Owner, RemoteObject, Verb } from '../../src/plan/types.ts';
import type { SecretValue } from '../../src/secrets/secrets.ts';
import type { Sample } from './contract-harness.ts';

export const OWNER: Owner = 'tests/contract';
export const never = new AbortController().signal;

export function secretValue(text: string): SecretValue {
  return {
    reveal: () => text,
    keyedHash: (context) => createHmac('sha256', 'tests').update(`${context}\0${text}`).digest('hex'),
  };
}

interface Aim {
  /** What is meant, for everything but a create. */
  readonly at?: RemoteObject;
  readonly owner?: Owner;
  /** Another content than the sample's own. */
  readonly spec?: JsonObject;
  readonly secrets?: Readonly<Record<string, string>>;
}

/** A step as `apply` would hand it to a driver. */
export function stepFor(verb: Verb, sample: Sample, driver: Driver, aim: Aim = {}): Step {
  const { owner = OWNER, spec = sample.spec } = aim;
  const desired = driver.normalize(sample.kind, spec);
  const secrets = aim.secrets ?? (verb === 'create' || verb === 'adopt' ? sample.secrets : {});
  const change = changeFor(verb, sample, {
    at: aim.at,
    title: titleIn(spec, sample),
    desired,
    secrets: Object.keys(secrets),
  });
  const keeps = verb === 'create' || verb === 'update' || verb === 'adopt';
  const how = verb === 'adopt' ? 'adopted' : 'created';
  const refuse = (): Promise<never> => Promise.reject(new Error(`a ${verb} has no content`));
  return {
    change,
    owner,
    ...(keeps ? { marker: { owner, key: sample.key, applied: fingerprint(desired, sample.open), how } } : {}),
    desired: () => (keeps ? Promise.resolve(desired) : refuse()),
    secrets: () =>
      keeps
        ? Promise.resolve(Object.fromEntries(Object.entries(secrets).map(([name, text]) => [name, secretValue(text)])))
        : refuse(),
  };
}

function changeFor(
  verb: Verb,
  sample: Sample,
  aim: { at: RemoteObject | undefined; title: string; desired: JsonObject; secrets: readonly string[] },
): Change {
  const { key, kind, dependsOn } = sample;
  const base = { key, kind, title: aim.title, dependsOn };
  const wanted = { fingerprint: fingerprint(aim.desired, sample.open), secrets: aim.secrets };
  if (verb === 'create') return { ...base, ...wanted, verb, cause: 'new' };
  if (aim.at === undefined) throw new Error(`a ${verb} needs an object to aim at`);
  const remote = { id: aim.at.remote, version: aim.at.version };
  const diff = [{ path: '/title' }] as const;
  if (verb === 'update') {
    return { ...base, ...wanted, remote, verb, cause: 'changed', diff, moreFields: 0, overwritesDrift: false };
  }
  if (verb === 'adopt') return { ...base, ...wanted, remote, verb, cause: 'adoption', diff, moreFields: 0 };
  return verb === 'release'
    ? { ...base, remote, verb, cause: 'released' }
    : { ...base, remote, verb, cause: 'removed' };
}

function titleIn(spec: JsonObject, sample: Sample): string {
  return typeof spec['title'] === 'string' ? spec['title'] : sample.title;
}

export interface Seen {
  readonly objects: readonly RemoteObject[];
  readonly listed: ReadonlyMap<Kind, Listed>;
}

export async function observe(driver: Driver, look: Look = { kinds: KINDS }, signal = never): Promise<Seen> {
  const objects: RemoteObject[] = [];
  const listed = new Map<Kind, Listed>();
  for await (const item of driver.observe(look, signal)) {
    if (!('listed' in item)) objects.push(item);
    else {
      expect(listed.has(item.listed), `${item.listed} is reported once`).to.equal(false);
      listed.set(item.listed, item);
    }
  }
  return { objects, listed };
}

/** Applies the steps as one stage; there must be one outcome per step. */
export async function apply(driver: Driver, steps: readonly Step[], signal = never): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  for await (const outcome of driver.apply(steps, signal)) outcomes.push(outcome);
  expect(outcomes.map(({ change }) => change.key).sort(), 'one outcome per step').to.deep.equal(
    steps.map(({ change }) => change.key).sort(),
  );
  return outcomes;
}

/** Applies steps that must all succeed. */
export async function succeed(driver: Driver, steps: readonly Step[]): Promise<void> {
  for (const outcome of await apply(driver, steps)) {
    if (outcome.status === 'failed') throw outcome.error;
    expect(outcome.status).to.equal('applied');
  }
}

/** Samples in stages: each after what it depends on. */
export function inStages(samples: readonly Sample[]): readonly (readonly Sample[])[] {
  const stages: Sample[][] = [];
  const level = new Map<string, number>();
  for (const sample of samples) {
    const at = Math.max(0, ...sample.dependsOn.map((key) => (level.get(key) ?? -1) + 1));
    level.set(sample.key, at);
    (stages[at] ??= []).push(sample);
  }
  return stages;
}

export async function createAll(driver: Driver, samples: readonly Sample[]): Promise<void> {
  for (const stage of inStages(samples))
    await succeed(
      driver,
      stage.map((sample) => stepFor('create', sample, driver)),
    );
}

/** The object of a sample: by marker, or by title where its kind has none. */
export function find(seen: Seen, sample: Sample, driver: Driver, owner: Owner = OWNER): RemoteObject | undefined {
  const id = driver.idFor?.(owner, sample.key);
  return seen.objects.find((object) => {
    if (object.kind !== sample.kind) return false;
    if (driver.marks.includes(sample.kind)) return object.marker?.key === sample.key && object.marker.owner === owner;
    return id === undefined ? object.title === sample.title : object.remote === id;
  });
}

/** As `find`, for what must be there. */
export async function get(driver: Driver, sample: Sample, owner: Owner = OWNER): Promise<RemoteObject> {
  const found = find(await observe(driver), sample, driver, owner);
  if (found === undefined) throw new Error(`${sample.key} is not on the platform`);
  return found;
}

/** Whether an object has the content of a spec, apart from what the sample leaves open. */
export function isAsMeant(object: RemoteObject, sample: Sample, driver: Driver, spec = sample.spec): boolean {
  const desired = driver.normalize(sample.kind, spec);
  return fingerprint(object.value, sample.open) === fingerprint(desired, sample.open);
}

/** That an object has the content of a spec, apart from what the sample leaves open (law 1). */
export function expectContent(object: RemoteObject, sample: Sample, driver: Driver, spec = sample.spec): void {
  if (isAsMeant(object, sample, driver, spec)) return;
  const desired = driver.normalize(sample.kind, spec);
  expect(object.value, `${sample.key} as observed`).to.deep.equal(desired);
}
