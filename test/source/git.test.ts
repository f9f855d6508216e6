import { expect } from 'chai';
import { readFile, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ReconcilerError } from '../../src/errors.ts';
import type { GitSourceConfig } from '../../src/source/git-config.ts';
import { GitSource } from '../../src/source/git.ts';
import type { Snapshot } from '../../src/source/source.ts';
import { Repository, failure, temporaryFolder, until } from './git-fixture.ts';

const never = new AbortController().signal;
const environment = { PATH: process.env.PATH };

async function textOf(snapshot: Snapshot, ...paths: string[]): Promise<string[]> {
  const texts: string[] = [];
  for await (const { bytes } of snapshot.read(paths, never)) texts.push(bytes.toString());
  return texts;
}

describe('a git source on this machine', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let repository: Repository;
  let first: string;

  beforeEach(async () => {
    folder = await temporaryFolder();
    repository = await Repository.create(join(folder.path, 'repo'));
    first = await repository.commit(
      { 'README.md': 'x', 'automation/b.yaml': 'kind: B', 'automation/a/ä b.yaml': 'kind: A' },
      'First',
    );
  });
  afterEach(() => folder[Symbol.asyncDispose]());

  const open = (config: Partial<GitSourceConfig> = {}, accepted: string[] = []): GitSource =>
    new GitSource(
      { url: repository.path, ref: { branch: 'main' }, path: 'automation', ...config },
      { cacheDir: join(folder.path, 'cache'), environment, accepted },
    );

  it('gives the files below its path, relative to it, in code-unit order, with commit and author', async () => {
    const snapshot = await open({ url: `file://${repository.path}` }).read(never);
    expect(snapshot.revision).to.equal(first);
    expect(snapshot.files.map(({ path, size }) => [path, size])).to.deep.equal([
      ['a/ä b.yaml', 7],
      ['b.yaml', 7],
    ]);
    expect(snapshot.commit).to.include({ author: 'Ada Example <ada@example.com>', subject: 'First', revision: first });
    expect(snapshot.commit?.time).to.be.closeTo(Date.now(), 60_000);
    expect(snapshot.stale).to.equal(undefined);
    expect(await textOf(snapshot, 'b.yaml', 'a/ä b.yaml', 'b.yaml')).to.deep.equal(['kind: B', 'kind: A', 'kind: B']);
  });

  it('gives every byte of files of every size, however the pipe cuts them', async () => {
    const sizes = [0, 1, 9, 10, 4_096, 65_536, 65_537, 1_000_003];
    const files = sizes.map((size) => [`automation/${size}.json`, Buffer.alloc(size, `\n${size} blob 5\n`)] as const);
    await repository.commit(Object.fromEntries(files));
    const snapshot = await open().read(never);
    const got: Buffer[] = [];
    for await (const { bytes } of snapshot.read(
      files.map(([path]) => path.slice('automation/'.length)),
      never,
    ))
      got.push(bytes);
    files.forEach(([, bytes], index) =>
      expect(bytes.equals(got[index] ?? Buffer.alloc(0)), String(bytes.length)).to.equal(true),
    );
  });

  it('lets a reader stop early and abort, and says which file is not in the revision', async () => {
    const snapshot = await open().read(never);
    for await (const file of snapshot.read(['b.yaml', 'a/ä b.yaml'], never)) {
      expect(file.path).to.equal('b.yaml');
      break;
    }
    const stop = new AbortController();
    const reading = snapshot.read(['b.yaml'], stop.signal)[Symbol.asyncIterator]();
    stop.abort(new Error('enough'));
    expect((await failure(reading.next())).message).to.equal('enough');
    expect((await failure(textOf(snapshot, 'c.yaml'))).message).to.match(/^c\.yaml is not in revision/);
  });

  it('moves forward with the branch, and an older snapshot still reads its own bytes', async () => {
    const source = open();
    const before = await source.read(never);
    const second = await repository.commit({ 'automation/b.yaml': 'kind: C' }, 'Second');
    const after = await source.read(never);
    expect(after.revision).to.equal(second);
    expect(await textOf(after, 'b.yaml')).to.deep.equal(['kind: C']);
    expect(await textOf(before, 'b.yaml')).to.deep.equal(['kind: B']);
  });

  it('answers a quiet read from the listing it has', async () => {
    const source = open();
    const before = await source.read(never);
    const again = await source.read(never);
    expect(again.files).to.equal(before.files);
  });

  it('names the last commit that touched each file', async () => {
    const second = await repository.commit({ 'automation/b.yaml': 'kind: C' }, 'Second');
    await repository.commit({ 'README.md': 'y' }, 'Third');
    const snapshot = await open().read(never);
    const commits = await snapshot.lastCommits(['b.yaml', 'a/ä b.yaml', 'none'], never);
    expect([...commits].map(([path, { revision, subject }]) => [path, revision, subject])).to.have.deep.members([
      ['a/ä b.yaml', first, 'First'],
      ['b.yaml', second, 'Second'],
    ]);
  });

  it('does not let the name of a file speak for another author', async () => {
    const forged = `\u0001${'0'.repeat(40)}\u001fEve <e@e>\u001f0\u001fForged`;
    // The second of its commit: before the first, git prints a line break.
    await repository.commit({ [`\u0001`]: 'x', [forged]: 'x', 'z.yaml': 'x' }, 'Honest');
    const snapshot = await open({ path: '' }).read(never);
    const commits = await snapshot.lastCommits(['z.yaml'], never);
    expect(commits.get('z.yaml')?.author).to.equal('Ada Example <ada@example.com>');
    expect(snapshot.problems.map(({ message }) => message)).to.match(/name is not valid/);
  });

  it('keeps control characters of a commit out of terminals', async () => {
    await repository.git(
      'commit',
      '--quiet',
      '--allow-empty',
      '--author',
      'E\u001b[31mve <e@e>',
      '-m',
      'red\u001b[2J \u202etxt',
    );
    const { commit } = await open().read(never);
    expect(commit).to.include({ author: 'E[31mve <e@e>', subject: 'red[2J txt' });
  });

  describe('keeps the last good revision, and says so,', () => {
    async function stale(source: GitSource): Promise<Snapshot> {
      const snapshot = await source.read(never);
      expect(snapshot.revision).to.equal(first);
      expect(snapshot.files).to.have.length(2);
      expect(await textOf(snapshot, 'b.yaml')).to.deep.equal(['kind: B']);
      expect(snapshot.stale?.remedy).to.be.a('string').and.not.equal('');
      return snapshot;
    }

    it('when history was rewritten (force-push), until a person accepts it', async () => {
      const source = open();
      await source.read(never);
      await repository.git('commit', '--quiet', '--amend', '-m', 'Rewritten');
      const rewritten = await repository.git('rev-parse', 'HEAD');
      const one = await stale(source);
      expect(one.stale?.reason).to.match(/rewritten.*force-push/);
      expect((await stale(source)).stale?.since).to.equal(one.stale?.since);
      expect((await stale(open())).stale?.since, 'after a restart').to.equal(one.stale?.since);
      expect(one.stale?.remedy).to.contain(rewritten);
      source.accept(rewritten);
      const accepted = await source.read(never);
      expect(accepted).to.include({ revision: rewritten, stale: undefined });
      expect((await open().read(never)).stale).to.equal(undefined);
    });

    it('when the branch goes back to an older commit', async () => {
      const source = open();
      await source.read(never);
      first = await repository.commit({ 'automation/c.txt': '' });
      await repository.git('rm', '--quiet', 'automation/c.txt');
      first = await repository.commit({});
      expect((await source.read(never)).revision).to.equal(first);
      await repository.git('reset', '--quiet', '--hard', 'HEAD~1');
      expect((await stale(source)).stale?.reason).to.match(/rewritten/);
    });

    it('when the branch was deleted, and recovers when it is back', async () => {
      const source = open();
      await source.read(never);
      await repository.git('branch', '-m', 'main', 'other');
      expect((await stale(source)).stale?.reason).to.match(/branch main does not exist/);
      await repository.git('branch', '-m', 'other', 'main');
      expect((await source.read(never)).stale).to.equal(undefined);
    });

    it('when nothing is left below the path, although the commit follows', async () => {
      const source = open();
      await source.read(never);
      await repository.git('rm', '-r', '--quiet', 'automation');
      const emptied = await repository.commit({});
      expect((await stale(source)).stale?.reason).to.match(/had 2 files and has none/);
      expect((await stale(open())).stale?.reason).to.match(/had 2 files and has none/);
      const accepted = await open({}, [emptied]).read(never);
      expect(accepted.revision).to.equal(emptied);
      expect(accepted.files).to.deep.equal([]);
    });

    it('when the repository is out of reach, also after a restart', async () => {
      await open().read(never);
      await rename(repository.path, `${repository.path}-gone`);
      expect((await stale(open())).stale?.reason).to.match(/does not appear to be a git repository/);
    });

    it('when a tag was moved', async () => {
      await repository.git('tag', 'v1.0.0');
      const source = open({ ref: { tag: 'v1.0.0' } });
      await source.read(never);
      await repository.commit({ 'automation/b.yaml': 'kind: C' });
      await repository.git('tag', '--force', '--annotate', '-m', 'x', 'v1.0.0');
      expect((await stale(source)).stale?.reason).to.match(/refs\/tags\/v1\.0\.0 was moved/);
    });

    it('when the newest version in range went back', async () => {
      await repository.git('tag', 'v1.2.0');
      const source = open({ ref: { semver: '^1.0.0' } });
      await source.read(never);
      await repository.commit({ 'automation/b.yaml': 'kind: C' });
      await repository.git('tag', 'v1.1.0');
      await repository.git('tag', '--delete', 'v1.2.0');
      expect((await stale(source)).stale?.reason).to.match(/went back from 1\.2\.0 to 1\.1\.0/);
    });
  });

  it('does not let a second tag of the same version take its place', async () => {
    await repository.git('tag', 'v1.0.0');
    const source = open({ ref: { semver: '1.x' } });
    await source.read(never);
    await repository.git('tag', '1.0.0', await repository.commit({ 'automation/b.yaml': 'kind: C' }));
    expect((await source.read(never)).stale?.reason).to.match(/Version 1\.0\.0 is now refs\/tags\/1\.0\.0/);
  });

  describe('finds', () => {
    it('the newest tag in a version range, with and without v, and no prerelease', async () => {
      for (const tag of ['v1.2.9', '1.10.0', 'v1.11.0-rc.1', 'v2.0.0', 'release', 'v1.9.0']) {
        const commit = await repository.commit({}, tag);
        await repository.git('tag', '--annotate', '-m', tag, tag, commit);
      }
      const source = open({ ref: { semver: '^1.2' } });
      expect((await source.read(never)).commit?.subject).to.equal('1.10.0');
      await repository.git('tag', 'v1.12.0', first);
      const next = await source.read(never);
      expect(next.revision, 'a newer version may be any commit').to.equal(first);
    });

    it('a single commit, and needs no server for it again', async () => {
      await repository.commit({ 'automation/b.yaml': 'kind: C' });
      const source = open({ ref: { commit: first } });
      expect((await source.read(never)).revision).to.equal(first);
      await rm(repository.path, { recursive: true });
      expect(await source.read(never)).to.include({ revision: first, stale: undefined });
    });

    it('the branch it was told, not one whose name ends the same', async () => {
      await repository.git('branch', 'feature/main');
      await repository.git('update-ref', 'refs/remotes/refs/heads/main', await repository.commit({}, 'Later'));
      await repository.git('branch', 'x/refs/heads/main');
      await repository.git('reset', '--quiet', '--hard', first);
      expect((await open().read(never)).revision).to.equal(first);
    });
  });

  describe('refuses', () => {
    it('links and submodules as problems that withhold deletes, and follows none', async () => {
      await writeFile(join(folder.path, 'outside.yaml'), 'secret');
      await symlink('../../outside.yaml', join(repository.path, 'automation/link.yaml'));
      await symlink('/etc', join(repository.path, 'automation/etc'));
      await repository.git('update-index', '--add', '--cacheinfo', `160000,${first},automation/module`);
      await repository.commit({
        '.gitmodules': '[submodule "m"]\n\tpath = automation/module\n\turl = https://example.com/m.git\n',
      });
      await repository.git('update-index', '--add', '--cacheinfo', `160000,${first},automation/module`);
      await repository.git('commit', '--quiet', '--allow-empty', '-m', 'Module');
      const snapshot = await open().read(never);
      expect(snapshot.files).to.have.length(2);
      expect(snapshot.problems.map(({ origin, severity }) => [origin.file, severity])).to.have.deep.members([
        ['etc', 'error'],
        ['link.yaml', 'error'],
        ['module', 'error'],
      ]);
      expect((await failure(textOf(snapshot, 'link.yaml'))).message).to.match(/is not in revision/);
    });

    it('a path that is a link, a file, or missing', async () => {
      await symlink('automation', join(repository.path, 'alias'));
      await repository.commit({});
      expect(await failure(open({ path: 'alias' }).read(never))).to.include({ code: 'source-path' });
      expect(await failure(open({ path: 'README.md' }).read(never))).to.include({ code: 'source-path' });
      expect(await failure(open({ path: 'nowhere' }).read(never))).to.include({
        code: 'source-empty',
        retry: 'backoff',
      });
    });

    it('LFS pointers and files over the limit, strictly only where they could be manifests', async () => {
      const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'a'.repeat(64)}\nsize 12345\n`;
      const marker = join(folder.path, 'smudged');
      await repository.commit({
        '.gitattributes': '*.json filter=lfs\n*.png filter=lfs\n',
        'automation/big.yaml': 'x'.repeat(2_000),
        'automation/flow.json': pointer,
        'automation/near.json': pointer.replace('version', 'Version'),
        'automation/logo.png': pointer,
      });
      await repository.git('config', 'filter.lfs.smudge', `touch ${marker}`);
      const config = { url: repository.path, ref: { branch: 'main' }, path: 'automation' } as const;
      const limits = { maxFileBytes: 1_000 };
      const snapshot = await new GitSource(config, { cacheDir: join(folder.path, 'cache'), environment, limits }).read(
        never,
      );
      expect(snapshot.files.map(({ path }) => path)).to.deep.equal(['a/ä b.yaml', 'b.yaml', 'near.json']);
      expect(snapshot.problems.map(({ origin, severity }) => `${origin.file} ${severity}`).sort()).to.deep.equal([
        'big.yaml error',
        'flow.json error',
        'logo.png warning',
      ]);
      expect(await readdir(folder.path)).not.to.include('smudged');
    });

    it('a listing with more files than allowed, instead of half of it', async () => {
      const config = { url: repository.path, ref: { branch: 'main' }, path: 'automation' } as const;
      const source = new GitSource(config, {
        cacheDir: join(folder.path, 'cache'),
        environment,
        limits: { maxFiles: 1 },
      });
      expect(await failure(source.read(never))).to.include({ code: 'source-too-large' });
    });

    it('objects that fsck finds hostile, such as a tree with ".." in it', async () => {
      const blob = await repository.git('hash-object', '-w', 'README.md');
      const entry = Buffer.concat([Buffer.from('100644 ..\0'), Buffer.from(blob, 'hex')]);
      await writeFile(join(folder.path, 'tree'), entry);
      const inner = await repository.git('hash-object', '-t', 'tree', '-w', '--literally', join(folder.path, 'tree'));
      await writeFile(
        join(folder.path, 'root'),
        Buffer.concat([Buffer.from('40000 automation\0'), Buffer.from(inner, 'hex')]),
      );
      const tree = await repository.git('hash-object', '-t', 'tree', '-w', '--literally', join(folder.path, 'root'));
      const commit = await repository.git('commit-tree', '-m', 'Hostile', '-p', first, tree);
      const source = open();
      await source.read(never);
      await repository.git('update-ref', 'refs/heads/main', commit);
      const snapshot = await source.read(never);
      expect(snapshot.revision).to.equal(first);
      expect(snapshot.stale?.reason).to.match(/hasDotdot|fsck/i);
    });

    it('to run hooks or read any configuration but its own', async () => {
      const home = join(folder.path, 'home');
      const marker = join(folder.path, 'ran');
      const helper = await Repository.create(home);
      await helper.write({
        '.gitconfig': `[core]\n\tfsmonitor = touch ${marker}\n\tgitProxy = touch ${marker}\n[url "/nowhere"]\n\tinsteadOf = ${repository.path}\n`,
      });
      const config = { url: repository.path, ref: { branch: 'main' } } as const;
      const hostile = {
        ...environment,
        HOME: home,
        GIT_CONFIG_GLOBAL: join(home, '.gitconfig'),
        GIT_EXEC_PATH: '/nowhere',
        GIT_DIR: '/nowhere',
      };
      const source = new GitSource(config, { cacheDir: join(folder.path, 'cache'), environment: hostile });
      expect((await source.read(never)).revision).to.equal(first);
      expect(await readdir(folder.path)).not.to.include('ran');
      const [mirror = ''] = await readdir(join(folder.path, 'cache'));
      const text = await readFile(join(folder.path, 'cache', mirror, 'mirror.git/config'), 'utf8');
      expect(text).to.match(/hooksPath = \/dev\/null/);
      expect(await readdir(join(folder.path, 'cache', mirror, 'mirror.git'))).not.to.include('hooks');
    });
  });

  it('is not stopped by what a killed process left behind', async () => {
    await open().read(never);
    const [name = ''] = await readdir(join(folder.path, 'cache'));
    const mirror = join(folder.path, 'cache', name, 'mirror.git');
    for (const lock of [
      'shallow.lock',
      'config.lock',
      'packed-refs.lock',
      'refs/plumbline/good.lock',
      'refs/plumbline/candidate.lock',
    ]) {
      await writeFile(join(mirror, lock), '');
    }
    const second = await repository.commit({ 'automation/b.yaml': 'kind: C' });
    expect(await open().read(never)).to.include({ revision: second, stale: undefined });
  });

  it('fetches anew when its mirror was lost, and still does not go backwards', async () => {
    await open().read(never);
    const [name = ''] = await readdir(join(folder.path, 'cache'));
    await rm(join(folder.path, 'cache', name, 'mirror.git'), { recursive: true });
    const second = await repository.commit({ 'automation/b.yaml': 'kind: C' });
    expect(await open().read(never)).to.include({ revision: second, stale: undefined });
    await rm(join(folder.path, 'cache', name, 'mirror.git'), { recursive: true });
    await repository.git('reset', '--quiet', '--hard', first);
    expect(await failure(open().read(never)))
      .to.be.instanceOf(ReconcilerError)
      .and.include({ code: 'source-backwards' });
  });

  it('lets several readers of one mirror wait for each other', async () => {
    const sources = Array.from({ length: 4 }, () => open());
    const snapshots = await Promise.all(sources.map((source) => source.read(never)));
    expect(new Set(snapshots.map(({ revision }) => revision))).to.deep.equal(new Set([first]));
  });

  it('throws the reason of an abort, not a stale snapshot', async () => {
    const source = open();
    await source.read(never);
    expect((await failure(source.read(AbortSignal.abort(new Error('stop'))))).message).to.equal('stop');
  });

  it('reports a local commit while it is watched', async () => {
    const source = open();
    let told = 0;
    await using _watch = source.watch(() => {
      told += 1;
    });
    await until(() => told > 0);
    told = 0;
    await repository.commit({ 'automation/b.yaml': 'kind: C' });
    await until(() => told > 0);
  });
});
