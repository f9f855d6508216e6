import { execFile } from 'node:child_process';
import { copyFile, cp, mkdir, mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';

const run = promisify(execFile);
const ROOT = resolve(import.meta.dirname, '..', '..');

/** Runs a shell line in a folder, with the Node that runs this test first on the PATH. */
async function shell(line: string, cwd: string): Promise<string> {
  const PATH = `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`;
  const { stdout } = await run('sh', ['-euc', line], {
    cwd,
    env: { ...process.env, PATH },
    maxBuffer: 64 * 1024 * 1024,
  });
  return stdout;
}

interface Stage {
  readonly name: string;
  readonly steps: readonly { readonly word: string; readonly rest: string }[];
}

/** The stages of a Dockerfile, with continued lines joined. */
function stagesOf(text: string): Stage[] {
  const lines = text
    .replaceAll(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'));
  const stages: { name: string; steps: { word: string; rest: string }[] }[] = [];
  for (const line of lines) {
    const [, word = '', rest = ''] = /^(\S+)\s+(.*)$/.exec(line.trim()) ?? [];
    if (word === 'FROM') stages.push({ name: / AS (\S+)$/.exec(rest)?.[1] ?? '', steps: [] });
    else stages.at(-1)?.steps.push({ word, rest });
  }
  return stages;
}

describe('the package', () => {
  let scratch = '';
  before(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'plumbline-package-'));
  });
  after(async () => rm(scratch, { recursive: true, force: true }));

  it('is compiled JavaScript that runs where it is installed, with its add-on and its sample manifests', async () => {
    await shell(`npm pack --silent --pack-destination '${scratch}'`, ROOT);
    const [tarball] = (await readdir(scratch)).filter((name) => name.endsWith('.tgz'));
    expect(tarball).to.be.a('string');
    const home = join(scratch, 'installed');
    await mkdir(home);
    await shell(
      `npm init --yes >/dev/null && npm install --no-audit --no-fund --omit=peer '${join(scratch, tarball ?? '')}'`,
      home,
    );
    const files = (await readdir(join(home, 'node_modules', 'plumbline'), { recursive: true })).filter(
      (name) => !name.startsWith('node_modules'),
    );
    expect(files.filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))).to.deep.equal([]);
    expect(files).to.include.members([
      'dist/main.js',
      'dist/drivers/node-red/addon/package.json',
      'dist/plugins/child/bootstrap.mjs',
      'dist/cli/demo-assets/order-limit/index.js',
      'manifests/application.yaml',
      'LICENSE',
      'README.md',
    ]);
    expect((await shell('npx plumbline --version', home)).trim()).to.equal(
      (JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string }).version,
    );
    expect(JSON.parse(await shell('npx plumbline schema Workflow', home))).to.have.property('title', 'Workflow');
    const validated = await shell(
      'npx plumbline validate node_modules/plumbline/manifests --var environment=x --var crmHost=y --var receiver=https://r.example.com/',
      home,
    );
    expect(validated).to.match(/0 error\(s\)/);
  });

  it('the image: the steps of the Dockerfile build it, and what they leave starts', async () => {
    const [build, final] = stagesOf(await readFile(join(ROOT, 'Dockerfile'), 'utf8'));
    const tree = join(scratch, 'image-build');
    await mkdir(tree);
    for (const { word, rest } of build?.steps ?? []) {
      if (word === 'RUN') await shell(rest, tree);
      if (word !== 'COPY') continue;
      const paths = rest.split(/\s+/);
      const target = paths.pop() ?? '.';
      for (const path of paths)
        await copyInto(join(ROOT, path), resolve(tree, target), target.endsWith('/') ? path : '');
    }
    const image = join(scratch, 'image');
    await mkdir(image);
    for (const { word, rest } of final?.steps ?? []) {
      if (word !== 'COPY') continue;
      const paths = rest.split(/\s+/).filter((path) => !path.startsWith('--from='));
      const target = paths.pop() ?? '.';
      for (const path of paths) {
        await copyInto(
          path.replace('/build', tree),
          resolve(image, target),
          target.endsWith('/') ? (path.split('/').pop() ?? '') : '',
        );
      }
    }
    const modules = await readdir(join(image, 'node_modules'));
    expect(modules).to.not.include.members(['typescript', 'mocha']);
    expect(modules).to.not.include('node-red');
    const [entry] = (final?.steps ?? []).filter(({ word }) => word === 'ENTRYPOINT');
    const program = (JSON.parse(entry?.rest ?? '[]') as string[]).at(-1)?.replace('/opt/plumbline', image) ?? '';
    expect((await shell(`node '${program}' --version`, scratch)).trim()).to.match(/^\d+\.\d+\.\d+$/);
  });

  it('the image runs as nobody in particular: no root, a numeric user, state and /tmp the only places written', async () => {
    const final = stagesOf(await readFile(join(ROOT, 'Dockerfile'), 'utf8')).at(-1);
    const said = (word: string) => final?.steps.filter((step) => step.word === word).map((step) => step.rest) ?? [];
    expect(said('USER')).to.deep.equal(['10001:10001']);
    expect(said('VOLUME')).to.deep.equal(['["/var/lib/plumbline", "/tmp"]']);
    expect(said('CMD')).to.deep.equal(['["start"]']);
  });
});

async function copyInto(from: string, target: string, name: string): Promise<void> {
  const to = name === '' ? target : join(target, name);
  await mkdir(dirname(to), { recursive: true });
  await cp(from, to, { recursive: true }).catch(() => copyFile(from, to));
}
