import { expect } from 'chai';
import { chmod, mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { GitSourceConfig } from '../../src/source/git-config.ts';
import { GitSource } from '../../src/source/git.ts';
import { Repository, failure, temporaryFolder } from './git-fixture.ts';

const never = new AbortController().signal;
const KEY = `-----BEGIN OPENSSH PRIVATE KEY-----\n${'canarykey'.repeat(6)}\n-----END OPENSSH PRIVATE KEY-----`;

// Where the real ssh would log in, this notes how it was called and what the files hold, then serves the repository from here.
const STAND_IN = `#!/bin/sh
dir="$(dirname "$0")"
for word in "$@"; do printf '%s\\n' "$word"; done > "$dir/args"
while [ "$1" != "" ]; do
  case "$1" in
    -i) key="$2" ;;
    UserKnownHostsFile=*) hosts="$(printf '%s' "\${1#UserKnownHostsFile=}" | tr -d '"')" ;;
  esac
  last="$1"; shift
done
stat -c %a "$key" > "$dir/mode"; cat "$key" > "$dir/key"; cat "$hosts" > "$dir/hosts"
exec sh -c "$last"
`;

describe('a git source over ssh', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;

  beforeEach(async () => {
    folder = await temporaryFolder();
  });
  afterEach(() => folder[Symbol.asyncDispose]());

  const open = (config: Partial<GitSourceConfig>, path = process.env.PATH): GitSource =>
    new GitSource(
      {
        url: 'git@git.example.com:x.git',
        ref: { branch: 'main' },
        auth: { sshKey: async () => KEY, knownHosts: { text: 'git.example.com ssh-ed25519 AAAA' } },
        ...config,
      },
      { cacheDir: join(folder.path, "ca'che dir"), environment: { PATH: path } },
    );

  it('calls ssh so that only the given key and host keys count, and removes the key after', async () => {
    const repository = await Repository.create(join(folder.path, 'repo'));
    const head = await repository.commit({ 'a.yaml': 'kind: A' });
    const bin = join(folder.path, 'bin');
    await mkdir(bin);
    await writeFile(join(bin, 'ssh'), STAND_IN);
    await chmod(join(bin, 'ssh'), 0o755);
    const source = open(
      { url: `ssh://git@git.example.com:2222${repository.path}` },
      `${bin}:${process.env.PATH ?? ''}`,
    );
    expect((await source.read(never)).revision).to.equal(head);

    const args = (await readFile(join(bin, 'args'), 'utf8')).split('\n');
    expect(args).to.include.members([
      '-F',
      '/dev/null',
      'BatchMode=yes',
      'StrictHostKeyChecking=yes',
      'IdentitiesOnly=yes',
      'IdentityAgent=none',
    ]);
    expect(args).to.include.members([
      'GlobalKnownHostsFile=/dev/null',
      'ForwardAgent=no',
      '-p',
      '2222',
      'git@git.example.com',
    ]);
    expect(await readFile(join(bin, 'mode'), 'utf8')).to.equal('600\n');
    expect(await readFile(join(bin, 'key'), 'utf8')).to.equal(`${KEY}\n`);
    expect(await readFile(join(bin, 'hosts'), 'utf8')).to.equal('git.example.com ssh-ed25519 AAAA\n');
    for (const entry of await readdir(join(folder.path, "ca'che dir"), { recursive: true, withFileTypes: true })) {
      const text = entry.isFile() ? await readFile(join(entry.parentPath, entry.name), 'utf8') : '';
      expect(text, entry.name).to.not.contain('canarykey');
    }
  });

  it('says so when the real ssh cannot log in, without showing the key', async () => {
    const silent = createServer((socket) => socket.end('HTTP/1.0 400 Not SSH\r\n'));
    await new Promise<void>((resolve) => void silent.listen(0, '127.0.0.1', resolve));
    const error = await failure(
      open({ url: `ssh://git@127.0.0.1:${(silent.address() as AddressInfo).port}/x.git` }).read(never),
    );
    silent.close();
    expect(error).to.include({ name: 'ReconcilerError', retry: 'backoff' });
    expect(error.message).to.not.contain('canarykey');
  });

  it('refuses to work without known host keys or without a key, before anything is sent', () => {
    expect(() => open({ auth: { sshKey: async () => KEY } })).to.throw(/host keys.*never trusted/);
    expect(() => open({ auth: { knownHosts: { text: 'x' } } })).to.throw(/needs a private key/);
  });
});

describe('the configuration of a git source', () => {
  const make = (config: Partial<GitSourceConfig>) => (): GitSource =>
    new GitSource(
      { url: 'https://git.example.com/a.git', ref: { branch: 'main' }, ...config },
      { cacheDir: '/nonexistent' },
    );

  it('refuses paths that leave the repository or look like options', () => {
    for (const path of ['..', 'a/../..', '/etc', '-x', 'a\\b', 'a\nb', '.git', 'a/.GIT/b'])
      expect(make({ path }), path).to.throw(/path/);
    for (const path of ['', '.', './a', 'a/b/', 'a//b', '..a', 'a b']) expect(make({ path }), path).to.not.throw();
  });

  it('refuses ref names that git does not allow, half commit ids and broken ranges', () => {
    for (const name of [
      '',
      '-x',
      '--upload-pack=x',
      'a..b',
      'a b',
      'a:b',
      'a^{}',
      'a~1',
      '*',
      '@',
      'a@{1}',
      'a.lock',
      '.a',
      'a//b',
      '/a',
      'a/',
      'a\nb',
    ]) {
      expect(make({ ref: { branch: name } }), name).to.throw(/ref\.branch/);
      expect(make({ ref: { tag: name } }), name).to.throw(/ref\.tag/);
    }
    for (const commit of ['HEAD', 'abc123', '-'.repeat(40), `${'a'.repeat(39)}G`])
      expect(make({ ref: { commit } }), commit).to.throw(/ref\.commit/);
    expect(make({ ref: { semver: 'not a range' } })).to.throw(/ref\.semver/);
    for (const branch of ['main', 'release/1.x', 'feature_ä', 'a.b', 'HEAD'])
      expect(make({ ref: { branch } }), branch).to.not.throw();
  });

  it('refuses credentials that do not fit the URL', () => {
    const token = async (): Promise<string> => 'x';
    expect(make({ url: 'http://git.example.com/a.git', auth: { token } })).to.throw(/unencrypted/);
    expect(make({ url: '/srv/a', auth: { token } })).to.throw(/no token/);
    expect(make({ auth: { sshKey: token } })).to.throw(/ssh/);
    expect(make({ auth: { token, username: 'a:b' } })).to.throw(/username/);
    expect(make({ timeout: 0 })).to.throw(/timeout/);
    expect(make({ caFile: 'relative.pem' })).to.throw(/absolute/);
  });
});
