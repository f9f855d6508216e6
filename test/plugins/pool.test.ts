import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { Restarts } from '../../src/plugins/restarts.ts';
import { ask, body, failure, isAlive, NEVER, until, Workbench } from './workbench.ts';

const PID = body('return { ...context, pid: process.pid };');
/** Works as long as it is told to: `hang` for ever, `wait` until another call of the same process comes… never. */
const WORKER = body(`if (context.work === 'hang') for (;;);
  if (context.work === 'wait') await new Promise(() => setInterval(() => 1, 1000));
  if (context.work === 'deaf') { const fs = await import('node:fs'); for (const fd of [3, 5]) try { fs.closeSync(fd); } catch {} for (;;); }
  return { ...context, pid: process.pid };`);

describe('The processes of a plugin', function () {
  this.timeout(60_000);
  let bench: Workbench;
  beforeEach(() => {
    bench = new Workbench();
  });
  afterEach(() => bench[Symbol.asyncDispose]());

  it('are kept: one call after the other runs in the same one', async () => {
    const pool = bench.pool('kept', PID);
    await pool.warm();
    const [pid] = pool.pids;
    expect(await ask(pool, { n: 1 })).to.deep.equal({ result: { n: 1, pid } });
    expect(await ask(pool, { n: 2 })).to.deep.equal({ result: { n: 2, pid } });
    expect(pool.pids).to.deep.equal([pid]);
  });

  it('answer more calls at once than there are processes, each with its own answer', async () => {
    const pool = bench.pool(
      'busy',
      body('await new Promise((r) => setTimeout(r, 5)); return { ...context, pid: process.pid };'),
      {
        processes: 2,
      },
    );
    const verdicts = await Promise.all(Array.from({ length: 20 }, (_, n) => ask(pool, { n })));
    const results = verdicts.map(
      (verdict) => ('result' in verdict ? verdict.result : {}) as { n: number; pid: number },
    );
    expect(results.map(({ n }) => n)).to.deep.equal(Array.from({ length: 20 }, (_, n) => n));
    expect(new Set(results.map(({ pid }) => pid)).size).to.equal(2);
    expect(pool.pids).to.have.length(2);
  });

  it('are replaced after a call that ends one; the calls beside and behind it are answered', async () => {
    const pool = bench.pool('mixed', WORKER, { processes: 2, timeout: 3000 });
    const [hung, ...others] = await Promise.all([
      failure(ask(pool, { work: 'hang' })),
      ...Array.from({ length: 6 }, (_, n) => ask(pool, { n })),
    ]);
    expect(hung).to.include({ code: 'plugin-timeout' });
    expect(others.map((verdict) => ('result' in verdict ? (verdict.result as { n: number }).n : -1))).to.deep.equal([
      0, 1, 2, 3, 4, 5,
    ]);
  });

  it('wait in a line of bounded length', async () => {
    const pool = bench.pool('slow', WORKER, { timeout: 20_000 });
    await pool.warm();
    const stop = new AbortController();
    const calls = Array.from({ length: 202 }, () => failure(ask(pool, { work: 'wait' }, stop.signal).catch(named)));
    const last = await calls.at(-1);
    expect(last).to.include({ code: 'plugin-busy', retry: 'backoff' });
    stop.abort();
    expect((await Promise.all(calls)).filter(({ code }) => code === 'plugin-busy')).to.have.length(1);
  });

  it('an aborted call ends at once with the reason, whether it runs or waits; the next one is answered', async () => {
    const pool = bench.pool('slow', WORKER);
    await pool.warm();
    const stop = new AbortController();
    const running = ask(pool, { work: 'hang' }, stop.signal);
    const waiting = ask(pool, { work: 'hang' }, stop.signal);
    const next = ask(pool, { n: 1 });
    const reason = new Error('enough');
    stop.abort(reason);
    const ended = await Promise.allSettled([running, waiting]);
    expect(ended.map((one) => (one.status === 'rejected' ? (one.reason as unknown) : one))).to.deep.equal([
      reason,
      reason,
    ]);
    expect(await next).to.have.nested.property('result.n', 1);
    expect(await ask(pool, {}, stop.signal).catch((error: unknown) => error)).to.equal(reason);
  });

  it('an answer and then the end: the call stands, and the next one gets another process', async () => {
    const pool = bench.pool('brief', body('setTimeout(() => process.exit(0), 1); return { pid: process.pid };'));
    const first = await ask(pool);
    await until(() => pool.pids.length === 0, 'the first process is gone');
    const second = await ask(pool);
    expect(first).to.not.deep.equal(second);
    expect(second).to.have.property('result');
  });

  it('that fail again and again are started less and less often, until one answers', async () => {
    let now = 0;
    const pool = bench.pool('dying', 'process.exit(1);', { now: () => now });
    for (let n = 0; n < 4; n += 1) expect(await failure(ask(pool))).to.include({ code: 'plugin-crashed' });
    const paused = await failure(ask(pool));
    expect(paused).to.include({ code: 'plugin-failed', retryAfter: 250 });
    expect(paused.message).to.match(/failed 4 times in a row and is asked again in 1 s/);
    now += 250;
    expect(await failure(ask(pool))).to.include({ code: 'plugin-crashed' });
    expect(await failure(ask(pool))).to.include({ retryAfter: 500 });
    bench.lay('dying', PID);
    now += 500;
    expect(await ask(pool)).to.have.property('result');
    bench.lay('dying', 'process.exit(1);');
    expect(await ask(pool)).to.have.property('result');
  });

  it('pause for a minute at most, and not at all after a success', () => {
    let now = 0;
    const restarts = new Restarts(() => now);
    for (let n = 0; n < 3; n += 1) restarts.failed();
    expect(restarts.pause).to.equal(0);
    for (let n = 0; n < 100; n += 1) restarts.failed();
    expect(restarts.pause).to.equal(60_000);
    now += 59_000;
    expect(restarts.pause).to.equal(1000);
    restarts.succeeded();
    expect(restarts.pause).to.equal(0);
  });

  it('are gone when the pool is disposed of, hung ones, starting ones and waiting calls included', async function () {
    // Less than a start may take: one that is under way is not waited for.
    this.timeout(15_000);
    const pool = bench.pool('slow', WORKER, { processes: 2 });
    await pool.warm();
    const calls = Array.from({ length: 4 }, () => failure(ask(pool, { work: 'hang' })));
    const loading = bench.pool('loading', 'await new Promise(() => setInterval(() => 1, 1000));');
    const starting = failure(ask(loading));
    await until(() => pool.pids.length === 2, 'both processes stand');
    const { pids } = pool;
    await Promise.all([pool[Symbol.asyncDispose](), loading[Symbol.asyncDispose]()]);
    for (const error of await Promise.all([...calls, starting])) expect(error).to.include({ code: 'plugin-stopped' });
    expect(pids.filter(isAlive)).to.deep.equal([]);
    expect(await failure(ask(pool))).to.include({ code: 'plugin-stopped' });
  });

  it('that go on working when their call is over are ended, where the system tells', async function () {
    if (process.platform !== 'linux') this.skip();
    const text = body('if (context.n === 2) setTimeout(() => { for (;;); }, 1); return { pid: process.pid };');
    const pool = bench.pool('restless', text);
    const quiet = await ask(pool, { n: 1 });
    expect(await ask(pool, { n: 2 })).to.deep.equal(quiet);
    await until(() => pool.pids.length === 0, 'the restless process is gone');
  });

  it('a retired pool answers what it was asked before it stops', async () => {
    const pool = bench.pool('old', PID);
    const call = ask(pool, { n: 1 });
    await pool.retire();
    expect(await call).to.have.nested.property('result.n', 1);
    expect(pool.pids).to.deep.equal([]);
  });

  for (const work of ['none', 'wait', 'hang', 'deaf']) {
    it(`do not outlive a daemon that is killed, whatever they are doing (${work})`, async () => {
      bench.lay('orphan', WORKER);
      const args = [fileURLToPath(new URL('orphaning-daemon.ts', import.meta.url)), 'orphan', bench.root, work];
      const daemon = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      const text = await new Promise<string>((resolve) =>
        daemon.stdout.once('data', (chunk) => resolve(String(chunk))),
      );
      const pid = Number(text);
      expect(isAlive(pid), text).to.equal(true);
      daemon.kill('SIGKILL');
      await until(() => !isAlive(pid), 'the process of the plugin is gone');
    });
  }

  it('keep nobody from ending', async () => {
    const pool = bench.pool('idle', PID);
    await ask(pool);
    expect(process.getActiveResourcesInfo().filter((name) => name === 'ProcessWrap')).to.deep.equal([]);
  });

  it('are refused to a signal that was aborted before', async () => {
    const pool = bench.pool('idle', PID);
    const error = await pool
      .execute({}, 'context', AbortSignal.abort(new Error('before')))
      .catch((one: unknown) => one);
    expect(error).to.have.property('message', 'before');
    expect(pool.pids).to.deep.equal([]);
    expect(await pool.execute({}, 'context', NEVER)).to.have.property('result');
  });
});

function named(error: unknown): never {
  if (error instanceof Error && error.name === 'ReconcilerError') throw error;
  throw Object.assign(new Error('aborted'), { name: 'ReconcilerError' });
}
