import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ReconcilerError } from '../errors.ts';
import type { IntegrationRuns } from '../manifest/integration.ts';
import { exclusively } from '../source/exclusive.ts';
import { GitSource } from '../source/git.ts';
import { commitOf } from '../source/git-commit.ts';
import type { GitSourceConfig } from '../source/git-config.ts';
import type { AllowedRepository } from './terms.ts';

export interface CodeStoreOptions {
  /** Folder of its own. */
  readonly dir: string;
  /** The program's environment, of which git gets what it needs. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

type Code = IntegrationRuns['code'];

/** What bounds one repository's code: bytes of a file, files, and bytes altogether. */
const LIMITS = { maxFileBytes: 5_000_000, maxFiles: 5_000 };
const LARGEST = 50_000_000;

/**
 * Code of Integrations on this machine, one folder per commit. It comes through the git source: no work tree is checked out, so that
 * links, hooks, filters and submodules of a repository have no occasion to act.
 */
export class CodeStore {
  readonly #options: CodeStoreOptions;

  constructor(options: CodeStoreOptions) {
    this.#options = options;
  }

  /** The commit that the ref leads to now. @throws ReconcilerError as `commitOf` */
  async resolve(code: Code, allowed: AllowedRepository, signal: AbortSignal): Promise<string> {
    const { dir, environment } = this.#options;
    return commitOf(
      { ...configOf(code, allowed), ref: gitRefOf(code.ref) },
      { cacheDir: join(dir, 'git'), environment },
      signal,
    );
  }

  /**
   * The folder with the code at one commit, fetched when it is not here.
   * @throws ReconcilerError as a git source, and 'never' (`code-unusable`) when the entry is not in it or it is too large
   */
  async open(
    code: Code & { readonly commit: string },
    allowed: AllowedRepository,
    signal: AbortSignal,
  ): Promise<string> {
    const folder = this.#folderOf(code);
    await exclusively(folder, async () => {
      if (!existsSync(folder)) await this.#fetch(folder, code, allowed, signal);
    });
    if (existsSync(join(folder, code.entry))) return folder;
    throw unusable(
      `has no file ${below(code.path, code.entry)}`,
      code,
      'Commit it, or correct spec.code.path and spec.code.entry.',
    );
  }

  /** Removes what none of these runs. */
  async tidy(used: readonly (Code & { readonly commit: string })[]): Promise<void> {
    const keep = new Set(used.map((code) => this.#folderOf(code)));
    const home = join(this.#options.dir, 'code');
    for (const repository of await readdir(home).catch(() => [])) {
      for (const commit of await readdir(join(home, repository)).catch(() => [])) {
        const folder = join(home, repository, commit);
        // What is being fetched has a dot in its name, and looks after itself.
        if (!keep.has(folder) && !commit.includes('.')) await rm(folder, { recursive: true, force: true });
      }
    }
  }

  #folderOf({ repository, path, commit }: Code & { readonly commit: string }): string {
    const name = createHash('sha256')
      .update(JSON.stringify([repository, path]))
      .digest('hex')
      .slice(0, 24);
    return join(this.#options.dir, 'code', name, commit);
  }

  /** Built aside and moved into place: half of a commit never runs. */
  async #fetch(
    folder: string,
    code: Code & { readonly commit: string },
    allowed: AllowedRepository,
    signal: AbortSignal,
  ) {
    const building = `${folder}.building`;
    const mirror = `${folder}.git`;
    await rm(building, { recursive: true, force: true });
    try {
      const config = { ...configOf(code, allowed), ref: { commit: code.commit } };
      const { environment } = this.#options;
      const source = new GitSource(config, { cacheDir: mirror, environment, limits: LIMITS });
      const snapshot = await source.read(signal);
      const bytes = snapshot.files.reduce((sum, { size }) => sum + size, 0);
      if (bytes > LARGEST)
        throw unusable(
          `has ${bytes} bytes, more than ${LARGEST}`,
          code,
          'Keep the code in a folder of its own, and name it in spec.code.path.',
        );
      await mkdir(building, { recursive: true, mode: 0o700 });
      for await (const file of snapshot.read(
        snapshot.files.map(({ path }) => path),
        signal,
      )) {
        const target = join(building, file.path);
        await mkdir(dirname(target), { recursive: true, mode: 0o700 });
        await writeFile(target, file.bytes, { mode: 0o600, flag: 'wx' });
      }
      await rename(building, folder);
    } finally {
      await rm(building, { recursive: true, force: true });
      await rm(mirror, { recursive: true, force: true });
    }
  }
}

function configOf({ repository, path }: Code, { auth, caFile }: AllowedRepository): Omit<GitSourceConfig, 'ref'> {
  return {
    url: repository,
    path,
    ...(auth === undefined ? {} : { auth }),
    ...(caFile === undefined ? {} : { caFile }),
  };
}

/** A ref of a manifest as the git source takes it. */
export function gitRefOf({ tag, commit, semver, branch }: Code['ref']): GitSourceConfig['ref'] {
  if (tag !== undefined) return { tag };
  if (commit !== undefined) return { commit };
  return semver === undefined ? { branch: branch ?? 'main' } : { semver };
}

function below(path: string, file: string): string {
  return path === '' ? file : `${path}/${file}`;
}

function unusable(what: string, { repository, commit }: Code, remedy: string): ReconcilerError {
  const message = `The code at ${(commit ?? '').slice(0, 12)} of ${repository} ${what}.`;
  return new ReconcilerError(message, 'never', { code: 'code-unusable', remedy });
}
