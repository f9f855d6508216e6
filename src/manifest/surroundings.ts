import type { JsonValue } from './manifest.ts';
import type { ConfigurationKind } from './schemas.ts';
import { isObject, spell, valueAt } from './pointer.ts';
import type { Flaw } from './problems.ts';

/** Where configuration is written: in files beside the daemon, or as custom resources of a cluster. */
export type Surroundings = 'files' | 'cluster';

interface Place {
  readonly kind: ConfigurationKind;
  readonly path: readonly string[];
  readonly remedy: string;
}

const ONLY_IN_CLUSTER: readonly Place[] = [
  place('Sync', 'spec.source.cluster', 'Use git or folder, or make the Sync a custom resource.'),
  place('Sync', 'spec.platformNamespace', 'Remove it: Platforms in files have no namespace.'),
  place('Sync', 'spec.mirror', 'Remove it, or make the Sync a custom resource.'),
  place('Sync', 'spec.secrets.names', 'Use spec.secrets.env or spec.secrets.dir.'),
  place('Platform', 'spec.allowedNamespaces', 'Remove it: Syncs in files have no namespace.'),
];
const ONLY_IN_FILES: readonly Place[] = [
  place('Sync', 'spec.source.folder', 'Use git or cluster: folders are those of the machine that the daemon runs on.'),
  place('Sync', 'spec.source.git.auth.knownHosts.file', 'Write the lines into spec.source.git.auth.knownHosts.text.'),
  place('Sync', 'spec.secrets.env', 'Use spec.secrets.names: variables are those of the daemon.'),
  place('Sync', 'spec.secrets.dir', 'Use spec.secrets.names: files are those of the daemon.'),
  place(
    'Sync',
    'spec.code',
    "Configure the Sync in a file: code runs in the daemon's own pod, which is no namespace's.",
  ),
  place('Platform', 'spec.hosted', 'Run the platform as a workload of the cluster, and give spec.url.'),
];

/**
 * What a document says that has no meaning where it is written, or that would reach what belongs to somebody else there: nothing is
 * accepted and then ignored, and a custom resource gets at nothing of the daemon's own.
 */
export function outOfPlace(kind: ConfigurationKind, document: JsonValue, surroundings: Surroundings): readonly Flaw[] {
  const [places, where] =
    surroundings === 'files' ? [ONLY_IN_CLUSTER, 'a configuration file'] : [ONLY_IN_FILES, 'a custom resource'];
  const flaws = places
    .filter((one) => one.kind === kind && valueAt(document, one.path) !== undefined)
    .map(({ path, remedy }) => ({ path, message: `${spell(path)} has no meaning in ${where}.`, remedy }));
  const url = valueAt(document, ['spec', 'source', 'git', 'url']);
  if (surroundings === 'cluster' && typeof url === 'string' && !/^(https?|ssh):\/\/|^[^/:]+@[^/:]+:/i.test(url)) {
    const remedy = 'Use https or ssh: a file URL is one of the machine that the daemon runs on.';
    flaws.push({
      path: ['spec', 'source', 'git', 'url'],
      message: 'spec.source.git.url is no https or ssh URL.',
      remedy,
    });
  }
  if (valueAt(document, ['spec', 'source', 'cluster']) !== undefined && valueAt(document, MIRROR) !== undefined) {
    const remedy = 'Remove it: each custom resource of source.cluster has a status of its own.';
    flaws.push({ path: MIRROR, message: 'spec.mirror has no meaning beside spec.source.cluster.', remedy });
  }
  return [...flaws, ...foreignReferences(document, surroundings, [])];
}

const MIRROR = ['spec', 'mirror'];

function foreignReferences(value: JsonValue, surroundings: Surroundings, path: readonly string[]): readonly Flaw[] {
  if (Array.isArray(value)) {
    return value.flatMap((item: JsonValue, index) => foreignReferences(item, surroundings, [...path, String(index)]));
  }
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([name, field]): readonly Flaw[] => {
    const at = [...path, name];
    if (name !== 'valueFrom' || !isObject(field)) return foreignReferences(field, surroundings, at);
    const wrong = surroundings === 'files' ? ['secretKeyRef'] : ['env', 'file'];
    return wrong
      .filter((source) => field[source] !== undefined)
      .map((source) => ({
        path: [...at, source],
        message:
          surroundings === 'files'
            ? `${spell([...at, source])} has no meaning in a configuration file.`
            : `${spell([...at, source])} refers to what is the daemon's own.`,
        remedy:
          surroundings === 'files' ? 'Use env or file.' : "Use secretKeyRef with a Secret of this object's namespace.",
      }));
  });
}

function place(kind: ConfigurationKind, path: string, remedy: string): Place {
  return { kind, path: path.split('.'), remedy };
}
