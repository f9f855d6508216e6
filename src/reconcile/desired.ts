import { ReconcilerError, messageOf, type Problem } from '../errors.ts';
import type { Driver } from '../drivers/driver.ts';
import { contentHash } from '../manifest/canonical.ts';
import type { JsonObject, Key, Manifest } from '../manifest/manifest.ts';
import { partsOf, valueAt } from '../manifest/pointer.ts';
import { fingerprint } from '../plan/fingerprint.ts';
import type { DesiredObject, Owner } from '../plan/types.ts';
import type { SecretScope, SecretValue, Secrets } from '../secrets/secrets.ts';
import { stampOf, type Normal, type PassMemory } from './memory.ts';

/** Definitions read and normalised at once. */
const AT_ONCE = 32;

export interface NormalizeContext {
  readonly driver: Pick<Driver, 'normalize' | 'writeOnly'>;
  readonly memory: PassMemory;
  readonly secrets: Secrets;
  readonly secretScope: SecretScope;
}

export interface Normalized {
  readonly objects: ReadonlyMap<Key, DesiredObject>;
  readonly problems: readonly Problem[];
  /** Keys whose content or secrets could not be had: nothing is done to them. */
  readonly unknown: ReadonlySet<Key>;
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
  const queue = [...manifests];
  let next = 0;
  const work = async () => {
    for (let manifest = queue[next++]; manifest !== undefined; manifest = queue[next++]) {
      signal.throwIfAborted();
      try {
        objects.set(manifest.key, await normalizeOne(manifest, context, signal));
      } catch (error) {
        signal.throwIfAborted();
        unknown.add(manifest.key);
        problems.push(problemOf(manifest, error));
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, queue.length) }, work));
  return {
    objects: new Map(
      queue.flatMap(({ key }) => {
        const object = objects.get(key);
        return object === undefined ? [] : [[key, object]];
      }),
    ),
    problems,
    unknown,
  };
}

/** The normalised content of one manifest, read anew. */
export async function contentOf(
  manifest: Manifest,
  driver: Pick<Driver, 'normalize'>,
  signal: AbortSignal,
): Promise<JsonObject> {
  const spec = await manifest.spec(signal);
  return driver.normalize(manifest.kind, { ...spec, title: manifest.title });
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
  context: NormalizeContext,
  signal: AbortSignal,
): Promise<DesiredObject> {
  const { memory } = context;
  let normal = memory.normal.get(manifest.key);
  const stamp = stampOf(manifest);
  if (normal?.manifest !== stamp) {
    const content = await contentOf(manifest, context.driver, signal);
    normal = normalOf(manifest, { stamp, content, hidden: hiddenIn(manifest, context) });
    memory.normal.set(manifest.key, normal);
  }
  const values = await secretsOf(manifest, context);
  const hashes = Object.entries(values).map(
    ([name, value]) => [name, value.keyedHash(`${manifest.key}/${name}`)] as const,
  );
  const adoptFrom = manifest.annotations['plumbline.dev/adopt-from'] as Owner | undefined;
  return {
    key: manifest.key,
    kind: manifest.kind,
    title: manifest.title,
    fingerprint: normal.fingerprint,
    secretHashes: { ...normal.hidden, ...Object.fromEntries(hashes) },
    renamedFrom: manifest.renamedFrom,
    dependsOn: manifest.dependsOn,
    origin: manifest.origin,
    ignore: ignored(manifest, normal.leavesActive, hiddenIn(manifest, context)),
    disabled: manifest.annotations['plumbline.dev/reconcile'] === 'disabled',
    allowDataLoss: manifest.annotations['plumbline.dev/allow-data-loss'] === 'true',
    exclusive: normal.exclusive,
    ...(normal.expiresAt === undefined ? {} : { expiresAt: normal.expiresAt }),
    ...(adoptFrom === undefined ? {} : { adoptFrom }),
  };
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
    hidden: Object.fromEntries(
      hidden.flatMap((pointer) => {
        const value = valueAt(content, partsOf(pointer));
        return value === undefined ? [] : [[`spec${pointer.replaceAll('/', '.')}`, contentHash(value)]];
      }),
    ),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
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
