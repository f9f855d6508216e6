import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile, readdir } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { sourceOf } from '../../src/daemon/sources.ts';
import { ReconcilerError } from '../../src/errors.ts';
import { Sync } from '../../src/manifest/sync.ts';
import { SecretStore } from '../../src/secrets/store.ts';
import type { Conversed, GitSourceConfig } from '../../src/source/git-config.ts';
import { GitSource } from '../../src/source/git.ts';
import type { Snapshot } from '../../src/source/source.ts';
import { Repository, failure, serveGit, temporaryFolder, until } from './git-fixture.ts';
import type { GitServer } from './git-fixture.ts';

const never = new AbortController().signal;
const CANARY = 'canary/Secret+Token=ä';

/** Every form in which the token could show itself. */
function formsOf(secret: string): string[] {
  const both = [secret, `x-access-token:${secret}`].map((text) =>
    Buffer.from(text).toString('base64').replace(/=+$/, ''),
  );
  return [secret, encodeURIComponent(secret), ...both];
}

async function filesBelow(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true });
  return names.filter((name) => name.isFile()).map((name) => join(name.parentPath, name.name));
}

describe('a git source over http', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let repository: Repository;
  let server: GitServer;
  let token: string;
  let first: string;

  beforeEach(async () => {
    token = CANARY;
    folder = await temporaryFolder();
    repository = await Repository.create(join(folder.path, 'served/repo'));
    await repository.commit({ 'big.bin': Buffer.alloc(100_000, 'q'), 'automation/old.yaml': 'kind: Old' }, 'Oldest');
    for (const name of ['a', 'b', 'c']) await repository.commit({ [`automation/${name}.yaml`]: `kind: ${name}` }, name);
    first = await repository.git('rev-parse', 'HEAD');
    server = await serveGit(join(folder.path, 'served'), () => token);
  });
  afterEach(async () => {
    await server[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  const open = (config: Partial<GitSourceConfig> = {}): GitSource =>
    new GitSource(
      { url: `${server.origin}/repo/.git`, ref: { branch: 'main' }, auth: { token: async () => token }, ...config },
      { cacheDir: join(folder.path, 'cache'), environment: { PATH: process.env.PATH } },
    );
  const mirror = async (): Promise<string> =>
    join(folder.path, 'cache', (await readdir(join(folder.path, 'cache')))[0] ?? '', 'mirror.git');
  const count = async (): Promise<number> => {
    const args = ['-C', await mirror(), 'cat-file', '--batch-all-objects', '--batch-check=%(objecttype)'];
    return execFileSync('git', args, { encoding: 'utf8' })
      .split('\n')
      .filter((type) => type === 'commit').length;
  };

  it('fetches one commit at first, and what came after it later', async () => {
    const source = open();
    const snapshot = await source.read(never);
    expect(snapshot.files.map(({ path }) => path)).to.include.members(['big.bin', 'automation/a.yaml']);
    expect(await count()).to.equal(1);
    await repository.commit({ 'automation/d.yaml': 'kind: D' });
    const head = await repository.commit({ 'automation/e.yaml': 'kind: E' });
    expect(await source.read(never)).to.include({ revision: head, stale: undefined });
    expect(await count()).to.equal(3);
  });

  it('trusts over https the authority that the Sync names, and no other', async () => {
    const [key, certificate] = [join(folder.path, 'key.pem'), join(folder.path, 'certificate.pem')];
    const subject = ['-subj', '/CN=git', '-addext', 'subjectAltName=IP:127.0.0.1'];
    execFileSync(
      'openssl',
      ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', certificate, ...subject],
      {
        stdio: 'ignore',
      },
    );
    const front = createServer({ key: await readFile(key), cert: await readFile(certificate) }, (asked, answer) => {
      const { method, headers } = asked;
      const onward = request(`${server.origin}${asked.url}`, { method, headers }, (came) => {
        answer.writeHead(came.statusCode ?? 500, came.headers);
        came.pipe(answer);
      });
      asked.pipe(onward);
    });
    front.listen(0, '127.0.0.1');
    await once(front, 'listening');
    try {
      const url = `https://127.0.0.1:${(front.address() as AddressInfo).port}/repo/.git`;
      const sync = (caFile: string | undefined): GitSource =>
        sourceOf(
          Sync.parse({
            apiVersion: 'plumbline.dev/v1alpha1',
            kind: 'Sync',
            metadata: { name: 'orders' },
            spec: {
              source: { git: { url, auth: { token: { valueFrom: { env: 'TOKEN' } } }, ...(caFile && { caFile }) } },
              platform: 'prod',
            },
          }),
          {
            stateDir: folder.path,
            baseDir: folder.path,
            environment: { PATH: process.env.PATH },
            secrets: new SecretStore({ env: { TOKEN: token }, hashKey: Buffer.alloc(32) }),
          },
        ) as GitSource;
      const refused = await failure(sync(undefined).read(never));
      expect(refused).to.be.instanceOf(ReconcilerError).with.property('remedy').that.includes('caFile');
      expect((await sync('certificate.pem').read(never)).revision).to.equal(first);
    } finally {
      front.closeAllConnections();
      front.close();
    }
  });

  it('asks the server once in a quiet read', async () => {
    const source = open();
    await source.read(never);
    server.requests.length = 0;
    await source.read(never);
    expect(server.requests.map(({ method, url }) => `${method} ${url}`)).to.deep.equal([
      'GET /repo/.git/info/refs?service=git-upload-pack',
      'POST /repo/.git/git-upload-pack',
    ]);
  });

  it('tells of every exchange with the server, for metrics', async () => {
    const told: string[] = [];
    const config = { url: `${server.origin}/repo/.git`, ref: { branch: 'main' }, auth: { token: async () => token } };
    const onConversed = ({ command, result }: Conversed): void => void told.push(`${command} ${result}`);
    const source = new GitSource(config, {
      cacheDir: join(folder.path, 'cache'),
      environment: { PATH: process.env.PATH },
      onConversed,
    });
    await source.read(never);
    server.intercept = (_request, response) => {
      response.writeHead(503).end();
      return true;
    };
    await source.read(never);
    expect(told).to.deep.equal(['ls-remote success', 'fetch success', 'ls-remote failure']);
  });

  it('with a path fetches no content outside it', async () => {
    const source = open({ path: 'automation' });
    const snapshot = await source.read(never);
    expect(snapshot.files.map(({ path }) => path)).to.deep.equal(['a.yaml', 'b.yaml', 'c.yaml', 'old.yaml']);
    const texts: string[] = [];
    for await (const { bytes } of snapshot.read(['a.yaml', 'old.yaml'], never)) texts.push(bytes.toString());
    expect(texts).to.deep.equal(['kind: a', 'kind: Old']);
    const objects = execFileSync(
      'git',
      ['-C', await mirror(), 'cat-file', '--batch-all-objects', '--batch-check=%(objectsize)'],
      { encoding: 'utf8' },
    );
    expect(objects.split('\n')).to.not.include('100000');
    const head = await repository.commit({ 'automation/a.yaml': 'kind: A2', 'big.bin': 'small' });
    expect((await source.read(never)).revision).to.equal(head);
  });

  it('with a path gets everything from a server that cannot filter', async () => {
    await repository.git('config', 'uploadpack.allowFilter', 'false');
    const snapshot = await open({ path: 'automation' }).read(never);
    for await (const { bytes } of snapshot.read(['old.yaml'], never)) expect(bytes.toString()).to.equal('kind: Old');
    expect(snapshot.files).to.have.length(4);
  });

  it('that was told of a push fetches at once, contents too, and judges what came as strictly', async () => {
    const told: string[] = [];
    const source = new GitSource(
      {
        url: `${server.origin}/repo/.git`,
        ref: { branch: 'main' },
        path: 'automation',
        auth: { token: async () => token },
      },
      {
        cacheDir: join(folder.path, 'cache'),
        environment: { PATH: process.env.PATH },
        onConversed: ({ command }) => void told.push(command),
      },
    );
    await source.read(never, true);
    const ask = async (): Promise<{ snapshot: Snapshot; told: string }> => {
      told.length = 0;
      const snapshot = await source.read(never, true);
      return { snapshot, told: told.join() };
    };
    const head = await repository.commit({ 'automation/a.yaml': 'kind: A2', 'big.bin': Buffer.alloc(200_000, 'r') });
    const { snapshot, told: once } = await ask();
    expect({ revision: snapshot.revision, once }).to.deep.equal({ revision: head, once: 'fetch' });
    const read = await Array.fromAsync(snapshot.read(['a.yaml'], never));
    expect(read.map(({ bytes }) => bytes.toString())).to.deep.equal(['kind: A2']);
    const args = ['-C', await mirror(), 'cat-file', '--batch-all-objects', '--batch-check=%(objectsize)'];
    expect(execFileSync('git', args, { encoding: 'utf8' }).split('\n')).to.not.include('200000');
    expect((await ask()).snapshot, 'nothing new').to.include({ revision: head, stale: undefined });
    await repository.git('reset', '--quiet', '--hard', 'HEAD~1');
    await repository.commit({ 'automation/x.yaml': 'kind: X' });
    const rewritten = await ask();
    expect(rewritten.snapshot.revision).to.equal(head);
    expect(rewritten.snapshot.stale?.reason).to.include('force-push');
    expect((await ask()).snapshot.stale?.reason, 'again').to.include('force-push');
    await repository.git('branch', '-m', 'main', 'gone');
    const gone = await ask();
    expect(gone.snapshot.revision).to.equal(head);
    expect(gone.snapshot.stale?.reason).to.include('The branch main does not exist in the repository.');
    expect(gone.told).to.equal('fetch,ls-remote');
  });

  it('gets single commits, tags and versions', async () => {
    const older = await repository.git('rev-parse', 'HEAD~1');
    await repository.git('tag', '--annotate', '-m', 'x', 'v1.0.0', older);
    for (const ref of [{ commit: older }, { tag: 'v1.0.0' }, { semver: '1.x' }]) {
      expect((await open({ ref }).read(never)).revision, JSON.stringify(ref)).to.equal(older);
    }
  });

  it('fetches history only when it is asked for, and blames nobody for what it does not know', async () => {
    const snapshot = await open({ path: 'automation' }).read(never);
    expect(await count()).to.equal(1);
    const commits = await snapshot.lastCommits(['a.yaml', 'c.yaml', 'old.yaml'], never);
    expect([...commits].map(([path, { subject }]) => [path, subject])).to.have.deep.members([
      ['a.yaml', 'a'],
      ['c.yaml', 'c'],
      ['old.yaml', 'Oldest'],
    ]);
    const other = await open({ ref: { commit: first } }).read(never);
    await server[Symbol.asyncDispose]();
    expect([...(await other.lastCommits(['automation/a.yaml'], never)).keys()]).to.deep.equal([]);
  });

  it('notices rewritten history although its own is shallow', async () => {
    const source = open();
    await source.read(never);
    await repository.git('reset', '--quiet', '--hard', 'HEAD~1');
    await repository.commit({ 'automation/x.yaml': 'kind: X' });
    const snapshot = await source.read(never);
    expect(snapshot.revision).to.equal(first);
    expect(snapshot.stale?.reason).to.match(/force-push/);
    server.requests.length = 0;
    await source.read(never);
    expect(server.requests, 'it is not fetched again').to.have.length(2);
  });

  it('sees a rotated token, and names a refused one without showing it', async () => {
    const source = open();
    await source.read(never);
    token = 'rotated';
    expect((await source.read(never)).stale).to.equal(undefined);
    const wrong = open({ auth: { token: async () => CANARY } });
    const { stale } = await wrong.read(never);
    expect(stale?.remedy).to.match(/token or key/);
    const error = await failure(open({ path: 'automation', auth: { token: async () => CANARY } }).read(never));
    expect(error).to.be.instanceOf(ReconcilerError).and.include({ code: 'source-auth', retry: 'backoff' });
    for (const form of formsOf(CANARY))
      expect(inspect([error, stale], { depth: 9, showHidden: true })).to.not.contain(form);
  });

  it('shows no secret that a server repeats in its answer', async () => {
    const forms = formsOf(CANARY);
    const lines = ['# service=git-upload-pack\n', '', `ERR ${forms.join(' ')} https://ada:pass@host/ \u001b[2J`];
    const packets = lines.map((line) =>
      line === '' ? '0000' : (Buffer.byteLength(line) + 4).toString(16).padStart(4, '0') + line,
    );
    server.intercept = (_request, response) => {
      const type = 'application/x-git-upload-pack-advertisement';
      response.writeHead(200, { 'content-type': type }).end(packets.join(''));
      return true;
    };
    const error = await failure(open().read(never));
    expect(error.message).to.match(/remote error: (\[redacted\] ){4}https:\/\/host\/ \??\[2J$/);
    for (const form of forms) expect(inspect(error, { depth: 9, showHidden: true })).to.not.contain(form);
  });

  it('leaves no secret on disk', async () => {
    await open().read(never);
    for (const file of await filesBelow(join(folder.path, 'cache'))) {
      const text = await readFile(file);
      for (const form of formsOf(CANARY)) expect(text.includes(form), file).to.equal(false);
    }
  });

  it('does not follow a redirect, so that no other host gets the token', async () => {
    await using other = await serveGit(join(folder.path, 'served'));
    server.intercept = (request, response) => {
      response.writeHead(302, { location: `${other.origin}${request.url ?? ''}` }).end();
      return true;
    };
    const error = await failure(open().read(never));
    expect(error).to.include({ code: 'source-redirect' });
    expect(other.requests).to.deep.equal([]);
  });

  it('refuses a token with a line break in it, which would be a header of its own', async () => {
    token = 'a\nX-Evil: 1';
    expect(await failure(open().read(never))).to.include({ code: 'source-config' });
    expect(server.requests).to.deep.equal([]);
  });

  it('gives up on a silent server after its timeout, serves the last good revision, and leaves no process', async () => {
    await open().read(never);
    server.intercept = () => true;
    const snapshot = await open({ timeout: 2_000 }).read(never);
    expect(snapshot.revision).to.equal(first);
    expect(snapshot.stale?.reason).to.match(/no answer within 2000 ms/);
    const stop = new AbortController();
    const reading = failure(open().read(stop.signal));
    const before = server.requests.length;
    await until(() => server.requests.length > before);
    stop.abort(new Error('stopped by a person'));
    expect((await reading).message).to.equal('stopped by a person');
    await until(() => !execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).includes(server.origin));
  });

  it('keeps the last good revision when the server is gone', async () => {
    const source = open();
    await source.read(never);
    await server[Symbol.asyncDispose]();
    const { revision, stale } = await source.read(never);
    expect(revision).to.equal(first);
    expect(stale?.reason).to.match(/Connection refused|Failed to connect|Couldn't connect/);
  });
});
