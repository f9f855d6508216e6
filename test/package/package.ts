import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, chown, copyFile, cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { expect } from 'chai';

const run = promisify(execFile);
const ROOT = resolve(import.meta.dirname, '..', '..');
/** Whom the image runs as. */
const USER = 10001;

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
      'npx plumbline validate node_modules/plumbline/manifests --var environment=x --var crmHost=y --var receiver=https://r.example.com/ --var services=https://s.example.com --var code=https://c.example.com',
      home,
    );
    expect(validated).to.match(/0 error\(s\)/);
  });

  it('the image: the steps of the Dockerfile build it, and what they leave runs', async () => {
    const image = await buildImage(scratch);
    const modules = await readdir(join(image, 'node_modules'));
    expect(modules).to.not.include.members(['typescript', 'mocha']);
    expect(modules).to.not.include('node-red');
    expect((await shell(`${programOf(image)} --version`, scratch)).trim()).to.match(/^\d+\.\d+\.\d+$/);
    const all = await readdir(image, { recursive: true });
    expect(all.filter((name) => /\.(map|d\.[mc]?ts)$/.test(name))).to.deep.equal([]);
    // What "kubectl exec" calls plumbline.
    expect((await shell(`${join(image, 'dist', 'main.js')} --version`, scratch)).trim()).to.match(/^\d/);
    console.log(`      /opt/plumbline: ${(await shell(`du -sm '${image}'`, scratch)).split('\t')[0]} MB`);
  });

  it('the image runs as nobody in particular: no root, a numeric user, state and /tmp the only places written', async () => {
    const final = stagesOf(await readFile(join(ROOT, 'Dockerfile'), 'utf8')).at(-1);
    const said = (word: string) => final?.steps.filter((step) => step.word === word).map((step) => step.rest) ?? [];
    expect(said('USER')).to.deep.equal(['10001:10001']);
    expect(said('VOLUME')).to.deep.equal(['["/var/lib/plumbline", "/tmp"]']);
    expect(said('CMD')).to.deep.equal(['["start"]']);
    expect(JSON.parse(said('ENTRYPOINT')[0] ?? '[]')).to.have.ordered.members([
      'tini',
      '--',
      'node',
      '--max-semi-space-size=8',
      '/opt/plumbline/dist/main.js',
    ]);
  });

  const unable = process.getuid?.() === 0 ? '' : ' (left out: making a file system read-only takes root)';
  (unable === '' ? it : it.skip)(
    `the image starts without root and capabilities on a read-only file system, and stops with 0${unable}`,
    async () => {
      const image = await buildImage(scratch);
      const [state, temporary] = [join(scratch, 'state'), join(scratch, 'tmp')];
      for (const folder of [state, temporary]) {
        await mkdir(folder);
        await chown(folder, USER, USER);
      }
      // The user of the image has to come this far, as he does in the image.
      await chmod(scratch, 0o755);
      await cp(process.execPath, join(scratch, 'node'));
      const configuration = join(scratch, 'plumbline.yaml');
      await writeFile(configuration, '# nothing yet\n');
      const confined = [
        ...[state, temporary].map((folder) => `mount --bind '${folder}' '${folder}'`),
        'mount -o remount,ro,bind /',
        `cd '${image}'`,
        `exec setpriv --reuid ${USER} --regid ${USER} --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all "$@"`,
      ].join('\n');
      const program = programOf(image).replace(/^\S+/, join(scratch, 'node')).split(' ');
      const child = spawn('unshare', ['--mount', 'sh', '-euc', confined, 'sh', ...program, 'start'], {
        env: {
          PATH: process.env['PATH'],
          NODE_ENV: 'production',
          TMPDIR: temporary,
          PLUMBLINE_CONFIG: configuration,
          PLUMBLINE_STATE_DIR: state,
          PLUMBLINE_LOG_FORMAT: 'json',
          PLUMBLINE_LISTEN: '127.0.0.1:0',
          PLUMBLINE_LISTEN_HOOKS: '127.0.0.1:0',
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const exited = once(child, 'exit');
      let said = '';
      const heard = (chunk: Buffer): void => void (said += chunk.toString());
      child.stdout.on('data', heard);
      child.stderr.on('data', heard);
      const started = async (): Promise<string> => {
        while (child.exitCode === null) {
          const url = /"daemon started","url":"([^"]+)"/.exec(said)?.[1];
          if (url !== undefined && (await fetch(`${url}/readyz`)).status === 200) return url;
          await pause(100);
        }
        throw new Error(`it ended: ${said}`);
      };
      const url = await started();
      expect((await fetch(`${url}/healthz`)).status).to.equal(200);
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
      expect(/^Uid:\s+(\d+)/m.exec(status)?.[1]).to.equal(String(USER));
      expect(/^CapBnd:\s+(\S+)/m.exec(status)?.[1]).to.match(/^0+$/);
      const resident = Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024);
      console.log(`      idle: ${resident} MB of memory`);
      child.kill('SIGTERM');
      expect((await exited)[0], said).to.equal(0);
      expect(await readdir(state)).to.include.members(['ledger.db', 'hash.key', 'token']);
    },
  );
});

/** Carries out the steps of the Dockerfile, once. @returns what would be /opt/plumbline. */
async function buildImage(scratch: string): Promise<string> {
  const image = join(scratch, 'image');
  if (existsSync(image)) return image;
  const [build, final] = stagesOf(await readFile(join(ROOT, 'Dockerfile'), 'utf8'));
  const tree = join(scratch, 'image-build');
  await mkdir(tree);
  for (const { word, rest } of build?.steps ?? []) {
    if (word === 'RUN') await shell(rest, tree);
    if (word !== 'COPY') continue;
    const paths = rest.split(/\s+/);
    const target = paths.pop() ?? '.';
    for (const path of paths) await copyInto(join(ROOT, path), resolve(tree, target), target.endsWith('/') ? path : '');
  }
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
  return image;
}

/** What the entry point calls, without the process that buries others: it is the system's, and not everywhere. */
function programOf(image: string): string {
  const entry = /^ENTRYPOINT (.*)$/m.exec(readFileSync(join(ROOT, 'Dockerfile'), 'utf8'))?.[1] ?? '[]';
  const words = JSON.parse(entry) as readonly string[];
  return words
    .slice(words.indexOf('--') + 1)
    .join(' ')
    .replace('/opt/plumbline', image);
}

async function copyInto(from: string, target: string, name: string): Promise<void> {
  const to = name === '' ? target : join(target, name);
  await mkdir(dirname(to), { recursive: true });
  await cp(from, to, { recursive: true }).catch(() => copyFile(from, to));
}
