import { join, resolve } from 'node:path';
import { ReconcilerError } from '../errors.ts';
import type { Sync } from '../manifest/sync.ts';
import type { Metrics } from '../report/metrics.ts';
import type { SecretRef, SecretScope, Secrets } from '../secrets/secrets.ts';
import { FolderSource } from '../source/folder.ts';
import { GitSource } from '../source/git.ts';
import type { GitSourceConfig } from '../source/git-config.ts';
import type { Snapshot, Source } from '../source/source.ts';

export interface SourceParts {
  readonly stateDir: string;
  /** Folder of the configuration: relative paths count from there. */
  readonly baseDir: string;
  readonly secrets: Secrets;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** The source that a Sync names. @throws ReconcilerError 'never' (`source-config`) when it is unsafe or incomplete. */
export function sourceOf({ spec }: Sync, parts: SourceParts): Source {
  const { git, folder } = spec.source;
  if (git === undefined) return new FolderSource(resolve(parts.baseDir, folder?.path ?? '.'));
  const scope: SecretScope = { kind: 'configuration', baseDir: parts.baseDir };
  const reader = (reference: { readonly valueFrom: SecretRef }) => async (): Promise<string> =>
    (await parts.secrets.resolve(reference.valueFrom, scope)).reveal();
  const { token, username, sshKey, knownHosts } = git.auth;
  const config: GitSourceConfig = {
    url: git.url,
    ref: refOf(git.ref),
    path: git.path,
    ...(git.caFile === undefined ? {} : { caFile: resolve(parts.baseDir, git.caFile) }),
    auth: {
      ...(username === undefined ? {} : { username }),
      ...(token === undefined ? {} : { token: reader(token) }),
      ...(sshKey === undefined ? {} : { sshKey: reader(sshKey) }),
      ...(knownHosts === undefined ? {} : { knownHosts: knownHostsOf(knownHosts, parts.baseDir) }),
    },
  };
  return new GitSource(config, { cacheDir: join(parts.stateDir, 'sources'), environment: parts.environment });
}

/** Which of a source's servers is read: Syncs that share one wait for each other there, and for nobody else. */
export function laneOf({ spec }: Sync): string {
  const url = spec.source.git?.url;
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
