import { join, resolve } from 'node:path';
import { ReconcilerError } from '../errors.ts';
import { namespaceOf } from '../manifest/cluster-name.ts';
import type { GitAuth } from '../manifest/git.ts';
import type { Sync } from '../manifest/sync.ts';
import type { Metrics } from '../report/metrics.ts';
import type { SecretRef, Secrets } from '../secrets/secrets.ts';
import { FolderSource } from '../source/folder.ts';
import { GitSource } from '../source/git.ts';
import type { GitSourceConfig } from '../source/git-config.ts';
import type { Snapshot, Source } from '../source/source.ts';
import { ownScopeOf } from './targets.ts';

export interface SourceParts {
  readonly stateDir: string;
  /** Folder of the configuration: relative paths count from there. */
  readonly baseDir: string;
  readonly secrets: Secrets;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Custom resources of one namespace with these labels; absent outside of a cluster. */
  readonly customResources?: CustomResources;
}

export type CustomResources = (namespace: string, labels: Readonly<Record<string, string>>) => Source;

/** The source that a Sync names. @throws ReconcilerError 'never' (`source-config`) when it is unsafe or incomplete. */
export function sourceOf({ metadata, spec }: Sync, parts: SourceParts): Source {
  const { git, folder, cluster } = spec.source;
  if (cluster !== undefined) return clusterSource(metadata.name, cluster.matchLabels, parts);
  if (git === undefined) return new FolderSource(resolve(parts.baseDir, folder?.path ?? '.'));
  const config: GitSourceConfig = {
    url: git.url,
    ref: refOf(git.ref),
    path: git.path,
    ...gitAccessOf(metadata.name, git, parts),
  };
  // What one namespace may read another must not find in a shared cache.
  const cacheDir = join(parts.stateDir, 'sources', namespaceOf(metadata.name) ?? '');
  return new GitSource(config, { cacheDir, environment: parts.environment });
}

/** With what a repository is read that the Sync of this name is configured with. */
export function gitAccessOf(
  sync: string,
  { auth, caFile }: { readonly auth: GitAuth; readonly caFile?: string | undefined },
  parts: Pick<SourceParts, 'baseDir' | 'secrets'>,
): Pick<GitSourceConfig, 'auth' | 'caFile'> {
  const scope = ownScopeOf(sync, parts.baseDir);
  const reader = (reference: { readonly valueFrom: SecretRef }) => async (): Promise<string> =>
    (await parts.secrets.resolve(reference.valueFrom, scope)).reveal();
  const { token, username, sshKey, knownHosts } = auth;
  return {
    ...(caFile === undefined ? {} : { caFile: resolve(parts.baseDir, caFile) }),
    auth: {
      ...(username === undefined ? {} : { username }),
      ...(token === undefined ? {} : { token: reader(token) }),
      ...(sshKey === undefined ? {} : { sshKey: reader(sshKey) }),
      ...(knownHosts === undefined ? {} : { knownHosts: knownHostsOf(knownHosts, parts.baseDir) }),
    },
  };
}

function clusterSource(sync: string, labels: Readonly<Record<string, string>>, parts: SourceParts): Source {
  const namespace = namespaceOf(sync);
  if (namespace !== undefined && parts.customResources !== undefined) return parts.customResources(namespace, labels);
  throw new ReconcilerError(`The Sync ${sync} reads custom resources and is none itself.`, 'never', {
    code: 'source-config',
    remedy: 'Make the Sync a custom resource of the namespace whose objects it is to read.',
  });
}

/** The source that `open` gives; one that throws the same at each reading when it throws. */
export function orUnusable(open: () => Source): Source {
  try {
    return open();
  } catch (error) {
    return {
      description: 'a source that cannot be used',
      accept: () => undefined,
      watch: () => ({ [Symbol.asyncDispose]: async () => undefined }),
      read: () => Promise.reject(error instanceof Error ? error : new Error(String(error))),
    };
  }
}

/** Which of a source's servers is read: Syncs that share one wait for each other there, and for nobody else. */
export function laneOf({ spec }: Sync): string {
  const url = spec.source.git?.url;
  if (spec.source.cluster !== undefined) return 'cluster';
  if (url === undefined) return `folder ${spec.source.folder?.path ?? ''}`;
  return URL.parse(url)?.host || url;
}

function refOf({
  branch,
  tag,
  commit,
  semver,
}: NonNullable<Sync['spec']['source']['git']>['ref']): GitSourceConfig['ref'] {
  if (tag !== undefined) return { tag };
  if (commit !== undefined) return { commit };
  return semver === undefined ? { branch: branch ?? 'main' } : { semver };
}

function knownHostsOf(
  knownHosts: { text?: string | undefined; file?: string | undefined },
  baseDir: string,
): { readonly text: string } | { readonly file: string } {
  return knownHosts.text === undefined ? { file: resolve(baseDir, knownHosts.file ?? '') } : { text: knownHosts.text };
}

/** Reads through to `source`, and counts. */
export function measured(source: Source, sync: string, metrics: Metrics): Source {
  return {
    description: source.description,
    accept: (revision) => source.accept(revision),
    watch: (onChange) => source.watch(onChange),
    read: async (signal, moved) => {
      const start = performance.now();
      const told = (result: 'fresh' | 'stale' | 'failed'): void =>
        metrics.sourceRead(sync, result, (performance.now() - start) / 1000);
      try {
        const snapshot = await source.read(signal, moved);
        told(snapshot.stale === undefined ? 'fresh' : 'stale');
        return snapshot;
      } catch (error) {
        told('failed');
        throw error;
      }
    },
  };
}

/** A source that gives what was read already, so that reading took none of the platform's turn. */
export function alreadyRead(source: Source, reading: Promise<Snapshot>): Source {
  return {
    description: source.description,
    accept: (revision) => source.accept(revision),
    watch: (onChange) => source.watch(onChange),
    read: () => reading,
  };
}

/** The source of a Sync that is gone: it wants nothing. */
export const NOTHING: Source = {
  description: 'nothing, because the Sync was removed',
  accept: () => undefined,
  watch: () => ({ [Symbol.asyncDispose]: async () => undefined }),
  read: async () => ({
    revision: 'removed',
    files: [],
    problems: [],
    // oxlint-disable-next-line eslint/require-yield
    async *read(paths) {
      if (paths.length > 0) throw new ReconcilerError('There is nothing to read.', 'never');
    },
    lastCommits: async () => new Map(),
  }),
};
