import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { contentId, walkFolder } from '../../src/source/folder-walk.ts';
import { FolderSource } from '../../src/source/folder.ts';
import type { Snapshot } from '../../src/source/source.ts';
import { failure, temporaryFolder, until } from './git-fixture.ts';

const never = new AbortController().signal;

async function textOf(snapshot: Snapshot, path: string): Promise<string> {
  for await (const { bytes } of snapshot.read([path], never)) return bytes.toString();
  return '';
}

describe('a folder source', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let root: string;

  beforeEach(async () => {
    folder = await temporaryFolder();
    root = join(folder.path, 'manifests');
    await mkdir(join(root, 'sub'), { recursive: true });
    await writeFile(join(root, 'b.yaml'), 'kind: B');
    await writeFile(join(root, 'sub/a.yaml'), 'kind: A');
  });
  afterEach(() => folder[Symbol.asyncDispose]());

  it('gives regular files in code-unit order, without what is hidden and installed packages', async () => {
    for (const skipped of ['.git', '.cache', 'node_modules', 'sub/.git']) {
      await mkdir(join(root, skipped));
      await writeFile(join(root, skipped, 'x.yaml'), 'x');
    }
    await symlink('ada@host.123', join(root, '.#b.yaml'));
    const snapshot = await new FolderSource(root).read(never);
    expect(snapshot.problems).to.deep.equal([]);
    expect(snapshot.files.map(({ path, size }) => [path, size])).to.deep.equal([
      ['b.yaml', 7],
      ['sub/a.yaml', 7],
    ]);
    expect(await textOf(snapshot, 'sub/a.yaml')).to.equal('kind: A');
    expect(snapshot.revision).to.match(/^folder:[0-9a-f]{64}$/);
  });

  it('gives many files in the order in which they are asked for, and a missing one as an error in its turn', async () => {
    for (let number = 0; number < 40; number++) await writeFile(join(root, `n${number}.yaml`), `kind: N${number}`);
    const snapshot = await new FolderSource(root).read(never);
    const paths = Array.from({ length: 40 }, (_, number) => `n${(number * 7) % 40}.yaml`);
    const told: string[] = [];
    const reading = async (): Promise<void> => {
      for await (const { path, bytes } of snapshot.read([...paths, 'none.yaml', 'b.yaml'], never))
        told.push(`${path} ${bytes.toString()}`);
    };
    expect(await failure(reading())).to.include({ code: 'source-file-missing' });
    expect(told).to.deep.equal(paths.map((path) => `${path} kind: ${path.slice(0, -5).toUpperCase()}`));
  });

  it('has the same revision for the same content, and another for any other', async () => {
    const source = new FolderSource(root);
    const { revision } = await source.read(never);
    expect((await source.read(never)).revision).to.equal(revision);
    expect((await new FolderSource(root).read(never)).revision).to.equal(revision);
    await writeFile(join(root, 'b.yaml'), 'kind: C');
    const second = await source.read(never);
    expect(second.revision).not.to.equal(revision);
    await rename(join(root, 'b.yaml'), join(root, 'c.yaml'));
    expect((await source.read(never)).revision).not.to.equal(second.revision);
  });

  it('sees a change of equal size within one tick of the clock', async () => {
    const source = new FolderSource(root);
    const seen = new Set<string>();
    for (const letter of 'ABCDEFGHIJ') {
      await writeFile(join(root, 'b.yaml'), `kind: ${letter}`);
      seen.add((await source.read(never)).revision);
    }
    expect(seen.size).to.equal(10);
  });

  it('hashes a file again only when its marks changed', async () => {
    const limits = { maxFileBytes: 100, maxFiles: 100 };
    let walk = await walkFolder(root, limits, new Map(), never);
    expect(walk.hashed.size, 'too young to be trusted').to.equal(0);
    await until(async () => {
      walk = await walkFolder(root, limits, new Map(), never);
      return walk.hashed.size === 2;
    });
    const before = new Map([...walk.hashed].map(([path, { marks }]) => [path, { marks, id: 'kept' }]));
    await writeFile(join(root, 'b.yaml'), 'kind: C');
    const ids = (await walkFolder(root, limits, before, never)).files.map(({ id }) => id);
    expect(ids).to.deep.equal([contentId(Buffer.from('kind: C')), 'kept']);
  });

  it('refuses links, pipes and large files as problems, and follows nothing out of the folder', async () => {
    await writeFile(join(folder.path, 'outside.yaml'), 'secret');
    await symlink(join(folder.path, 'outside.yaml'), join(root, 'link.yaml'));
    await symlink('/etc', join(root, 'etc'));
    execFileSync('mkfifo', [join(root, 'pipe.yaml')]);
    await writeFile(join(root, 'big.yaml'), 'x'.repeat(200));
    const snapshot = await new FolderSource(root, { limits: { maxFileBytes: 100 } }).read(never);
    expect(snapshot.files.map(({ path }) => path)).to.deep.equal(['b.yaml', 'sub/a.yaml']);
    expect(snapshot.problems.map(({ origin }) => origin.file)).to.deep.equal([
      'big.yaml',
      'etc',
      'link.yaml',
      'pipe.yaml',
    ]);
    expect(await failure(new FolderSource(root, { limits: { maxFiles: 1 } }).read(never))).to.include({
      code: 'source-too-large',
    });
  });

  it('does not follow a folder that became a link, or a file that changed, between listing and reading', async () => {
    const snapshot = await new FolderSource(root).read(never);
    await mkdir(join(folder.path, 'outside'));
    await writeFile(join(folder.path, 'outside/a.yaml'), 'kind: A');
    await rm(join(root, 'sub'), { recursive: true });
    await symlink(join(folder.path, 'outside'), join(root, 'sub'));
    expect(await failure(textOf(snapshot, 'sub/a.yaml'))).to.include({ code: 'source-changed', retry: 'replan' });
    await writeFile(join(root, 'b.yaml'), 'kind: C');
    expect(await failure(textOf(snapshot, 'b.yaml'))).to.include({ code: 'source-changed', retry: 'replan' });
    expect(await failure(textOf(snapshot, '../outside/a.yaml'))).to.include({ code: 'source-file-missing' });
  });

  it('keeps the last good state when the folder is emptied or vanishes, and says so', async () => {
    const source = new FolderSource(root);
    const good = await source.read(never);
    await rename(root, `${root}-gone`);
    const gone = await source.read(never);
    expect(gone.files).to.equal(good.files);
    expect(gone.stale?.reason).to.match(/cannot be read/);
    await mkdir(root);
    const emptied = await source.read(never);
    expect(emptied.revision).to.equal(good.revision);
    expect(emptied.stale?.reason).to.match(/has no files/);
    expect(emptied.stale?.since).to.equal(gone.stale?.since);
    source.accept();
    expect(await source.read(never))
      .to.include({ stale: undefined })
      .and.property('files')
      .deep.equal([]);
  });

  it('throws what is wrong and what to do when there never was a good state', async () => {
    expect(await failure(new FolderSource(join(root, 'none')).read(never))).to.include({
      code: 'source-unreachable',
      retry: 'backoff',
    });
    await mkdir(join(folder.path, 'empty'));
    expect(await failure(new FolderSource(join(folder.path, 'empty')).read(never))).to.include({
      code: 'source-empty',
    });
    expect((await failure(new FolderSource(root).read(AbortSignal.abort(new Error('stop'))))).message).to.equal('stop');
  });

  it('reports a change while it is watched, and none after', async () => {
    let told = 0;
    const source = new FolderSource(root);
    {
      await using _watch = source.watch(() => {
        told += 1;
      });
      await until(() => told > 0);
      told = 0;
      await writeFile(join(root, 'sub/new.yaml'), 'x');
      await until(() => told > 0);
    }
    told = 0;
    await writeFile(join(root, 'sub/newer.yaml'), 'x');
    await using other = source.watch(() => undefined);
    expect(other).to.have.property(Symbol.asyncDispose);
    expect(told).to.equal(0);
  });
});
