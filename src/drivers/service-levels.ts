import type { JsonObject, JsonValue, Kind } from '../manifest/manifest.ts';
import { isObjective } from '../manifest/objective.ts';
import type { ObjectiveName } from '../manifest/objective.ts';
import type { ServiceLevelSpec } from '../manifest/service-level.ts';
import { slug } from '../manifest/slug.ts';
import type { Marker, RemoteObject } from '../plan/types.ts';
import type { Driver, Refusal, Step } from './driver.ts';
import { rowsOf, withRegister } from './register.ts';
import type { RegisteredKind } from './register.ts';
import type { RegisteredServiceLevel, ServiceLevelDraft, ServiceLevelRegister } from './service-level-register.ts';

const KIND = 'ServiceLevel' satisfies Kind;

/** Objectives that take knowing how long a run lasts. */
const TIMED: readonly ObjectiveName[] = ['averageDuration', 'durationP95'];

/**
 * The driver, with ServiceLevels kept in Plumbline's own register: no platform holds them, and Plumbline measures them itself.
 * What the platform does not tell, such as how long runs take, is refused before it is promised.
 */
export function withServiceLevels(driver: Driver, register: ServiceLevelRegister, platform: string): Driver {
  return withRegister(driver, new RegisteredServiceLevels(register, platform, driver));
}

class RegisteredServiceLevels implements RegisteredKind {
  readonly kind = KIND;
  readonly normalize = normalize;
  readonly toManifest = manifestOf;
  readonly observe: RegisteredKind['observe'];
  readonly apply: RegisteredKind['apply'];
  readonly #platform: string;
  readonly #driver: Driver;

  constructor(register: ServiceLevelRegister, platform: string, driver: Driver) {
    this.#platform = platform;
    this.#driver = driver;
    const rows = rowsOf<RegisteredServiceLevel>(KIND, {
      platform,
      register,
      remoteOf,
      create: async (step, id, marker) => register.create(await this.#draftOf(step, marker), id, step.owner),
      update: async (step, { id, version }, marker) =>
        register.update(id, await this.#draftOf(step, marker), { by: step.owner, version }),
      giveUp: ({ owner: by }, { id, version, platform: on, name, spec }) =>
        register.update(id, { platform: on, name, spec }, { by, version }),
    });
    this.observe = rows.observe;
    this.apply = rows.apply;
  }

  /** Law 15: what cannot be measured here is not promised. */
  async refuse(step: Step): Promise<Refusal | undefined> {
    const { change } = step;
    if (change.verb === 'delete' || change.verb === 'release') return undefined;
    const { selector, objectives } = read(await step.desired());
    const { name, untimed } = this.#driver;
    if (selector.kind === 'Workflow' && this.#driver.executions === undefined) {
      const because = `the ${name} driver does not tell of runs, so that nothing can be measured of workflows`;
      return { key: change.key, because, remedy: 'Select a Platform, or keep it to platforms that tell of runs.' };
    }
    const timed = TIMED.filter((objective) => objectives[objective] !== undefined);
    if (selector.kind !== 'Workflow' || untimed === undefined || timed.length === 0) return undefined;
    const because = `${name} does not tell how long runs take, so that ${timed.join(' and ')} cannot be measured`;
    return { key: change.key, because, remedy: `Take ${timed.join(' and ')} out.` };
  }

  async #draftOf(step: Step, marker: Marker | undefined): Promise<ServiceLevelDraft> {
    return {
      platform: this.#platform,
      name: step.change.key.slice(KIND.length + 1),
      spec: read(await step.desired()),
      ...(marker === undefined ? {} : { marker }),
    };
  }
}

/** Everything of a spec that is compared, whatever else it holds; what is absent has the schema's default. */
function read(spec: JsonObject): ServiceLevelSpec {
  const { selector, objectives, alerts, minimumTraffic, objects } = spec as Readonly<Record<string, JsonValue>> &
    Partial<Pick<ServiceLevelSpec, 'selector' | 'objectives' | 'alerts'>>;
  const { kind = 'Workflow', names, matchLabels } = selector ?? {};
  const { page = true, ticket = true, contacts = [], runbook } = alerts ?? {};
  return {
    title: textOf(spec['title']),
    selector: {
      kind,
      ...(names === undefined ? {} : { names: [...new Set(names)].toSorted() }),
      ...(matchLabels === undefined ? {} : { matchLabels }),
    },
    window: textOf(spec['window']) || '30d',
    objectives: Object.fromEntries(
      Object.entries(objectives ?? {}).filter(([name, target]) => isObjective(name) && typeof target === 'string'),
    ),
    alerts: { page, ticket, contacts, ...(runbook === undefined ? {} : { runbook }) },
    minimumTraffic: typeof minimumTraffic === 'number' ? minimumTraffic : 10,
    objects: Array.isArray(objects) ? objects.map(textOf) : [],
  };
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '';
}

function normalize(spec: JsonObject): JsonObject {
  return read(spec) as unknown as JsonObject;
}

function remoteOf({
  id,
  spec,
  version,
  marker,
  createdAt,
  changedAt,
  changedBy,
}: RegisteredServiceLevel): RemoteObject {
  return {
    kind: KIND,
    remote: id,
    title: spec.title,
    value: normalize(spec as unknown as JsonObject),
    version,
    ...(marker === undefined ? {} : { marker }),
    createdAt,
    changedAt,
    changedBy,
  };
}

/** What is selected follows from the selector and the source: it is not written down. */
function manifestOf({ title, value, marker }: RemoteObject): ReturnType<NonNullable<Driver['toManifest']>> {
  const known = marker?.key.startsWith(`${KIND}/`) === true ? marker.key.slice(KIND.length + 1) : undefined;
  const spec = Object.fromEntries(Object.entries(value).filter(([field]) => field !== 'objects'));
  return { name: known ?? slug(title), spec };
}
