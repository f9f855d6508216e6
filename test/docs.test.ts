import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { parse } from 'yaml';
import { EXIT } from '../src/cli/exit-codes.ts';
import { configurationProblems, readConfiguration } from '../src/daemon/configuration.ts';
import { DRIVERS } from '../src/drivers/index.ts';
import { formatProblem } from '../src/errors.ts';
import { ManifestLoader } from '../src/manifest/load.ts';
import { PluginHost } from '../src/plugins/plugin-host.ts';
import { SCHEMAS } from '../src/manifest/schemas.ts';
import { FolderSource } from '../src/source/folder.ts';
import { leaves, programme, TABLES, withTables } from './docs/tables.ts';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const README = readFileSync(join(ROOT, 'README.md'), 'utf8');

interface Block {
  readonly language: string;
  readonly text: string;
}

const BLOCKS: readonly Block[] = [...README.matchAll(/^```([^\n]*)\n([^]*?)^```$/gm)].map(
  ([, language = '', text = '']) => ({ language: language.trim(), text }),
);
const PROSE = README.replaceAll(/^```[^\n]*\n[^]*?^```$/gm, '');

/** Texts of the blocks that are marked so, of which there must be some. */
function marked(language: string): readonly string[] {
  const found = BLOCKS.filter((block) => block.language === language).map(({ text }) => text);
  expect(found, `blocks marked ${language}`).to.not.have.lengthOf(0);
  return found;
}

