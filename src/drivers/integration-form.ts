import { RUN_FIELDS } from '../manifest/integration.ts';
import type { IntegrationRuns } from '../manifest/integration.ts';
import type { JsonObject, Kind } from '../manifest/manifest.ts';
import { slug } from '../manifest/slug.ts';
import type { RemoteObject } from '../plan/types.ts';
import type { Driver, Step } from './driver.ts';
import type { RegisteredIntegration } from './integration-register.ts';

const KIND = 'Integration' satisfies Kind;

/** A connection on the platform together with its code, as one object. */
export function joined(object: RemoteObject, code: RegisteredIntegration | undefined): RemoteObject {
  if (code === undefined) return object;
  const runs = runsOf(code.runs as unknown as JsonObject) as unknown as JsonObject;
  return { ...object, value: { ...object.value, ...runs }, version: versionOf(object.version, code) };
}

/** The version of a connection together with that of its code. */
export function versionOf(version: string, { version: code }: RegisteredIntegration): string {
  return `${version}#${code}`;
}

/** What the platform itself calls the version. */
export function platformVersion(version: string): string {
  return version.replace(/#[0-9a-f-]{36}$/, '');
}

/** The step as the platform's driver sees it: without code. */
export function connectionOf(step: Step): Step {
  const { change } = step;
  const remote =
    'remote' in change ? { remote: { ...change.remote, version: platformVersion(change.remote.version) } } : {};
  return {
    ...step,
    change: { ...change, ...remote },
    desired: async () => withoutRuns(await step.desired()),
    secrets: () => step.secrets(),
  };
}

/** What a spec says of the connection. */
export function withoutRuns(spec: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(spec).filter(([field]) => !(RUN_FIELDS as readonly string[]).includes(field)),
  );
}

/** What is compared of an Integration without a connection, beside its code. */
export function titled({ title }: JsonObject): JsonObject {
  return { title: title ?? '' };
}

/** How the code of a spec runs, in the form in which it is compared; undefined where there is none. */
export function runsOf(spec: JsonObject): IntegrationRuns | undefined {
  const { code, schedule, events, records } = spec as unknown as Partial<IntegrationRuns>;
  if (code === undefined) return undefined;
  const { repository, ref, commit, path, entry, settings, secrets } = code;
  return {
    code: { repository, ref, ...(commit === undefined ? {} : { commit }), path, entry, settings, secrets },
    ...(schedule === undefined ? {} : { schedule: schedule.trim().replaceAll(/\s+/g, ' ') }),
    ...(events === undefined || events.length === 0 ? {} : { events: [...new Set(events)].toSorted() }),
    ...(records === undefined ? {} : { records }),
  };
}

type Exported = ReturnType<NonNullable<Driver['toManifest']>>;

/** The commit is the lock's business, not the manifest's. */
export function manifestOf(object: RemoteObject, toManifest: NonNullable<Driver['toManifest']>): Exported {
  const runs = object.kind === KIND ? runsOf(object.value) : undefined;
  if (runs === undefined) return toManifest(object);
  const { commit: _, ...code } = runs.code;
  const value = withoutRuns(object.value);
  const known =
    object.marker?.key.startsWith(`${KIND}/`) === true ? object.marker.key.slice(KIND.length + 1) : undefined;
  const base =
    value['type'] === undefined
      ? { name: known ?? slug(object.title), spec: titled(value) }
      : toManifest({ ...object, value });
  return { ...base, spec: { ...base.spec, ...(runs as unknown as JsonObject), code: code as unknown as JsonObject } };
}
