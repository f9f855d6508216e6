import { readFile, readdir, stat } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { ReconcilerError } from '../errors.ts';
import type { Problem } from '../errors.ts';
import { betaFault } from '../drivers/beta.ts';
import { DRIVERS, driverNamed } from '../drivers/index.ts';
import { loadConfiguration } from '../manifest/configuration.ts';
import type { Configured } from '../manifest/configured.ts';
import { API_VERSION } from '../manifest/metadata.ts';
import type { Platform } from '../manifest/platform.ts';
import type { Plugin } from '../manifest/plugin.ts';
import { didYouMean } from '../manifest/suggest.ts';
import type { Sync } from '../manifest/sync.ts';
import { openFolder } from '../plugins/folder.ts';

/** What the configuration says: Platforms, Syncs and Plugins by name. */
export interface Configuration {
  readonly platforms: ReadonlyMap<string, Platform>;
  readonly syncs: ReadonlyMap<string, Sync>;
  readonly plugins: ReadonlyMap<string, Plugin>;
  readonly problems: readonly Problem[];
  /** Folder from which relative paths count. */
  readonly baseDir: string;
  /** Why files are not in force as they are now: what they last said in order is. Only beside custom resources; else all is refused. */
  readonly refused?: readonly Problem[];
  /** Syncs that are custom resources and being deleted; absent where there is no cluster. */
  readonly retiring?: ReadonlyMap<string, RetiringSync>;
}

export interface RetiringSync {
  readonly policy: 'Orphan' | 'Delete';
  /** Where it may own something, whatever the ledger knows. */
  readonly platforms: readonly string[];
}

/**
 * Reads Platforms, Syncs and Plugins from one file, or from every `.yaml`, `.yml` and `.json` below a folder. Whatever is
 * wrong in a text is a problem; all of them are told at once.
 * @throws ReconcilerError 'never' (`configuration-missing`) when there is nothing to read.
 */
export async function readConfiguration(path: string): Promise<Configuration> {
  const root = resolve(path);
  const files = await filesAt(root);
  const texts = await Promise.all(files.map(async (file) => ({ path: file, text: await readFile(file, 'utf8') })));
  const baseDir = files.length === 1 && files[0] === root ? dirname(root) : root;
  const all = loadConfiguration(texts);
  const own = texts.filter((text) => !isOfPlugin(text, all.plugins, baseDir));
  const { platforms, syncs, plugins, problems } = own.length === texts.length ? all : loadConfiguration(own);
  const faults = await pluginProblems(plugins, baseDir);
  return {
    platforms: documents(platforms),
    syncs: documents(syncs),
    plugins: documents(plugins),
    problems: [...problems, ...driverProblems(platforms), ...faults],
    baseDir,
  };
}

export const NOTHING_CONFIGURED = { platforms: new Map(), syncs: new Map(), plugins: new Map(), problems: [] } as const;

/** As `readConfiguration`; nothing is configured when there is nothing to read, as in a cluster where custom resources say all. */
export async function readOptional(path: string): Promise<Configuration> {
  try {
    return await readConfiguration(path);
  } catch (error) {
    if (!(error instanceof ReconcilerError) || error.code !== 'configuration-missing') throw error;
    return { ...NOTHING_CONFIGURED, baseDir: dirname(resolve(path)) };
  }
}

/** What lies in a plugin's folder belongs to its code (a package.json, tables), unless it says that it is Plumbline's. */
function isOfPlugin(
  { path, text }: { readonly path: string; readonly text: string },
  plugins: ReadonlyMap<string, Configured<Plugin>>,
  baseDir: string,
): boolean {
  if (text.includes(API_VERSION)) return false;
  return [...plugins.values()].some(({ document }) => path.startsWith(resolve(baseDir, document.spec.folder) + sep));
}

/** Everything that is wrong with a configuration. @throws ReconcilerError as `readConfiguration` */
export async function configurationProblems(path: string): Promise<readonly Problem[]> {
  return (await readConfiguration(path)).problems;
}

async function filesAt(root: string): Promise<readonly string[]> {
  try {
    if (!(await stat(root)).isDirectory()) return [root];
    const names = await readdir(root, { recursive: true });
    const wanted = names.filter((name) => /\.(?:ya?ml|json)$/.test(name) && !/(?:^|[\\/])\./.test(name));
    return wanted.toSorted().map((name) => join(root, name));
  } catch (cause) {
    throw new ReconcilerError(`There is no configuration at ${root}.`, 'never', {
      cause,
      code: 'configuration-missing',
      remedy: 'Write one (see the README), name another with --config, or try `plumbline demo`.',
    });
  }
}

/** The manifest room reads no folders; here they are looked at. */
async function pluginProblems(
  plugins: ReadonlyMap<string, Configured<Plugin>>,
  baseDir: string,
): Promise<readonly Problem[]> {
  const found = await Promise.all(
    [...plugins].map(async ([name, { document, at }]): Promise<readonly Problem[]> => {
      const { folder, entry } = document.spec;
      try {
        await openFolder({ name, folder, entry, baseDir });
        return [];
      } catch (error) {
        if (!(error instanceof ReconcilerError)) throw error;
        const { message, remedy = '' } = error;
        return [{ origin: at(['spec', 'folder']), message, remedy, severity: 'error', key: `Plugin/${name}` }];
      }
    }),
  );
  return found.flat();
}

/** The manifest room knows no drivers; here they are known. */
function driverProblems(platforms: ReadonlyMap<string, Configured<Platform>>): readonly Problem[] {
  const names = DRIVERS.map(({ name }) => name);
  return [...platforms].flatMap(([name, { document, origin, at }]): readonly Problem[] => {
    const { driver, hosted, beta } = document.spec;
    const about = { origin, severity: 'error', key: `Platform/${name}` } as const;
    if (!names.includes(driver)) {
      const remedy = didYouMean(driver, names, `There are ${names.join(', ')}.`);
      return [{ ...about, message: `there is no driver ${driver}.`, remedy }];
    }
    const fault = betaFault(driverNamed(driver), beta);
    if (fault !== undefined) {
      const { message, remedy } = fault;
      return [{ ...about, origin: at(['spec', 'beta', String(fault.at)]), message, remedy }];
    }
    if (hosted === undefined || driver === 'node-red') return [];
    return [{ ...about, message: `Plumbline cannot host a ${driver} itself.`, remedy: 'Give spec.url instead.' }];
  });
}

function documents<T>(configured: ReadonlyMap<string, Configured<T>>): ReadonlyMap<string, T> {
  return new Map([...configured].map(([name, { document }]) => [name, document]));
}
