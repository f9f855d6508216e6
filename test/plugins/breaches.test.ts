import { expect } from 'chai';
import { ask, body, CANARY, failure, isAlive, until, Workbench } from './workbench.ts';

const GOOD = body('return { ...context, seen: true };');

/** What is written to a pipe that is full leaves the process only while it waits for something. */
const YIELD = 'await new Promise(setImmediate);';

/** What a plugin may do to be ended, the limits it runs under, and the code that says so. */
const BREACHES: Readonly<Record<string, { code: string; text: string; limits?: object }>> = {
  'does not parse': { code: 'plugin-load', text: 'export default {' },
  'throws while it is loaded': { code: 'plugin-load', text: 'throw new Error("no licence");' },
  'exports no execute': { code: 'plugin-load', text: 'export const run = () => 1;' },
  'imports what is not there': { code: 'plugin-load', text: 'import "./missing.js"; export const execute = 1;' },
  'ends while it is loaded': { code: 'plugin-crashed', text: 'process.exit(0);' },
  'never returns': { code: 'plugin-timeout', text: body('for (;;);'), limits: { timeout: 300 } },
  'never resolves': {
    code: 'plugin-timeout',
    text: body('return new Promise(() => setInterval(() => 1, 10));'),
    limits: { timeout: 300 },
  },
  'fills its heap': {
    code: 'plugin-memory',
    text: body('const all = []; for (;;) all.push(new Array(1000).fill(all.length));'),
    limits: { memory: 32, timeout: 30_000 },
  },
  'fills memory beyond its heap': {
    code: 'plugin-memory',
    text: body(
      'const all = []; for (;;) { all.push(Buffer.alloc(1 << 20, 1)); await new Promise((r) => setTimeout(r, 1)); }',
    ),
    limits: { memory: 32, timeout: 30_000 },
  },
  'floods standard output': {
    code: 'plugin-output',
    text: body(`for (;;) { console.log("x".repeat(1000)); ${YIELD} }`),
  },
  'floods standard error': {
    code: 'plugin-output',
    text: body(`for (;;) { console.error("x".repeat(1000)); ${YIELD} }`),
  },
  'floods its line': {
    code: 'plugin-output',
    text: `import fs from 'node:fs'; ${body('for (;;) fs.writeSync(4, "x".repeat(1000));')}`,
  },
  'answers too much': { code: 'plugin-output', text: body('return { big: "x".repeat(100_000) };') },
  'answers a line that is not JSON': {
    code: 'plugin-malformed',
    text: `import fs from 'node:fs'; ${body('fs.writeSync(4, "nonsense\\n"); return {};')}`,
  },
  'answers twice': {
    code: 'plugin-malformed',
    text: `import fs from 'node:fs'; ${body('fs.writeSync(4, "{}\\n{}\\n"); return {};')}`,
  },
  'answers another call': {
    code: 'plugin-malformed',
    text: `import fs from 'node:fs'; ${body('fs.writeSync(4, JSON.stringify({ id: 99, result: {} }) + "\\n"); return {};')}`,
  },
  'answers with a field named __proto__': {
    code: 'plugin-malformed',
    text: body('return JSON.parse(\'{"a": [{"__proto__": {"admin": true}}]}\');'),
  },
  'answers what is nested without end': {
    code: 'plugin-malformed',
    text: body('let deep = {}; for (let i = 0; i < 2000; i++) deep = { deep }; return deep;'),
  },
  'ends its process in a call': { code: 'plugin-crashed', text: body('process.exit(0);') },
  'closes its line': {
    code: 'plugin-crashed',
    text: `import fs from 'node:fs'; ${body('fs.closeSync(4); await new Promise(() => setInterval(() => 1, 1000));')}`,
  },
  'throws outside of its call': {
    code: 'plugin-crashed',
    text: body('setTimeout(() => { throw new Error("late"); }); return new Promise(() => setInterval(() => 1, 1000));'),
  },
};

