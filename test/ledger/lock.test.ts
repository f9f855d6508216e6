import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { ReconcilerError } from '../../src/errors.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { StateLock } from '../../src/ledger/lock.ts';
import { stateDirectories } from './samples.ts';

const HOLDER = fileURLToPath(new URL('lock-holder.ts', import.meta.url));
const STARTED = Date.UTC(2026, 4, 1, 12);

async function holdElsewhere(directory: string): Promise<ChildProcess> {
  const child = spawn(
    process.execPath,
    ['--expose-gc', '--disable-warning=ExperimentalWarning', HOLDER, directory, String(STARTED)],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  await new Promise((resolve, reject) => {
    child.stdout.once('data', resolve);
    child.once('error', reject);
  });
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGKILL');
  await ended;
}

function refusalOf(work: () => unknown): ReconcilerError {
  try {
    work();
  } catch (error) {
    if (error instanceof ReconcilerError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

describe('The lock on a state directory', () => {
  const stateDirectory = stateDirectories();
  const me = { pid: process.pid, startedAt: Date.now() };

  it('refuses a second process, and says who holds it, since when, where it listens, and what to do', async () => {
    const directory = stateDirectory();
    const child = await holdElsewhere(directory);
    try {
      for (const attempt of [() => StateLock.acquire(directory, me), () => Ledger.open(directory)]) {
        const refusal = refusalOf(attempt);
        expect(refusal.code).to.equal('state-locked');
        expect(refusal.message).to.include(directory).and.include(`process id ${child.pid}`);
        expect(refusal.message).to.include('2026-05-01T12:00:00.000Z').and.include('127.0.0.1:8480');
        expect(refusal.remedy).to.include('--state-dir').and.include('127.0.0.1:8480');
      }
    } finally {
      await kill(child);
    }
  });

  it('is released by the kernel when its holder is killed with SIGKILL', async () => {
    const directory = stateDirectory();
    await kill(await holdElsewhere(directory));
    using lock = StateLock.acquire(directory, me);
    expect(lock).to.be.instanceOf(StateLock);
    expect(refusalOf(() => StateLock.acquire(directory, me)).message).to.include(`process id ${process.pid}`);
  });

  it('is not lost by a refused second attempt of its own process', async () => {
    const directory = stateDirectory();
    using lock = StateLock.acquire(directory, me);
    expect(refusalOf(() => Ledger.open(directory)).code).to.equal('state-locked');
    const child = spawn(
      process.execPath,
      ['--expose-gc', '--disable-warning=ExperimentalWarning', HOLDER, directory, '0'],
      {
        stdio: ['pipe', 'ignore', 'pipe'],
      },
    );
    let complaint = '';
    child.stderr.on('data', (chunk) => (complaint += String(chunk)));
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect(code, 'another process is refused still').to.equal(1);
    expect(complaint).to.include('in use by');
    lock.release();
  });

  it('can be taken again after it was released, and refuses well when its description is unreadable', () => {
    const directory = stateDirectory();
    StateLock.acquire(directory, me).release();
    using lock = StateLock.acquire(directory, me);
    writeFileSync(join(directory, 'lock.json'), '{"pid":');
    expect(refusalOf(() => StateLock.acquire(directory, me)).message).to.include('another plumbline');
    lock.release();
  });

  it('keeps its files for the owner alone', () => {
    const directory = join(stateDirectory(), 'made', 'anew');
    using lock = StateLock.acquire(directory, me);
    expect(statSync(directory).mode & 0o777).to.equal(0o700);
    for (const file of ['lock.db', 'lock.json']) expect(statSync(join(directory, file)).mode & 0o777).to.equal(0o600);
    lock.release();
  });
});
