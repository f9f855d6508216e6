import { readFile, readdir } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { expect } from 'chai';

const ROOT = resolve(import.meta.dirname, '..');
const SRC = join(ROOT, 'src');

/** The rooms, left to right: a file imports only from rooms to its left, or from its own. */
const ROOMS = [
  'errors',
  'kube',
  'secrets',
  'source',
  'manifest',
  'plugins',
  'plan',
  'policy',
  'drivers',
  'apply',
  'ledger',
  'report',
  'monitor',
  'integrations',
  'gateway',
  'reconcile',
  'daemon',
  'cli',
  'main',
] as const;

interface Module {
  readonly file: string;
  readonly room: string;
  readonly text: string;
  /** Imported files of this project, type imports included. */
  readonly imports: readonly string[];
  readonly packages: readonly string[];
}

async function modules(): Promise<Module[]> {
  const files = (await readdir(SRC, { recursive: true })).filter((name) => name.endsWith('.ts'));
  return Promise.all(
    files.map(async (name) => {
      const file = join(SRC, name);
      const text = await readFile(file, 'utf8');
      const specifiers = [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1] ?? '');
      const local = specifiers.filter((specifier) => specifier.startsWith('.'));
      return {
        file: name.split(sep).join('/'),
        room: roomOf(file),
        text,
        imports: local.map((specifier) => resolve(dirname(file), specifier)),
        packages: specifiers.filter((specifier) => !specifier.startsWith('.')),
      };
    }),
  );
}

function roomOf(file: string): string {
  return (relative(SRC, file).split(sep)[0] ?? '').replace(/\.ts$/, '');
}

describe('architecture', () => {
  let all: Module[] = [];
  before(async () => {
    all = await modules();
  });

  it('every file stands in a room of the house', () => {
    const strangers = all
      .filter((module) => !(ROOMS as readonly string[]).includes(module.room))
      .map((module) => module.file);
    expect(strangers).to.deep.equal([]);
  });

  it('a file imports only from rooms to its left, types included', () => {
    const order = (room: string) => (ROOMS as readonly string[]).indexOf(room);
    const wrong = all.flatMap((module) =>
      module.imports
        .filter((target) => order(roomOf(target)) > order(module.room))
        .map((target) => `${module.file} → ${relative(SRC, target)}`),
    );
    expect(wrong).to.deep.equal([]);
  });

  it('apply sees of the drivers only the contract, and the registry is imported only by what composes', () => {
    const wrong = all.flatMap((module) =>
      module.imports
        .map((target) => relative(SRC, target).split(sep).join('/'))
        .filter((target) => {
          if (module.room === 'apply') return target.startsWith('drivers/') && target !== 'drivers/driver.ts';
          return target === 'drivers/index.ts' && module.room !== 'daemon' && module.room !== 'cli';
        })
        .map((target) => `${module.file} → ${target}`),
    );
    expect(wrong).to.deep.equal([]);
  });

  it('a driver knows no other driver', () => {
    const home = (file: string) => /^drivers\/([^/]+)\//.exec(file)?.[1];
    const wrong = all.flatMap((module) =>
      module.imports
        .map((target) => relative(SRC, target).split(sep).join('/'))
        .filter(
          (target) =>
            home(module.file) !== undefined && home(target) !== undefined && home(target) !== home(module.file),
        )
        .map((target) => `${module.file} → ${target}`),
    );
    expect(wrong).to.deep.equal([]);
  });

  it('planning is pure: no input or output, no clock, no log, no chance', () => {
    const impure = all.filter(
      (module) =>
        module.room === 'plan' &&
        (module.packages.some((name) => name.startsWith('node:') && name !== 'node:crypto') ||
          /\bDate\.now\(|new Date\(\)|Math\.random|performance\.now|console\.|process\./.test(module.text)),
    );
    expect(impure.map((module) => module.file)).to.deep.equal([]);
  });

  it('the environment is read in one place', () => {
    const readers = all.filter((module) => /process\.env/.test(module.text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')));
    expect(readers.map((module) => module.file)).to.deep.equal(['cli/environment.ts']);
  });

  it('SQL is spoken in the ledger only', () => {
    const speakers = all.filter((module) => module.packages.includes('node:sqlite')).map((module) => module.room);
    expect([...new Set(speakers)]).to.deep.equal(['ledger']);
  });

  it('there are no cycles between files', () => {
    const byFile = new Map(all.map((module) => [join(SRC, module.file), module]));
    const done = new Set<string>();
    const cycles: string[] = [];
    const walk = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) {
        cycles.push([...path.slice(path.indexOf(file)), file].map((one) => relative(SRC, one)).join(' → '));
        return;
      }
      if (done.has(file)) return;
      for (const next of byFile.get(file)?.imports ?? []) walk(next, [...path, file]);
      done.add(file);
    };
    for (const file of byFile.keys()) walk(file, []);
    expect(cycles).to.deep.equal([]);
  });

  it('there are no junk drawers, and no file that holds more than one room', async () => {
    const junk = all
      .filter((module) => /(^|\/)(utils?|helpers?|common)\.ts$/.test(module.file))
      .map((module) => module.file);
    const long = all.filter((module) => module.text.split('\n').length > 300).map((module) => module.file);
    expect({ junk, long }).to.deep.equal({ junk: [], long: [] });
  });

  it('the top level holds what a newcomer expects, and nothing else', async () => {
    const allowed = new Set([
      'package.json',
      'package-lock.json',
      'tsconfig.json',
      'tsconfig.build.json',
      'src',
      'crds',
      'manifests',
      'helm',
      'test',
      'README.md',
      'LICENSE',
      'Dockerfile',
    ]);
    const visible = (await readdir(ROOT)).filter(
      (name) => !name.startsWith('.') && !['node_modules', 'dist', 'coverage'].includes(name),
    );
    expect(visible.filter((name) => !allowed.has(name))).to.deep.equal([]);
  });
});
