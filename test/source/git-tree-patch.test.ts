import { expect } from 'chai';
import * as fc from 'fast-check';
import { join } from 'node:path';
import { DEFAULT_LIMITS } from '../../src/source/git-config.ts';
import { listTree } from '../../src/source/git-tree.ts';
import type { Listing } from '../../src/source/git-tree.ts';
import { patchListing } from '../../src/source/git-tree-patch.ts';
import type { Known } from '../../src/source/git-tree-patch.ts';
import { Repository, temporaryFolder } from './git-fixture.ts';

const never = new AbortController().signal;
const limits = { ...DEFAULT_LIMITS, maxFileBytes: 1_000, maxFiles: 8 };

const pointer = (size: number): string =>
  `version https://git-lfs.github.com/spec/v1\noid sha256:${'4d'.repeat(32)}\nsize ${size}\n`;
const texts = ['', 'a', 'b', 'x'.repeat(200), 'y'.repeat(200), pointer(1), pointer(22), 'z'.repeat(1_001)];
const paths = [
  'a',
  'a.yaml',
  'a/b',
  'a/b.yaml',
  'a-b',
  'ab/c.json',
  ':(top)x',
  'ä b',
  'z\uffee',
  'z\u{1f600}',
  'back\\slash',
  'new\nline',
  '.hidden',
];
const entry = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      mode: fc.constantFrom('100644', '100755'),
      text: fc.constantFrom('', 'a', 'b', 'x'.repeat(200)),
    }),
  },
  { weight: 2, arbitrary: fc.record({ mode: fc.constantFrom('100644', '100755'), text: fc.constantFrom(...texts) }) },
  { weight: 1, arbitrary: fc.record({ mode: fc.constantFrom('120000', '160000'), text: fc.constantFrom('a', 'b') }) },
);
const edit = fc.record({
  root: fc.constantFrom('auto', 'auto', 'auto', 'au*'),
  path: fc.constantFrom(...paths),
  entry: fc.option(entry, { freq: 4 }),
});
/** Each a commit on the one before. */
const history = fc.array(fc.array(edit, { maxLength: 3 }), { minLength: 2, maxLength: 5 });

type Tree = ReadonlyMap<string, { readonly mode: string; readonly text: string }>;

/** The tree after the edits; what would be both a file and a folder is only the newer of the two. */
function edited(tree: Tree, edits: readonly (typeof edit extends fc.Arbitrary<infer E> ? E : never)[]): Tree {
  const next = new Map(tree);
  for (const { root, path, entry: made } of edits) {
    const whole = `${root}/${path}`;
    next.delete(whole);
    if (made === null) continue;
    for (const other of next.keys())
      if (other.startsWith(`${whole}/`) || whole.startsWith(`${other}/`)) next.delete(other);
    next.set(whole, made);
  }
  return next;
}

