import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { readConfiguration } from '../../src/daemon/configuration.ts';
import { formatProblem } from '../../src/errors.ts';
import { loadConfiguration } from '../../src/manifest/configuration.ts';
import { yaml } from '../manifest/loading.ts';
import { Workbench } from './workbench.ts';

const PLATFORM = yaml('Platform', 'prod', 'spec: {driver: node-red, url: "https://x"}');
const plugin = (spec: string, name = 'limit') => yaml('Plugin', name, `spec: {${spec}}`);
const told = (...texts: string[]) =>
  loadConfiguration([{ path: 'plumbline.yaml', text: texts.join('---\n') }])
    .problems.map(formatProblem)
    .join('\n');

describe('The configuration of plugins', () => {
  let bench: Workbench;
  beforeEach(() => {
    bench = new Workbench();
  });
  afterEach(() => bench[Symbol.asyncDispose]());
  const lay = (file: string, text: string): string => {
    const path = join(bench.root, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  };

  it('gives them by name, with their defaults and durations in milliseconds', () => {
    const text = plugin('folder: code/limit, triggers: {}, platforms: [prod], limits: {timeout: 2s}');
    const { plugins, problems } = loadConfiguration([{ path: 'a.yaml', text: `${PLATFORM}---\n${text}` }]);
    expect(problems).to.deep.equal([]);
    expect(plugins.get('limit')?.document.spec).to.deep.equal({
      folder: 'code/limit',
      entry: 'index.js',
      platforms: ['prod'],
      triggers: {},
      events: [],
      settings: {},
      limits: { timeout: 2000, memory: 128, output: 1024, processes: 1 },
    });
  });

  it('refuses one for a platform that is not there, at its line, and leaves it out', () => {
    const text = `${PLATFORM}---\n${plugin('folder: code, triggers: {}, platforms: [prod, pord]')}`;
    const { plugins, problems } = loadConfiguration([{ path: 'plumbline.yaml', text }]);
    expect(problems.map(formatProblem)).to.deep.equal([
      'plumbline.yaml:9:54: error: spec.platforms refers to Platform/pord, which is not configured or has a problem itself. Did you mean "prod"?',
    ]);
    expect(problems[0]?.key).to.equal('Plugin/limit');
    expect([...plugins.keys()]).to.deep.equal([]);
  });

  const wrong: Readonly<Record<string, readonly [string, RegExp]>> = {
    'asks about nothing': ['folder: code', /:4:1: error: spec is asked about nothing\. Add triggers/],
    'lets a call take too long': [
      'folder: x, triggers: {}, limits: {timeout: 5m}',
      /timeout is not between 1ms and 60s/,
    ],
    'has an entry outside of its folder': ['folder: x, triggers: {}, entry: ../a.js', /spec.entry is not the path/],
    'has no folder': ['triggers: {}', /spec.folder of this Plugin is missing/],
    'misspells a field': ['folder: x, trigger: {}', /unknown field spec.trigger of Plugin\. Did you mean "triggers"/],
    'checks a kind that is none': ['folder: x, changes: {kinds: [Workflows]}', /Did you mean "Workflow"/],
  };
  for (const [what, [spec, message]] of Object.entries(wrong)) {
    it(`refuses one that ${what}`, () => {
      expect(told(plugin(spec))).to.match(message);
    });
  }

  it('names Plugin among the kinds that there are', () => {
    expect(told('kind: Plugni\nmetadata: {name: a}\n')).to.match(/Did you mean "Plugin"/);
    expect(told('metadata: {name: a}\n')).to.match(/no Platform, Sync or Plugin: kind is missing/);
    expect(told(yaml('Workflow', 'w', 'spec: {definition: {}}'))).to.match(/a Workflow is desired state/);
  });

  it('two of one name count for none', () => {
    expect(told(plugin('folder: a, triggers: {}'), plugin('folder: b, triggers: {}'))).to.match(
      /Plugin\/limit is also/,
    );
  });

  it('refuses one whose folder or entry is not there, or leads out of it, with file, line, column and remedy', async () => {
    lay('limit/index.js', 'export const execute = (context) => context;');
    lay('linked/index.js', '');
    symlinkSync('/etc/hostname', join(bench.root, 'linked/name'));
    const path = lay(
      'plumbline.yaml',
      [
        PLATFORM,
        plugin('folder: missing, triggers: {}', 'a'),
        plugin('folder: limit, entry: other.js, triggers: {}', 'b'),
        plugin('folder: linked, triggers: {}', 'c'),
        plugin('folder: ., triggers: {}', 'd'),
        plugin('folder: limit, triggers: {}', 'e'),
      ].join('---\n'),
    );
    const { problems, plugins } = await readConfiguration(path);
    const lines = problems.map(formatProblem);
    expect(lines).to.have.length(4);
    expect(lines[0]).to.match(
      /plumbline\.yaml:9:8: error: The plugin a has no folder at .*missing\. Correct spec.folder/,
    );
    expect(lines[1]).to.match(/:14:8: error: The plugin b has no file other\.js/);
    expect(lines[2]).to.match(/:19:8: error: The plugin c has a symbolic link that leads out of its folder/);
    expect(lines[3]).to.match(/:24:8: error: The plugin d may not have a folder that holds the configuration/);
    expect(plugins.get('e')?.spec.folder).to.equal('limit');
  });

  it('reads no configuration from the files of a plugin, and every document of its own wherever it lies', async () => {
    lay('conf/prod.yaml', PLATFORM);
    lay('conf/limit/plugin.yaml', plugin('folder: limit, triggers: {}'));
    lay('conf/limit/index.js', 'export const execute = (context) => context;');
    lay('conf/limit/package.json', '{"type": "module"}');
    lay('conf/limit/tables/rates.yaml', 'eur: 1\n');
    const { problems, plugins } = await readConfiguration(join(bench.root, 'conf'));
    expect(problems.map(formatProblem)).to.deep.equal([]);
    expect([...plugins.keys()]).to.deep.equal(['limit']);
    lay('conf/limit/broken.yaml', 'apiVersion: plumbline.dev/v1alpha1\nkind: Snyc\n');
    expect((await readConfiguration(join(bench.root, 'conf'))).problems).to.have.length(1);
  });
});
