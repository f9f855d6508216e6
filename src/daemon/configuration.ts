import { readFile, readdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { ReconcilerError } from '../errors.ts';
import type { Problem } from '../errors.ts';
import { DEFAULT_LIMITS } from '../manifest/limits.ts';
import type { JsonValue } from '../manifest/manifest.ts';
import { pointerOf, valueAt } from '../manifest/pointer.ts';
import type { Platform } from '../manifest/platform.ts';
import { check } from '../manifest/problems.ts';
import { didYouMean } from '../manifest/suggest.ts';
import type { Sync } from '../manifest/sync.ts';
import { parseTrees } from '../manifest/yaml-tree.ts';
import type { Tree } from '../manifest/yaml-tree.ts';
import { crossCheck } from './configuration-check.ts';

/** What the configuration says: Platforms and Syncs by name. */
export interface Configuration {
  readonly platforms: ReadonlyMap<string, Platform>;
  readonly syncs: ReadonlyMap<string, Sync>;
  readonly problems: readonly Problem[];
  /** Folder from which relative paths count. */
  readonly baseDir: string;
}

/** One document that passed its schema, with the way to the places of its values. */
export interface Entry<T> {
  readonly document: T;
  problem(path: readonly string[], message: string, remedy: string, severity?: Problem['severity']): Problem;
}

interface Reading {
  readonly platforms: Map<string, Entry<Platform>>;
  readonly syncs: Map<string, Entry<Sync>>;
  readonly problems: Problem[];
}

/**
 * Reads Platforms and Syncs from one YAML file, or from every `.yaml` and `.yml` below a folder. Whatever is wrong in a
 * text is a problem; all of them are told at once.
 * @throws ReconcilerError 'never' (`configuration-missing`) when there is nothing to read.
 */
export async function readConfiguration(path: string): Promise<Configuration> {
  const root = resolve(path);
  const files = await filesAt(root);
  const reading: Reading = { platforms: new Map(), syncs: new Map(), problems: [] };
  for (const file of files) readText(file, await readFile(file, 'utf8'), reading);
  crossCheck(reading.platforms, reading.syncs, reading.problems);
  return {
    platforms: documents(reading.platforms),
    syncs: documents(reading.syncs),
    problems: reading.problems,
    baseDir: files.length === 1 && files[0] === root ? dirname(root) : root,
  };
}

/** Everything that is wrong with a configuration. @throws ReconcilerError as `readConfiguration` */
export async function configurationProblems(path: string): Promise<readonly Problem[]> {
  return (await readConfiguration(path)).problems;
}

async function filesAt(root: string): Promise<readonly string[]> {
  try {
    if (!(await stat(root)).isDirectory()) return [root];
    const names = await readdir(root, { recursive: true });
    const wanted = names.filter(
      (name) => /\.ya?ml$/.test(name) && !name.split(/[\\/]/).some((part) => part.startsWith('.')),
    );
    return wanted.toSorted().map((name) => join(root, name));
  } catch (cause) {
    throw new ReconcilerError(`There is no configuration at ${root}.`, 'never', {
      cause,
      code: 'configuration-missing',
      remedy: 'Write one (see the README), name another with --config, or try `plumbline demo`.',
    });
  }
}

function readText(file: string, text: string, reading: Reading): void {
  if (text.length > DEFAULT_LIMITS.maxManifestBytes) {
    const origin = { file, line: 1, column: 1 };
    reading.problems.push({
      origin,
      message: 'the file is too large for a configuration.',
      remedy: 'Split it into several files of one folder.',
      severity: 'error',
    });
    return;
  }
  for (const tree of parseTrees(text, DEFAULT_LIMITS)) readTree(file, tree, reading);
}

function readTree(file: string, tree: Tree, reading: Reading): void {
  const { value, faults } = tree;
  for (const { line, column, message, remedy } of faults) {
    reading.problems.push({ origin: { file, line, column }, message: `${message}.`, remedy, severity: 'error' });
  }
  if (faults.length > 0 || value === undefined || value === null) return;
  const kind = valueAt(value, ['kind']);
  const problem = placed(file, tree);
  if (kind === 'Platform') readOne(kind, value, { into: reading.platforms, problem, problems: reading.problems });
  else if (kind === 'Sync') readOne(kind, value, { into: reading.syncs, problem, problems: reading.problems });
  else {
    const known = ['Platform', 'Sync'];
    const remedy =
      typeof kind === 'string'
        ? didYouMean(kind, known, 'Desired state belongs into the source of a Sync.')
        : 'Write kind: Platform or kind: Sync.';
    reading.problems.push(problem(['kind'], 'the configuration holds Platform and Sync documents only.', remedy));
  }
}

interface Destination<T> {
  readonly into: Map<string, Entry<T>>;
  readonly problem: Entry<T>['problem'];
  readonly problems: Problem[];
}

function readOne<T>(kind: 'Platform' | 'Sync', value: JsonValue, { into, problem, problems }: Destination<T>): void {
  const checked = check(kind, value);
  if (!checked.ok) {
    for (const flaw of checked.flaws) problems.push(problem(flaw.path.map(String), flaw.message, flaw.remedy));
    return;
  }
  const name = String(valueAt(checked.data, ['metadata', 'name']));
  if (into.has(name))
    problems.push(
      problem(['metadata', 'name'], `there is another ${kind} named ${name}.`, 'Give one of them another name.'),
    );
  // The schema of the kind has given the data its shape.
  else into.set(name, { document: checked.data as T, problem });
}

function placed(file: string, { places, start }: Tree): Entry<unknown>['problem'] {
  return (path, message, remedy, severity = 'error') => {
    // A field that is missing has no place: then it is said at what should hold it.
    for (let length = path.length; length >= 0; length--) {
      const place = places.get(pointerOf(path.slice(0, length)));
      if (place !== undefined)
        return { origin: { file, line: place.line, column: place.column }, message, remedy, severity };
    }
    return { origin: { file, ...start }, message, remedy, severity };
  };
}

function documents<T>(entries: ReadonlyMap<string, Entry<T>>): ReadonlyMap<string, T> {
  return new Map([...entries].map(([name, { document }]) => [name, document]));
}
