import { apiVersionOf } from '../../kube/object.ts';
import type { KubeObject, Resource } from '../../kube/object.ts';
import { labelValue } from '../../kube/installation.ts';
import { namespaceOf } from '../../manifest/cluster-name.ts';
import { KINDS } from '../../manifest/manifest.ts';
import { MIRROR_TEXT, mirrorName } from '../../manifest/mirror.ts';
import { resourceOf } from '../../manifest/resources.ts';
import { NAME_PATTERN } from '../../manifest/slug.ts';
import type { PassReport } from '../../report/pass-report.ts';
import type { InventoryEntry } from '../../report/status.ts';
import { MIRROR_LABEL } from '../../source/cluster.ts';
import type { Stand } from './conditions.ts';
import { localOf } from './names.ts';
import { standsOf } from './stands.ts';

/** An object that shows how another one stands on a platform. */
export interface Mirror {
  readonly resource: Resource;
  /** All of it but its status. */
  readonly object: KubeObject;
  readonly stand: Stand;
  /** Its status beside the conditions. */
  readonly details: Readonly<Record<string, string>>;
}

export interface Mirrors {
  readonly shown: readonly Mirror[];
  /** Objects beyond the cap. */
  readonly left: number;
}

export interface MirrorsWanted {
  /** The Sync as it stands in the cluster. */
  readonly sync: KubeObject;
  readonly installation: string;
  /** What it owns there. */
  readonly inventory: readonly InventoryEntry[];
  readonly maxObjects: number;
  /** For what people wrote; names are not secret. */
  readonly redact: (text: string) => string;
}

const SYNC_LABEL = 'plumbline.dev/sync';
const NOTE = 'plumbline.dev/mirror';
const AS_GIT_SAYS: Stand = { state: 'ready', reason: 'Synced', message: 'It stands on the platform as git says.' };

interface Shown extends Pick<InventoryEntry, 'key' | 'title'>, Partial<Omit<InventoryEntry, 'key' | 'title'>> {
  readonly stand: Stand;
}

/**
 * Mirrors of what a Sync owns on a platform, and of what it means to create there and cannot, after a pass that could look. No definitions and no
 * settings are in them: only names, and how things stand.
 */
export function mirrorsOf(report: PassReport, { inventory, maxObjects, ...about }: MirrorsWanted): Mirrors {
  const stands = standsOf(report, ({ key }) => key);
  const owned = inventory.map((entry): Shown => ({ ...entry, stand: stands.get(entry.key) ?? driftOf(entry) }));
  const known = new Set<string>(inventory.map(({ key }) => key));
  const titles = new Map(titlesIn(report));
  const missing = [...stands].flatMap(([key, stand]): readonly Shown[] => {
    if (known.has(key) || !NAME_PATTERN.test(nameIn(key)) || titles.get(key) === undefined) return [];
    return [{ key, title: titles.get(key) ?? nameIn(key), stand }];
  });
  const all = [...missing, ...owned].toSorted(
    (a, b) => Number(a.stand.state === 'ready') - Number(b.stand.state === 'ready') || (a.key < b.key ? -1 : 1),
  );
  const shown = all.slice(0, maxObjects).flatMap((one) => mirrorOf(one, report.platform, about));
  return { shown, left: Math.max(0, all.length - maxObjects) };
}

/** What is not there although it should be: what is withheld or failed as a creation, and manifests that are wrong. */
function* titlesIn({ plan, outcomes, problems }: PassReport): Iterable<[string, string]> {
  for (const { key, severity } of problems) if (key !== undefined && severity === 'error') yield [key, nameIn(key)];
  for (const { change } of [...(plan?.withheld ?? []), ...outcomes])
    if (change.verb === 'create' || change.verb === 'adopt') yield [change.key, change.title];
}

function driftOf({ driftSince }: InventoryEntry): Stand {
  if (driftSince === undefined) return AS_GIT_SAYS;
  const message = `It was changed on the platform, seen first at ${driftSince}. "plumbline diff" shows how.`;
  return { state: 'going-on', reason: 'Drifted', message };
}

function mirrorOf(
  { key, title, remote, revision, stand }: Shown,
  on: string,
  about: Omit<MirrorsWanted, 'inventory' | 'maxObjects'>,
): readonly Mirror[] {
  const kind = KINDS.find((one) => key.startsWith(`${one}/`));
  if (kind === undefined) return [];
  const { apiVersion, metadata } = about.sync;
  const { name: sync, namespace = '', uid = '' } = metadata;
  const platform = localOf(on);
  const home = namespaceOf(on) ?? namespace;
  const shows = { name: nameIn(key), sync, platform, ...(home === namespace ? {} : { platformNamespace: home }) };
  const resource = resourceOf(kind);
  const object: KubeObject = {
    apiVersion: apiVersionOf(resource),
    kind,
    metadata: {
      name: mirrorName(shows),
      namespace,
      labels: { [MIRROR_LABEL]: labelValue(about.installation), [SYNC_LABEL]: sync },
      annotations: {
        [NOTE]: `Shows how ${key} of the Sync ${sync} stands on ${platform}. Plumbline writes it and sets it right; change the object in git.`,
      },
      ownerReferences: [{ apiVersion, kind: 'Sync', name: sync, uid }],
    },
    mirror: { ...shows, title: cut(about.redact(title)) },
  };
  const details = {
    sync,
    platform,
    ...(remote === undefined ? {} : { remote }),
    ...(revision === undefined ? {} : { revision }),
  };
  return [{ resource, object, stand, details }];
}

function cut(text: string): string {
  return text.length > MIRROR_TEXT ? `${text.slice(0, MIRROR_TEXT - 1)}…` : text;
}

function nameIn(key: string): string {
  return key.slice(key.indexOf('/') + 1);
}
