import type { Outputs } from '../manifest/output-reference.ts';
import { ReconcilerError, messageOf, type Problem } from '../errors.ts';
import type { Driver } from '../drivers/driver.ts';
import { contentHash } from '../manifest/canonical.ts';
import type { JsonObject, Key, Manifest } from '../manifest/manifest.ts';
import { withValues } from '../manifest/output-reference.ts';
import { partsOf, valueAt } from '../manifest/pointer.ts';
import { isCallbackUrl } from '../manifest/webhook.ts';
import { fingerprint } from '../plan/fingerprint.ts';
import type { Reason } from '../plan/match-reasons.ts';
import type { DesiredObject, Owner } from '../plan/types.ts';
import type { SecretScope, SecretValue, Secrets } from '../secrets/secrets.ts';
import { stampOf, type Normal, type PassMemory } from './memory.ts';
import { isOwn, NO_OTHERS, resolveReferences, wordOf } from './references.ts';
import type { Pins } from './pass.ts';
import type { OtherObjects, Resolved, Values } from './references.ts';

/** Definitions read and normalised at once. */
const AT_ONCE = 32;

export interface NormalizeContext {
  readonly driver: Pick<Driver, 'normalize' | 'writeOnly' | 'outputs' | 'outputsOf'>;
  readonly platform: string;
  readonly others?: OtherObjects;
  readonly pins?: Pins;
  readonly memory: PassMemory;
  readonly secrets: Secrets;
  readonly secretScope: SecretScope;
  /** The platform's id of an object that this Sync owns. */
  readonly remoteOf: (key: Key) => string | undefined;
}

export interface Normalized {
  readonly objects: ReadonlyMap<Key, DesiredObject>;
  readonly problems: readonly Problem[];
  /** Keys whose content or secrets could not be had: nothing is done to them. */
  readonly unknown: ReadonlySet<Key>;
  /** Values of the outputs that manifests use, by manifest. */
  readonly values: ReadonlyMap<Key, Values>;
}

/** Brings manifests into the driver's normal form and hashes their secrets. One that fails is a problem of its own. */
export async function normalizeAll(
  manifests: Iterable<Manifest>,
  context: NormalizeContext,
  signal: AbortSignal,
): Promise<Normalized> {
  const objects = new Map<Key, DesiredObject>();
  const problems: Problem[] = [];
  const unknown = new Set<Key>();
  const values = new Map<Key, Values>();
  const all = [...manifests];
  const one = async (manifest: Manifest): Promise<void> => {
    signal.throwIfAborted();
    try {
      const resolved = resolveReferences(manifest, { ...resolving, objects, unknown });
      problems.push(...resolved.problems);
      if (resolved.problems.length > 0) unknown.add(manifest.key);
      else {
        if (resolved.values.size > 0) values.set(manifest.key, resolved.values);
        objects.set(manifest.key, await normalizeOne(manifest, { ...context, resolved }, signal));
      }
    } catch (error) {
      signal.throwIfAborted();
      unknown.add(manifest.key);
      problems.push(problemOf(manifest, error));
    }
  };
  const resolving = { ...context, others: context.others ?? NO_OTHERS };
  const queue = all.filter(({ outputReferences }) => outputReferences.length === 0);
  let next = 0;
  const work = async () => {
    for (let manifest = queue[next++]; manifest !== undefined; manifest = queue[next++]) await one(manifest);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, queue.length) }, work));
  if (queue.length < all.length) for (const manifest of afterTheirNeeds(all, context.platform)) await one(manifest);
  return {
    objects: new Map(
      all.flatMap(({ key }) => {
        const object = objects.get(key);
        return object === undefined ? [] : [[key, object]];
      }),
    ),
    problems,
    unknown,
    values,
  };
}

/** Manifests that use outputs, each after those of the same source whose outputs it uses; these never lead in a circle. */
function afterTheirNeeds(manifests: readonly Manifest[], platform: string): readonly Manifest[] {
  const open = new Map(
    manifests.flatMap((one) => (one.outputReferences.length === 0 ? [] : [[one.key, one] as const])),
  );
  const sorted: Manifest[] = [];
  const visit = (manifest: Manifest): void => {
    if (!open.delete(manifest.key)) return;
    for (const reference of manifest.outputReferences) {
      const needed = isOwn(manifest, reference, platform) ? open.get(reference.key) : undefined;
      if (needed !== undefined) visit(needed);
    }
    sorted.push(manifest);
  };
  for (const manifest of open.values()) visit(manifest);
  return sorted;
}

/** The normalised content of one manifest, read anew, with the values of the outputs that it uses. */
export async function contentOf(
  manifest: Manifest,
  {
    driver,
    values,
    pins,
  }: { readonly driver: Pick<Driver, 'normalize'>; readonly values: Values; readonly pins?: Pins },
  signal: AbortSignal,
): Promise<JsonObject> {
  const written = await specOf(manifest, values, signal);
  const spec =
    written['code'] === undefined || pins === undefined ? written : await pins.pin(manifest, written, signal);
  return driver.normalize(manifest.kind, { ...spec, title: manifest.title });
}

/** `Manifest.spec()` with the values of the outputs that it uses. @throws ReconcilerError 'never' when they make no sense there. */
export async function specOf(manifest: Manifest, values: Values, signal: AbortSignal): Promise<JsonObject> {
  const spec = withValues(await manifest.spec(signal), values);
  const { url } = spec;
  if (manifest.kind !== 'Webhook' || values.size === 0 || typeof url !== 'string' || isCallbackUrl(url)) return spec;
  throw new ReconcilerError('spec.url is no http or https URL once its references are replaced', 'never', {
    remedy: 'Refer to an output that is a URL, such as webhookUrl.',
  });
}

