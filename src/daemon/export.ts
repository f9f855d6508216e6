import { stringify } from 'yaml';
import { ReconcilerError } from '../errors.ts';
import type { Driver } from '../drivers/driver.ts';
import { KINDS, type JsonObject, type Kind } from '../manifest/manifest.ts';
import { API_VERSION } from '../manifest/metadata.ts';
import { SCHEMAS } from '../manifest/schemas.ts';
import type { RemoteObject } from '../plan/types.ts';

/** One file of an exported repository; the path uses forward slashes. */
export interface ExportedFile {
  readonly path: string;
  readonly text: string;
}

export interface ExportResult {
  readonly platform: string;
  readonly files: readonly ExportedFile[];
  /** How many objects of each kind were written. */
  readonly counts: Readonly<Record<string, number>>;
  /** Secrets that the platform holds and shows to nobody: to be supplied by whoever wants git to keep them. */
  readonly secrets: readonly { readonly object: string; readonly names: readonly string[] }[];
  /** Kinds that could not be listed whole, and why. */
  readonly incomplete: readonly { readonly kind: Kind; readonly because: string }[];
  /** Objects that no manifest can describe (a user of settings.js, who has no role), and why. */
  readonly leftOut: readonly { readonly object: string; readonly because: string }[];
}

const ALL_VALUES = 'its values';

const FOLDER: Record<Kind, string> = {
  Application: 'applications',
  AccessRole: 'access',
  Integration: 'integrations',
  Workflow: 'workflows',
  AccessGrant: 'access',
  Webhook: 'webhooks',
  ServiceLevel: 'service-levels',
};

/**
 * Writes what is on a platform as a repository: one small manifest per object, definitions beside it, stable names, no
 * ids, no secrets. Planned against the platform it came from it gives no change but adoptions (law 2).
 * @throws ReconcilerError when the driver cannot export or the platform cannot be read.
 */
export async function exportPlatform(platform: string, driver: Driver, signal: AbortSignal): Promise<ExportResult> {
  if (driver.toManifest === undefined) {
    throw new ReconcilerError(`the ${driver.name} driver cannot export`, 'never', {
      remedy: 'Write the manifests by hand and adopt with "adopt: matching".',
    });
  }
  const { capabilities } = await driver.probe(signal);
  const kinds = KINDS.filter((kind) =>
    Object.values(capabilities[kind]).some((support) => typeof support === 'string'),
  );
  const names = new Names();
  const files: ExportedFile[] = [];
  const counts: Record<string, number> = {};
  const secrets: { object: string; names: string[] }[] = [];
  const incomplete: { kind: Kind; because: string }[] = [];
  const leftOut: { object: string; because: string }[] = [];
  for await (const item of driver.observe({ kinds }, signal)) {
    if ('listed' in item) {
      if (!item.complete)
        incomplete.push({ kind: item.listed, because: item.because ?? 'the platform did not list everything' });
      continue;
    }
    const manifest = accepted(item.kind, driver.toManifest(item));
    if ('because' in manifest) {
      leftOut.push({ object: `${item.kind} "${item.title}"`, because: manifest.because });
      continue;
    }
    const name = names.take(item.kind, manifest.name);
    const set = keptBack(item, driver);
    if (set.length > 0) secrets.push({ object: `${item.kind}/${name}`, names: set });
    counts[item.kind] = (counts[item.kind] ?? 0) + 1;
    files.push(...filesOf({ ...manifest, name }, item, set));
  }
  return { platform, files, counts, secrets, incomplete, leftOut };
}

type Exported = ReturnType<NonNullable<Driver['toManifest']>>;

/**
 * A manifest as its schema takes it. A normal form has fields that nobody may write (the title of a grant), and a platform has
 * objects that no manifest can describe; what is exported must be read again without a problem (law 2).
 */
function accepted(kind: Kind, exported: Exported): Exported | { readonly because: string } {
  let { spec } = exported;
  for (const issue of issuesOf(kind, { ...exported, spec })) {
    if (issue.code !== 'unrecognized_keys' || issue.path.join() !== 'spec') continue;
    spec = Object.fromEntries(Object.entries(spec).filter(([field]) => !issue.keys.includes(field)));
  }
  const [issue] = issuesOf(kind, { ...exported, spec });
  return issue === undefined
    ? { ...exported, spec }
    : { because: `it has no ${issue.path.join('.')} that a manifest could say` };
}

function issuesOf(kind: Kind, exported: Exported) {
  return SCHEMAS[kind].safeParse(documentOf(kind, exported)).error?.issues ?? [];
}

function documentOf(kind: Kind, { name, spec, definition }: Exported): JsonObject {
  const whole: JsonObject = definition === undefined ? spec : { ...spec, definitionFrom: { file: `${name}.json` } };
  return { apiVersion: API_VERSION, kind, metadata: { name }, spec: whole };
}

/** Names of what the platform holds of an object and does not show; where it does not even tell names, all of it. */
function keptBack({ kind, secretsSet }: RemoteObject, { writeOnly }: Driver): string[] {
  if (secretsSet === undefined) return writeOnly?.[kind]?.includes('/settings') === true ? [ALL_VALUES] : [];
  return Object.entries(secretsSet).flatMap(([secret, isSet]) => (isSet ? [secret] : []));
}

function filesOf(manifest: Exported, { kind }: RemoteObject, secrets: readonly string[]): ExportedFile[] {
  const folder = FOLDER[kind];
  const { name, definition } = manifest;
  const file = `${name}.json`;
  const place: Partial<Record<Kind, string>> = {
    AccessGrant: 'a password to each subject',
    Webhook: 'spec.secret with its valueFrom in place of ignoreFields',
  };
  const usual = secrets.includes(ALL_VALUES)
    ? 'spec.settings, and spec.secrets with a valueFrom for each'
    : 'spec.secrets with a valueFrom for each';
  const hint =
    secrets.length === 0
      ? ''
      : `# The platform keeps ${secrets.join(', ')} to itself. To have git keep it, add ${place[kind] ?? usual}.\n`;
  const text = hint + stringify(documentOf(kind, manifest), { lineWidth: 120 });
  const base = kind === 'AccessGrant' ? `${folder}/grant-${name}` : `${folder}/${name}`;
  return [
    { path: `${base}.yaml`, text },
    ...(definition === undefined ? [] : [{ path: `${folder}/${file}`, text: definition.text }]),
  ];
}

/** Names that are free within their kind: a second "orders" becomes "orders-2". */
class Names {
  readonly #taken = new Set<string>();

  take(kind: Kind, wanted: string): string {
    for (let count = 1; ; count += 1) {
      const name = count === 1 ? wanted : `${wanted.slice(0, 58)}-${count}`;
      if (this.#taken.has(`${kind}/${name}`)) continue;
      this.#taken.add(`${kind}/${name}`);
      return name;
    }
  }
}