describe('the README', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'plumbline-docs-'));
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const write = (path: string, text: string): string => {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    return file;
  };
  const problemsOf = async (path: string, overlays: readonly string[] = []): Promise<readonly string[]> => {
    const loader = new ManifestLoader({
      formats: DRIVERS.flatMap((driver) => driver.format ?? []),
      defaultFormat: 'node-red',
      overlays,
      variables: { environment: 'production' },
    });
    const signal = AbortSignal.timeout(10_000);
    const desired = await loader.load(await new FolderSource(join(folder, path)).read(signal), signal);
    expect(desired.manifests.size).to.be.greaterThan(0);
    return desired.problems.map(formatProblem);
  };

  describe('has the tables that the program has', () => {
    for (const name of Object.keys(TABLES)) {
      it(`${name}: equal, row by row ("npm run docs" writes them)`, () => {
        const table = new RegExp(`<!-- ${name} -->\n([^]*?)<!-- /${name} -->`).exec(README)?.[1]?.trim().split('\n');
        const wanted = new RegExp(`<!-- ${name} -->\n([^]*?)<!-- /${name} -->`)
          .exec(withTables(README))?.[1]
          ?.trim()
          .split('\n');
        expect(table).to.deep.equal(wanted);
      });
    }

    it('exit codes: each with its name', () => {
      const rows = [...PROSE.matchAll(/^\| `(\d)` \| `(\w+)` \|/gm)].map(([, code, name]) => [name, Number(code)]);
      expect(Object.fromEntries(rows)).to.deep.equal(EXIT);
    });
  });

  it('speaks of every command, kind, and reason to withhold', () => {
    for (const command of leaves(programme())) expect(README).to.include(command.name());
    for (const kind of Object.keys(SCHEMAS)) expect(README).to.match(new RegExp(`^kind: ${kind}$`, 'm'));
    const types = readFileSync(join(ROOT, 'src', 'plan', 'types.ts'), 'utf8');
    const codes = /type WithheldCode =([^;]*);/.exec(types)?.[1]?.match(/[a-z]+(-[a-z]+)*/g) ?? [];
    expect(codes).to.include('delete-cap');
    const table = /Reasons of `withheld` entries:([^]*?)\n## /.exec(README)?.[1] ?? '';
    expect(codes.filter((code) => !table.includes(`\`${code}\``))).to.deep.equal([]);
  });

  it('says that every command which answers takes -o json', () => {
    const without = leaves(programme()).filter((command) => !command.options.some(({ long }) => long === '--output'));
    expect(without.map((command) => command.name())).to.have.members(['start', 'demo', 'schema']);
  });

  it('links only to what exists', () => {
    const links = [...PROSE.matchAll(/\]\(([^)]+)\)/g)].map(([, link = '']) => link);
    expect(links).to.not.have.lengthOf(0);
    const headings = [...PROSE.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    );
    for (const link of links) {
      if (link.startsWith('#')) expect(headings, link).to.include(link.slice(1));
      else if (!/^https?:/.test(link)) expect(existsSync(join(ROOT, link)), link).to.equal(true);
    }
  });

  it('names npm scripts that exist', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: object };
    for (const [, name = ''] of README.matchAll(/npm (?:run )?(start|test|(?<=run )[a-z:]+)/g))
      expect(scripts, name).to.have.property(name);
  });

  it('names the line of settings.js that the add-on itself names', () => {
    const line = /module\.exports = require\(.*\)\.wrap\(module\.exports\);/;
    const addon = readFileSync(join(ROOT, 'src', 'drivers', 'node-red', 'addon', 'index.js'), 'utf8');
    expect(line.exec(README)?.[0]).to.be.a('string').and.equal(line.exec(addon)?.[0]);
  });

  for (const text of marked('sh run')) {
    for (const command of text.split('\n').filter((line) => line.startsWith('plumbline '))) {
      it(`runs: ${command}`, () => {
        const args = command.split(' ').slice(1);
        const out = execFileSync(process.execPath, [join(ROOT, 'src', 'main.ts'), ...args], {
          cwd: ROOT,
          encoding: 'utf8',
        });
        expect(out).to.not.equal('');
        if (args.includes('json') || args[0] === 'schema') expect(JSON.parse(out)).to.be.an('object');
      });
    }
  }

  /** Files of plugins, each in a block that is called by its path. */
  const plugins = BLOCKS.flatMap(({ language, text }) => {
    const path = /^js (plugins\/.*)$/.exec(language)?.[1];
    return path === undefined ? [] : [{ path, text }];
  });

  it('shows a plugin that refuses what it says it refuses', async () => {
    expect(plugins).to.have.lengthOf(1);
    for (const { path, text } of plugins) write(join('plugin', path), text);
    const [configuration = ''] = marked('yaml configuration').filter((text) => text.includes('kind: Plugin'));
    const file = write('plugin/plumbline.yaml', configuration);
    await using host = new PluginHost({ redact: (text) => text, onPrinted: () => undefined });
    await host.configure((await readConfiguration(file)).plugins, dirname(file));
    const ask = (amount: number) =>
      host.checkTrigger(
        { platform: 'plant', workflow: 'order-fulfillment', input: { amount } },
        AbortSignal.timeout(20_000),
      );
    expect((await ask(12_000)).map(({ message }) => message).join()).to.include('the amount exceeds 10000');
    expect(await ask(120)).to.deep.equal([]);
  });

  it('shows configuration without problems', async () => {
    for (const [index, text] of marked('yaml configuration').entries()) {
      for (const { path, text: code } of plugins) write(join(`configuration-${index}`, path), code);
      const problems = await configurationProblems(write(`configuration-${index}/plumbline.yaml`, text));
      expect(problems.map(formatProblem)).to.deep.equal([]);
    }
  });

  it('shows values of the chart whose configuration has no problems', async () => {
    for (const [index, text] of marked('yaml values').entries()) {
      const { configuration } = parse(text) as { readonly configuration: { readonly documents: readonly unknown[] } };
      const documents = configuration.documents.map((document) => JSON.stringify(document)).join('\n---\n');
      const problems = await configurationProblems(write(`values-${index}/plumbline.yaml`, documents));
      expect(problems.map(formatProblem)).to.deep.equal([]);
    }
  });

  it('shows manifests, the compact form and an overlay without problems', async () => {
    const [manifests = ''] = marked('yaml manifests');
    const [overlay = ''] = marked('yaml overlay');
    const [compact = ''] = marked('yaml compact');
    const [, path = ''] = /^# (\S+)/.exec(overlay) ?? [];
    write('manifests/all.yaml', manifests);
    write(`manifests/${path}`, overlay);
    expect(await problemsOf('manifests')).to.deep.equal([]);
    expect(await problemsOf('manifests', [dirname(path)])).to.deep.equal([]);
    write('compact/all.yaml', compact);
    write('compact/order-fulfillment.json', '[{"id": "a1b2c3d4e5f60718", "type": "tab", "label": "Orders"}]');
    expect(await problemsOf('compact')).to.deep.equal([]);
  });
});
