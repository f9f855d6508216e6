import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { readBlobs } from '../../src/source/git-objects.ts';
import type { GitPlace } from '../../src/source/git-process.ts';

const run = promisify(execFile);
const never = new AbortController().signal;

describe('reading blobs of a repository', () => {
  let dir = '';
  let place: GitPlace;
  const ids: string[] = [];

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'plumbline-blobs-'));
    const path = process.env['PATH'] ?? '';
    await run('git', ['init', '--quiet', '--bare', dir]);
    ids.length = 0;
    for (let index = 0; index < 50; index += 1) {
      await writeFile(join(dir, 'text'), textOf(index));
      ids.push((await run('git', ['hash-object', '-w', 'text'], { cwd: dir })).stdout.trim());
    }
    // Stands in for git, and writes down each start of it.
    await writeFile(join(dir, 'git'), `#!/bin/sh\necho $$ >> ${dir}/started\nPATH=${path} exec git "$@"\n`, {
      mode: 0o755,
    });
    place = { dir, env: { PATH: `${dir}${delimiter}${path}`, GIT_DIR: dir } };
  });

  afterEach(async () => {
    await rm(dir, { recursive: true, force: true });
  });

  it('gives them in the order in which they were asked for, however large they are', async () => {
    expect(await texts(ids.toReversed())).to.deep.equal(ids.map((_, index) => textOf(index)).reverse());
  });

  it('starts one process for reads that follow each other, and ends it soon after the last', async () => {
    for (const id of ids.slice(0, 5)) await texts([id]);
    const [pid, ...more] = await started();
    expect(more).to.deep.equal([]);
    await until(() => isGone(pid));
  });

  it('gives readers at the same time their own answers', async () => {
    const read = await Promise.all(ids.map((id) => texts([id])));
    expect(read.flat()).to.deep.equal(ids.map((_, index) => textOf(index)));
  });

  it('gives the next reader its own answers after one that stopped early, whose process is killed', async () => {
    await texts(ids.slice(0, 1));
    for await (const { bytes } of readBlobs(place, ids, never)) {
      expect(bytes.toString()).to.equal(textOf(0));
      break;
    }
    expect(await texts(ids.slice(7, 9))).to.deep.equal([textOf(7), textOf(8)]);
    const [first] = await started();
    await until(() => isGone(first));
  });

  it('fails for a blob that is missing, and goes on with the next read', async () => {
    const missing = '0'.repeat(40);
    expect(await failure(texts([ids[3] ?? '', missing]))).to.include({
      message: `bad object ${missing}: missing instead of a file`,
    });
    expect(await texts(ids.slice(3, 4))).to.deep.equal([textOf(3)]);
  });

  it('tells what git said when it cannot work at all', async () => {
    const nowhere = { ...place, env: { ...place.env, GIT_DIR: join(dir, 'nowhere') } };
    const read = readBlobs(nowhere, ids, never);
    expect((await failure(read.next())).message).to.match(/not a git repository/);
  });

  it('throws the reason of an abort and kills the process', async () => {
    const abort = new AbortController();
    const read = readBlobs(place, ids, abort.signal);
    await read.next();
    abort.abort(new Error('stop'));
    expect((await failure(drained(read))).message).to.equal('stop');
    const [pid] = await started();
    await until(() => isGone(pid));
  });

  async function texts(wanted: readonly string[]): Promise<string[]> {
    const read: string[] = [];
    for await (const { bytes } of readBlobs(place, wanted, never)) read.push(bytes.toString());
    return read;
  }

  async function started(): Promise<number[]> {
    return (await readFile(join(dir, 'started'), 'utf8')).trim().split('\n').map(Number);
  }
});

/** From nothing to more than a pipe holds. */
function textOf(index: number): string {
  return `${index} `.repeat(index * 900);
}

async function drained(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of stream);
}

async function failure(work: Promise<unknown>): Promise<Error> {
  try {
    await work;
  } catch (error) {
    return error as Error;
  }
  throw new Error('it did not fail');
}

function isGone(pid: number | undefined): boolean {
  try {
    process.kill(pid ?? 0, 0);
    return false;
  } catch {
    return true;
  }
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('it did not come to pass');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