describe('patching the listing of another commit', function () {
  this.timeout(180_000);
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let repository: Repository;
  let ids: Map<string, string>;
  let place: { dir: string; env: Record<string, string> };

  before(async () => {
    folder = await temporaryFolder();
    repository = await Repository.create(join(folder.path, 'repo'));
    place = {
      dir: repository.path,
      env: { PATH: process.env.PATH ?? '', GIT_CONFIG_NOSYSTEM: '1', HOME: folder.path },
    };
    ids = new Map();
    for (const text of texts) {
      await repository.write({ blob: text });
      ids.set(text, await repository.git('hash-object', '-w', 'blob'));
    }
  });
  after(() => folder[Symbol.asyncDispose]());

  async function commit(tree: Tree): Promise<string> {
    const index = [...tree].flatMap(([path, { mode, text }]) => {
      return ['--add', '--cacheinfo', `${mode},${ids.get(text) ?? ''},${path}`];
    });
    await repository.git('read-tree', '--empty');
    if (index.length > 0) await repository.git('-c', 'core.protectNTFS=false', 'update-index', ...index);
    return repository.git('commit-tree', '-m', 'x', await repository.git('write-tree'));
  }

  const full = (id: string, path: string): Promise<Listing | undefined> =>
    listTree(place, { commit: id, path }, limits, { signal: never, knownPlain: new Set() }).catch(() => undefined);

  it('gives what a full listing gives, in any history', async () => {
    let patches = 0;
    await fc.assert(
      fc.asyncProperty(history, fc.constantFrom('', 'auto', 'au*'), async (commits, path) => {
        const knownPlain = new Set<string>();
        let tree: Tree = new Map();
        let known: Known | undefined;
        for (const edits of commits) {
          tree = edited(tree, edits);
          const id = await commit(tree);
          const expected = await full(id, path);
          const from = known;
          known = expected === undefined ? undefined : { ...expected, commit: { revision: id } };
          if (from === undefined) continue;
          const patched = await patchListing(place, { from, commit: id, path }, limits, { signal: never, knownPlain });
          if (patched === undefined) continue;
          patches += 1;
          expect(patched).to.deep.equal(expected);
          known = { ...patched, commit: { revision: id } };
        }
      }),
      { numRuns: 30 },
    );
    expect(patches).to.be.greaterThan(10);
  });

  const plain = (text: string) => ({ mode: '100644', text });

  it('patches additions, changes, modes and deletions of plain files, beside problems that stay', async () => {
    const link = { mode: '120000', text: 'a' };
    const old = new Map([
      ['auto/link', link],
      ['auto/a', plain('a')],
      ['auto/b', plain('a')],
      ['auto/c', plain('b')],
    ]);
    const young = new Map([
      ['auto/link', link],
      ['auto/b', plain('b')],
      ['auto/c', { mode: '100755', text: 'b' }],
      ['auto/ä', plain('')],
    ]);
    const [one, other] = [await commit(old), await commit(young)];
    const from = await full(one, 'auto');
    if (from === undefined) throw new Error('The listing failed.');
    const options = { signal: never, knownPlain: new Set<string>() };
    const patched = await patchListing(
      place,
      { from: { ...from, commit: { revision: one } }, commit: other, path: 'auto' },
      limits,
      options,
    );
    expect(patched?.files.map(({ path }) => path)).to.deep.equal(['b', 'c', 'ä']);
    expect(patched).to.deep.equal(await full(other, 'auto'));
    expect(patched?.problems).to.have.length(1);
  });

  /** What the patch says of a step from one tree to another; it may say nothing, but nothing wrong. */
  async function step(old: Tree, young: Tree, path = 'auto'): Promise<Listing | undefined> {
    const [one, other] = [await commit(old), await commit(young)];
    const from = await full(one, path);
    if (from === undefined) throw new Error('The listing failed.');
    const options = { signal: never, knownPlain: new Set<string>() };
    const known = { ...from, commit: { revision: one } };
    return patchListing(place, { from: known, commit: other, path }, limits, options);
  }

  it('leaves to a full listing what is refused, or was, and more files than allowed', async () => {
    const kept = ['auto/kept', plain('a')] as const;
    const odd = [
      { mode: '120000', text: 'a' },
      { mode: '160000', text: 'a' },
      plain(pointer(1)),
      plain('z'.repeat(1_001)),
    ];
    for (const one of odd) {
      const others = new Map([kept, ['auto/odd', one] as const]);
      for (const entries of [[kept], [kept, ['auto/odd', plain('b')] as const]]) {
        const usual = new Map(entries);
        expect(await step(usual, others)).to.equal(undefined);
        expect(await step(others, usual)).to.equal(undefined);
      }
    }
    const eight = Array.from({ length: 8 }, (_, index) => [`auto/${index}`, plain('a')] as const);
    expect((await step(new Map(), new Map(eight)))?.files).to.have.length(8);
    expect(await step(new Map(), new Map([...eight, kept]))).to.equal(undefined);
  });

  it('takes its path by the letter: other folders that a pattern would match are not looked at', async () => {
    const young = new Map([
      ['auto/a', plain('a')],
      ['au*/b', plain('b')],
    ]);
    expect((await step(new Map(), young, 'au*'))?.files.map(({ path }) => path)).to.deep.equal(['b']);
  });

  it('leaves to a full listing what it cannot tell: a commit that is not here, many changes', async () => {
    const many = new Map(Array.from({ length: 201 }, (_, index) => [`auto/${index}`, plain('a')] as const));
    const [one, other] = [await commit(new Map()), await commit(many)];
    const generous = { ...limits, maxFiles: 1_000 };
    const options = { signal: never, knownPlain: new Set<string>() };
    const patch = (from: string) =>
      patchListing(
        place,
        { from: { files: [], problems: [], commit: { revision: from } }, commit: other, path: 'auto' },
        generous,
        options,
      );
    expect(await patch(one)).to.equal(undefined);
    expect(await patch('0123456789'.repeat(4))).to.equal(undefined);
  });

  it('throws the reason of an abort', async () => {
    const one = await commit(new Map());
    const reason = new Error('enough');
    const options = { signal: AbortSignal.abort(reason), knownPlain: new Set<string>() };
    const from = { files: [], problems: [], commit: { revision: one } };
    const caught = await patchListing(place, { from, commit: one, path: '' }, limits, options).catch(
      (error: unknown) => error,
    );
    expect(caught).to.equal(reason);
  });
});