describe('A plugin that', function () {
  this.timeout(60_000);
  let bench: Workbench;
  beforeEach(() => {
    bench = new Workbench();
  });
  afterEach(() => bench[Symbol.asyncDispose]());

  for (const [what, { code, text, limits }] of Object.entries(BREACHES)) {
    it(`${what} fails its own call (${code}), says what to do, and harms no other plugin`, async () => {
      const good = bench.pool('good', GOOD);
      const bad = bench.pool('bad', text, limits);
      const [error, verdict] = await Promise.all([failure(ask(bad, { n: 1 })), ask(good, { n: 2 })]);
      expect(error, error.message).to.include({ code, retry: 'backoff' });
      expect(error.message).to.match(/^The plugin bad .*\.$/);
      expect(error.remedy).to.match(/\S\.$/);
      expect(verdict).to.deep.equal({ result: { n: 2, seen: true } });
      await until(() => bad.pids.every((pid) => !isAlive(pid)), 'its process is gone');
      expect(await ask(good, { n: 3 })).to.deep.equal({ result: { n: 3, seen: true } });
    });
  }

  it('throws fails that call and no other, in the same process', async () => {
    const pool = bench.pool(
      'moody',
      body('if (context.bad) throw new TypeError("oh no"); return { pid: process.pid };'),
    );
    const before = await ask(pool);
    expect(await failure(ask(pool, { bad: true }))).to.include({ code: 'plugin-failed', retry: 'backoff' });
    expect(await ask(pool)).to.deep.equal(before);
  });

  it('throws a ValidationError refuses, and has not failed', async () => {
    const text = body('throw Object.assign(new Error("Amount exceeds limit"), { name: "ValidationError" });');
    expect(await ask(bench.pool('limit', text))).to.deep.equal({ refused: 'Amount exceeds limit' });
  });

  it('throws an error of a class of that name refuses as well', async () => {
    const text = `class ValidationError extends Error {} ${body('throw new ValidationError("Amount exceeds limit.");')}`;
    expect(await ask(bench.pool('limit', text))).to.deep.equal({ refused: 'Amount exceeds limit' });
  });

  it('gives something that is not JSON fails that call only', async () => {
    const pool = bench.pool('cycle', body('if (context.n) return context; const a = {}; a.a = a; return a;'));
    expect(await failure(ask(pool))).to.include({ code: 'plugin-failed' });
    expect(await ask(pool, { n: 1 })).to.deep.equal({ result: { n: 1 } });
  });

  it('prints to standard output prints: the line to the daemon is another one', async () => {
    const pool = bench.pool('chatty', body('console.log("{}"); console.error("hello"); return {};'));
    expect(await ask(pool)).to.deep.equal({ result: {} });
    await until(() => bench.printed.length === 2, 'both lines were passed on');
    expect(bench.printed).to.have.members(['{}', 'hello']);
  });

  it('prints or throws a secret shows it to nobody', async () => {
    const half = CANARY.length / 2;
    const pool = bench.pool(
      'leaky',
      body(`process.stdout.write(context.secret.slice(0, ${half})); process.stdout.write(context.secret.slice(${half}) + "\\n");
        console.error("key: " + context.secret);
        throw Object.assign(new Error("bad " + context.secret), { name: context.name });`),
    );
    expect(await ask(pool, { secret: CANARY, name: 'ValidationError' })).to.deep.equal({ refused: 'bad •••' });
    expect((await failure(ask(pool, { secret: CANARY, name: 'Error' }))).message).to.include('bad •••');
    await until(() => bench.printed.length >= 4, 'what it printed was passed on');
    expect(bench.printed.join('\n')).to.include('•••').and.not.include('CANARY');
  });

  it('throws a secret while it is loaded shows it to nobody', async () => {
    const error = await failure(ask(bench.pool('leaky', `throw new Error("${CANARY}");`)));
    expect(error.message).to.include('•••').and.not.include('CANARY');
  });

  it('prints many lines within its limit is passed on in part, and the rest counted', async () => {
    const pool = bench.pool('chatty', body('for (let i = 0; i < 1000; i++) console.log("line " + i); return {};'));
    await ask(pool);
    await until(() => bench.printed.some((line) => line.startsWith('… and')), 'the rest was counted');
    expect(bench.printed.length).to.be.lessThan(200);
  });
});
