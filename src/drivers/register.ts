import { randomUUID } from 'node:crypto';
import { asReconcilerError, messageOf } from '../errors.ts';
import type { JsonObject, Kind } from '../manifest/manifest.ts';
import type { Capabilities, Marker, RemoteObject } from '../plan/types.ts';
import type { Driver, Listed, Look, Outcome, Refusal, Step } from './driver.ts';

/** What can be done with a kind that Plumbline keeps itself. */
export const MANAGED: Capabilities[Kind] = {
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

/** What every row of a register has. */
interface Row {
  readonly id: string;
  readonly version: string;
  readonly marker?: Marker;
}

/** A register of Plumbline's own, as far as its kinds are alike; methods throw ReconcilerErrors. */
interface Register<R extends Row> {
  list(platform: string): readonly R[];
  get(id: string): R | undefined;
  remove(id: string, version: string): boolean;
}

/** How rows of one kind are written; the rest is the same for all kinds. */
export interface RowWriter<R extends Row> {
  readonly platform: string;
  readonly register: Register<R>;
  remoteOf(row: R): RemoteObject;
  create(step: Step, id: string, marker: Marker | undefined): Promise<R>;
  update(
    step: Step,
    present: { readonly id: string; readonly version: string },
    marker: Marker | undefined,
  ): Promise<R>;
  /** Takes the marker off. */
  giveUp(step: Step, present: R): R;
}

/** Lists and writes the rows of a register, as a driver does it. */
export function rowsOf<R extends Row>(kind: Kind, writer: RowWriter<R>): Pick<RegisteredKind, 'observe' | 'apply'> {
  return {
    observe: (look, signal) => listed(kind, writer, { look, signal }),
    apply: (step, signal) => applied(writer, step, signal),
  };
}

function* listed<R extends Row>(
  kind: Kind,
  { register, platform, ...writer }: RowWriter<R>,
  { look: { only }, signal }: { readonly look: Look; readonly signal: AbortSignal },
): Generator<RemoteObject | Listed> {
  signal.throwIfAborted();
  let rows: readonly R[];
  try {
    rows = register.list(platform);
  } catch (error) {
    yield { listed: kind, complete: false, because: messageOf(error) };
    return;
  }
  for (const object of rows.map((row) => writer.remoteOf(row)))
    if (only === undefined || only.remotes.includes(object.remote) || only.titles.includes(object.title)) yield object;
  yield { listed: kind, complete: true };
}

async function applied<R extends Row>(writer: RowWriter<R>, step: Step, signal: AbortSignal): Promise<Outcome> {
  const { change } = step;
  if (signal.aborted) return { status: 'skipped', change, because: 'the pass was stopped before it began' };
  try {
    const written = await write(writer, step);
    if (written === undefined) return { status: 'applied', change };
    return { status: 'applied', change, remote: { id: written.id, version: written.version } };
  } catch (error) {
    return { status: 'failed', change, error: asReconcilerError(error) };
  }
}

async function write<R extends Row>(writer: RowWriter<R>, step: Step): Promise<R | undefined> {
  const { change } = step;
  const { register } = writer;
  if (change.verb === 'create') {
    // The id is chosen here so that the marker can name it: a copy then gives itself away.
    const id = randomUUID();
    return writer.create(step, id, step.marker && { ...step.marker, remote: id });
  }
  const { id, version } = change.remote;
  if (change.verb === 'delete') {
    register.remove(id, version);
    return undefined;
  }
  const present = register.get(id);
  // Gone already, or given up already: nothing is left to be taken off.
  if (change.verb === 'release') return present?.marker === undefined ? present : writer.giveUp(step, present);
  return writer.update(step, { id, version }, step.marker ?? present?.marker);
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
  return inPlaceOf(driver, {
    capabilities: { ...driver.capabilities, [own]: MANAGED },
    marks: [...driver.marks, own],
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
    apply: async function* (stage, signal) {
      for (const step of stage) if (isOurs(step)) yield await registered.apply(step, signal);
      if (!stage.every(isOurs)) yield* driver.apply(theirs(stage), signal);
    },
    idFor: idFor && ((owner, key) => (key.startsWith(`${own}/`) ? undefined : idFor(owner, key))),
    preflight: preflightOf(driver, registered, isOurs),
    toManifest: toManifest && ((object) => (object.kind === own ? registered.toManifest(object) : toManifest(object))),
  });
}

/** The driver with some of its members in place of its own; those that are given as undefined are absent. */
export function inPlaceOf(
  driver: Driver,
  changed: { readonly [Name in keyof Driver]?: Driver[Name] | undefined },
): Driver {
  const whole: Whole = {
    name: driver.name,
    capabilities: driver.capabilities,
    format: driver.format,
    marks: driver.marks,
    writeOnly: driver.writeOnly,
    targeted: driver.targeted,
    untimed: driver.untimed,
    probe: driver.probe.bind(driver),
    observe: driver.observe.bind(driver),
    normalize: driver.normalize.bind(driver),
    outputs: driver.outputs,
    outputsOf: driver.outputsOf?.bind(driver),
    apply: driver.apply.bind(driver),
    idFor: driver.idFor?.bind(driver),
    preflight: driver.preflight?.bind(driver),
    toManifest: driver.toManifest?.bind(driver),
    executions: driver.executions?.bind(driver),
    execution: driver.execution?.bind(driver),
    trigger: driver.trigger?.bind(driver),
    tryConnection: driver.tryConnection?.bind(driver),
    events: driver.events?.bind(driver),
    [Symbol.asyncDispose]: () => driver[Symbol.asyncDispose](),
    ...changed,
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
