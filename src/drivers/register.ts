import type { JsonObject, Kind } from '../manifest/manifest.ts';
import type { Capabilities, RemoteObject } from '../plan/types.ts';
import type { Driver, Listed, Look, Outcome, Refusal, Step } from './driver.ts';

const MANAGED: Capabilities[Kind] = {
  create: 'manage',
  update: 'manage',
  adopt: 'manage',
  release: 'manage',
  delete: 'manage',
};

/** A kind whose objects Plumbline keeps itself, as a driver deals with them; each method as the driver's own. */
export interface RegisteredKind {
  readonly kind: Kind;
  observe(look: Look, signal: AbortSignal): Iterable<RemoteObject | Listed>;
  /** Never throws for a change. */
  apply(step: Step, signal: AbortSignal): Promise<Outcome>;
  normalize(spec: JsonObject): JsonObject;
  /** Looks at a change before the first write. What a register refuses by its schema alone needs none. */
  refuse?(step: Step): Promise<Refusal | undefined>;
  toManifest: NonNullable<Driver['toManifest']>;
}

/** Every member of a driver must be told here, so that none is lost when the contract grows. */
type Whole = { readonly [Name in keyof Required<Driver>]: Driver[Name] | undefined };

/**
 * The driver, with one kind kept in a register of Plumbline's own instead of on the platform. All other kinds go to the
 * driver untouched, and what it cannot do is not claimed. A driver whose platform has that kind is given back as it is.
 */
export function withRegister(driver: Driver, registered: RegisteredKind): Driver {
  const { kind: own } = registered;
  if (Object.values(driver.capabilities[own]).some((support) => typeof support === 'string')) return driver;
  const isOurs = ({ change }: Step): boolean => change.kind === own;
  const theirs = (steps: readonly Step[]): readonly Step[] => steps.filter((step) => !isOurs(step));
  const idFor = driver.idFor?.bind(driver);
  const toManifest = driver.toManifest?.bind(driver);
  const whole: Whole = {
    name: driver.name,
    capabilities: { ...driver.capabilities, [own]: MANAGED },
    format: driver.format,
    marks: [...driver.marks, own],
    writeOnly: driver.writeOnly,
    targeted: driver.targeted,
    untimed: driver.untimed,
    probe: async (signal) => {
      const facts = await driver.probe(signal);
      return { ...facts, capabilities: { ...facts.capabilities, [own]: MANAGED } };
    },
    observe: async function* (look, signal) {
      const kinds = look.kinds.filter((kind) => kind !== own);
      if (kinds.length > 0) yield* driver.observe({ ...look, kinds }, signal);
      if (kinds.length < look.kinds.length) yield* registered.observe(look, signal);
    },
    normalize: (kind, spec) => (kind === own ? registered.normalize(spec) : driver.normalize(kind, spec)),
    outputs: driver.outputs,
    outputsOf: driver.outputsOf?.bind(driver),
    apply: async function* (stage, signal) {
      for (const step of stage) if (isOurs(step)) yield await registered.apply(step, signal);
      if (!stage.every(isOurs)) yield* driver.apply(theirs(stage), signal);
    },
    idFor: idFor && ((owner, key) => (key.startsWith(`${own}/`) ? undefined : idFor(owner, key))),
    preflight: preflightOf(driver, registered, isOurs),
    toManifest: toManifest && ((object) => (object.kind === own ? registered.toManifest(object) : toManifest(object))),
    executions: driver.executions?.bind(driver),
    execution: driver.execution?.bind(driver),
    trigger: driver.trigger?.bind(driver),
    tryConnection: driver.tryConnection?.bind(driver),
    events: driver.events?.bind(driver),
    [Symbol.asyncDispose]: () => driver[Symbol.asyncDispose](),
  };
  // Whether a driver can do something is asked by whether it has the method: absent ones stay absent.
  for (const name of Reflect.ownKeys(whole))
    if (Reflect.get(whole, name) === undefined) Reflect.deleteProperty(whole, name);
  return whole as Driver;
}

function preflightOf(
  driver: Driver,
  registered: RegisteredKind,
  isOurs: (step: Step) => boolean,
): Driver['preflight'] | undefined {
  const preflight = driver.preflight?.bind(driver);
  const refuse = registered.refuse?.bind(registered);
  if (preflight === undefined && refuse === undefined) return undefined;
  return async (steps, signal) => {
    const ours = refuse === undefined ? [] : await Promise.all(steps.filter(isOurs).map((step) => refuse(step)));
    const rest = steps.filter((step) => !isOurs(step));
    const theirs = preflight === undefined || rest.length === 0 ? [] : await preflight(rest, signal);
    return [...ours.filter((refusal) => refusal !== undefined), ...theirs];
  };
}