export async function secretsOf(
  manifest: Manifest,
  context: Pick<NormalizeContext, 'secrets' | 'secretScope'>,
): Promise<Record<string, SecretValue>> {
  const values: Record<string, SecretValue> = {};
  for (const [name, ref] of Object.entries(manifest.secrets))
    values[name] = await context.secrets.resolve(ref, context.secretScope);
  return values;
}

async function normalizeOne(
  manifest: Manifest,
  context: NormalizeContext & { readonly resolved: Resolved },
  signal: AbortSignal,
): Promise<DesiredObject> {
  const { memory, resolved } = context;
  if (resolved.waits !== undefined) return waitingObject(manifest, resolved.waits);
  let normal = memory.normal.get(manifest.key);
  const stamp = `${stampOf(manifest)}${wordOf(resolved.values)}`;
  if (normal?.manifest !== stamp) {
    const content = await contentOf(manifest, { ...context, values: resolved.values }, signal);
    const outputs = await outputsFor(manifest, content, context, signal);
    normal = { ...normalOf(manifest, { stamp, content, hidden: hiddenIn(manifest, context) }), ...outputs };
    memory.normal.set(manifest.key, normal);
  }
  const values = await secretsOf(manifest, context);
  const hashes = Object.entries(values).map(
    ([name, value]) => [name, value.keyedHash(`${manifest.key}/${name}`)] as const,
  );
  return {
    ...besides(manifest),
    fingerprint: normal.fingerprint,
    secretHashes: { ...normal.hidden, ...Object.fromEntries(hashes) },
    ignore: ignored(manifest, normal.leavesActive, hiddenIn(manifest, context)),
    exclusive: normal.exclusive,
    ...(normal.expiresAt === undefined ? {} : { expiresAt: normal.expiresAt }),
    ...(normal.isCode === undefined ? {} : { isCode: true as const }),
    ...(normal.lock === undefined ? {} : { lock: normal.lock }),
    ...(normal.outputs === undefined ? {} : { outputs: normal.outputs }),
  };
}

/** An object whose content is not known yet. */
function waitingObject(manifest: Manifest, waits: Reason): DesiredObject {
  return { ...besides(manifest), fingerprint: '', secretHashes: {}, ignore: [], exclusive: false, waits };
}

/** What a manifest says besides its content. */
function besides(manifest: Manifest) {
  const { key, kind, title, renamedFrom, dependsOn, origin, annotations } = manifest;
  const adoptFrom = annotations['plumbline.dev/adopt-from'] as Owner | undefined;
  return {
    key,
    kind,
    title,
    renamedFrom,
    dependsOn,
    origin,
    disabled: annotations['plumbline.dev/reconcile'] === 'disabled',
    allowDataLoss: annotations['plumbline.dev/allow-data-loss'] === 'true',
    ...(adoptFrom === undefined ? {} : { adoptFrom }),
  };
}

/** Its outputs; none that holds a secret (law 9). */
async function outputsFor(
  { kind }: Manifest,
  content: JsonObject,
  { driver, secrets }: NormalizeContext,
  signal: AbortSignal,
): Promise<{ readonly outputs?: Outputs }> {
  if (driver.outputsOf === undefined || driver.outputs?.[kind] === undefined) return {};
  const told = Object.entries(await driver.outputsOf(kind, content, signal));
  const isOpen = (text: string): boolean => secrets.redact(text) === text;
  return { outputs: Object.fromEntries(told.filter(([, value]) => [value].flat().every(isOpen))) };
}

interface Read {
  readonly stamp: string;
  readonly content: JsonObject;
  readonly hidden: readonly string[];
}

function normalOf(manifest: Manifest, { stamp, content, hidden }: Read): Normal {
  const leavesActive = manifest.kind === 'Workflow' && content['active'] === undefined;
  const expiresAt = typeof content['expiresAt'] === 'string' ? Date.parse(content['expiresAt']) : undefined;
  return {
    manifest: stamp,
    fingerprint: fingerprint(content, ignored(manifest, leavesActive, hidden)),
    leavesActive,
    exclusive: content['exclusive'] === true,
    ...(manifest.kind === 'Integration' && content['type'] === undefined ? { isCode: true as const } : {}),
    ...lockOf(content),
    hidden: Object.fromEntries(
      hidden.flatMap((pointer) => {
        const value = valueAt(content, partsOf(pointer));
        return value === undefined ? [] : [[`spec${pointer.replaceAll('/', '.')}`, contentHash(value)]];
      }),
    ),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
}

/** What the code of an Integration is locked to, in words. */
function lockOf({ code }: JsonObject): { readonly lock?: string } {
  const [repository, commit] = [valueAt(code, ['repository']), valueAt(code, ['commit'])];
  return typeof commit === 'string' && typeof repository === 'string'
    ? { lock: `commit ${commit} of ${repository}` }
    : {};
}

function hiddenIn({ kind }: Manifest, { driver }: NormalizeContext): readonly string[] {
  return driver.writeOnly?.[kind] ?? [];
}

/** `ignoreFields` point into the spec or, shorter, into the definition. */
function ignored(manifest: Manifest, leavesActive: boolean, hidden: readonly string[]): string[] {
  const pointers = [...hidden, ...manifest.ignoreFields.flatMap((pointer) => [pointer, `/definition${pointer}`])];
  return leavesActive ? [...pointers, '/active'] : pointers;
}

function problemOf(manifest: Manifest, error: unknown): Problem {
  return {
    origin: manifest.origin,
    message: `${manifest.key}: ${messageOf(error)}`,
    remedy:
      (error instanceof ReconcilerError ? error.remedy : undefined) ??
      'Mend it; until then this object is left as it is on the platform.',
    severity: 'error',
    key: manifest.key,
  };
}
