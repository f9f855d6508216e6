import { symlinkSync, mkdirSync, existsSync, writeFileSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { expect } from 'chai';
import { openFolder } from '../../src/plugins/folder.ts';
import type { PluginPool } from '../../src/plugins/plugin-pool.ts';
import { ask, body, CANARY, failure, Workbench } from './workbench.ts';

/** A plugin that tries what it is told: its result says what came of it. */
function prober(attempts: Readonly<Record<string, string>>): string {
  const functions = Object.entries(attempts).map(
    ([what, text]) => `${JSON.stringify(what)}: async (context) => { ${text} }`,
  );
  return `import fs from 'node:fs'; const attempts = { ${functions.join(',\n')} };
    export async function execute(context) {
      try { return { did: String(await attempts[context.attempt](context)) }; } catch (error) { return { refused: String(error.code ?? error.message) }; }
    }`;
}

/** Ways out: each has to end in a refusal. `context` holds paths outside of the plugin's folder. */
const ATTEMPTS: Readonly<Record<string, string>> = {
  'read a file outside': 'return fs.readFileSync(context.outside, "utf8");',
  'read a file outside by a relative path': 'return fs.readFileSync("../secret.txt", "utf8");',
  'read a file outside by a path of bytes': 'return fs.readFileSync(Buffer.from("../secret.txt"), "utf8");',
  'read a file of a folder whose name begins alike': 'return fs.readFileSync("../prober-other/secret.txt", "utf8");',
  'read a file outside asynchronously': 'return fs.promises.readFile(context.outside, "utf8");',
  'read a file outside as a stream':
    'return new Promise((done, no) => fs.createReadStream(context.outside).on("error", no).on("data", done));',
  'see whether a file outside exists': 'if (fs.existsSync(context.outside)) return true; throw new Error("no");',
  'list a folder outside': 'return fs.readdirSync("..").join();',
  'import a file outside': 'return (await import(context.outsideModule)).default;',
  'import a text as a module': 'return (await import("data:text/javascript,export default 1")).default;',
  'read the environment of its process': 'return fs.readFileSync("/proc/self/environ", "utf8");',
  'read the environment of the daemon': 'return fs.readFileSync("/proc/" + process.ppid + "/environ", "utf8");',
  'write into its folder': 'fs.writeFileSync("new.txt", "x"); return "written";',
  'make a link in its folder': 'fs.symlinkSync(context.outside, "link"); return "linked";',
  'make a hard link in its folder': 'fs.linkSync(context.outside, "link"); return "linked";',
  'delete in its folder': 'fs.rmSync("index.js"); return "deleted";',
  'start a process': 'const { spawnSync } = await import("node:child_process"); return spawnSync("id").pid;',
  'become another process': 'process.execve("/bin/true", ["true"], {}); return "became";',
  'fork itself by a cluster':
    'const { default: cluster } = await import("node:cluster"); cluster.fork(); return "forked";',
  'start a thread':
    'const { Worker } = await import("node:worker_threads"); new Worker("1", { eval: true }); return "started";',
  'load an add-on': 'process.dlopen({ exports: {} }, context.outside); return "loaded";',
  'reach the insides of the runtime': 'return typeof process.binding("fs");',
  'open an inspector': 'const { open } = await import("node:inspector"); open(0); return "open";',
  'open the inspector of the daemon': 'process._debugProcess(process.ppid); return "open";',
  'send a signal to the daemon': 'process.kill(process.ppid, 0); return "sent";',
  'slow the daemon down': 'const os = await import("node:os"); os.setPriority(process.ppid, 19); return "slowed";',
  'lift the limits of its heap':
    'const v8 = await import("node:v8"); v8.setFlagsFromString("--max-old-space-size=4096"); return "lifted";',
  'write a database past the permissions':
    'const { DatabaseSync } = await import("node:sqlite"); const db = new DatabaseSync(":memory:"); db.exec("attach database \'../stolen.db\' as x; create table x.t(a)"); return "written";',
  'write a report': 'return process.report.writeReport("report.json");',
  'load the library of an engine':
    'const { setEngine } = await import("node:crypto"); setEngine(context.outside); return "loaded";',
  'reach its modules through the module system':
    'const { createRequire } = await import("node:module"); return typeof createRequire;',
  'get a built-in module by its back door': 'return process.getBuiltinModule("node:child_process").spawnSync;',
  'see the handles of the runtime': 'return process._getActiveHandles().length;',
  'reach a prototype by its name': 'return ({}).__proto__ === Object.prototype;',
};

describe('The process of a plugin', function () {
  this.timeout(120_000);
  let bench: Workbench;
  let pool: PluginPool;
  before(() => {
    bench = new Workbench();
    pool = bench.pool('prober', prober(ATTEMPTS));
  });
  after(() => bench[Symbol.asyncDispose]());

  for (const attempt of Object.keys(ATTEMPTS)) {
    it(`cannot ${attempt}`, async () => {
      const outside = bench.lay('.', CANARY, 'secret.txt');
      bench.lay('prober-other', CANARY, 'secret.txt');
      const outsideModule = bench.lay('elsewhere', `export default '${CANARY}';`, 'out.mjs');
      const verdict = await ask(pool, { attempt, outside, outsideModule });
      const result = 'result' in verdict ? (verdict.result as Record<string, string>) : {};
      expect(result, JSON.stringify(result))
        .to.have.property('refused')
        .that.does.not.match(/attempts/);
      expect(JSON.stringify(verdict)).to.not.include('CANARY');
      expect(readdirSync(join(bench.root, 'prober'))).to.deep.equal(['index.js']);
      expect(existsSync(join(bench.root, 'stolen.db'))).to.equal(false);
    });
  }

  it('has no environment, no arguments of the daemon, and nobody else to speak to by its descriptors', async () => {
    process.env['PLUMBLINE_TEST_CANARY'] = CANARY;
    try {
      const pool = bench.pool(
        'bare',
        body('return { env: process.env, argv: process.argv.length, cwd: process.cwd() };'),
      );
      expect(await ask(pool)).to.deep.equal({ result: { env: {}, argv: 2, cwd: join(bench.root, 'bare') } });
    } finally {
      delete process.env['PLUMBLINE_TEST_CANARY'];
    }
  });

  it('has a heap of its own size, also where the system does not tell what a process uses', async () => {
    const verdict = await ask(bench.pool('sized', body('return { args: process.execArgv };'), { memory: 48 }));
    expect(verdict).to.have.nested.property('result.args').that.includes('--max-old-space-size=48');
  });

  it('has no function of the runtime left that was not looked at', async () => {
    const pool = bench.pool(
      'lister',
      body('return Object.getOwnPropertyNames(process).filter((name) => typeof process[name] === "function").sort();'),
    );
    expect(await ask(pool)).to.deep.equal({
      result: [
        '_fatalException _rawDebug _tickCallback availableMemory constrainedMemory cpuUsage cwd emitWarning',
        'exit getActiveResourcesInfo getBuiltinModule getegid geteuid getgid getgroups getuid',
        'hasUncaughtExceptionCaptureCallback hrtime memoryUsage nextTick reallyExit ref resourceUsage',
        'setSourceMapsEnabled setUncaughtExceptionCaptureCallback threadCpuUsage unref uptime',
      ].flatMap((line) => line.split(' ')),
    });
  });

  it('reads its own folder, imports its own modules, and uses what is harmless', async () => {
    bench.lay('rich', 'export const rate = 3;', 'lib/rate.js');
    bench.lay('rich', '{"limit": 10000}', 'limits.json');
    bench.lay('rich', '7', 'data.txt');
    const text = `import { createHash } from 'node:crypto'; import { readFileSync } from 'fs'; import { rate } from './lib/rate.js';
      import limits from './limits.json' with { type: 'json' };
      export const execute = (context) => ({ rate, ...limits, data: readFileSync(new URL('data.txt', import.meta.url), 'utf8'),
        hash: createHash('sha256').update('x').digest('hex').length });`;
    expect(await ask(bench.pool('rich', text))).to.deep.equal({
      result: { rate: 3, limit: 10000, data: '7', hash: 64 },
    });
  });

  it('reaches the network: nothing here claims that it does not', async () => {
    const server = createServer((_, response) => response.end('hello')).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    const pool = bench.pool('caller', body(`return { text: await (await fetch('http://127.0.0.1:${port}')).text() };`));
    expect(await ask(pool)).to.deep.equal({ result: { text: 'hello' } });
    server.closeAllConnections();
    server.close();
  });

  it('keeps what a plugin does to its own prototypes to itself', async () => {
    const pool = bench.pool(
      'polluter',
      body('Object.prototype.admin = true; Array.prototype.map = () => []; return {};'),
    );
    await ask(pool);
    expect(({} as Record<string, unknown>)['admin']).to.equal(undefined);
  });
});

describe('The folder of a plugin', () => {
  let bench: Workbench;
  beforeEach(() => {
    bench = new Workbench();
  });
  afterEach(() => bench[Symbol.asyncDispose]());
  const open = (folder: string, entry = 'index.js') =>
    openFolder({ name: 'limit', folder, entry, baseDir: join(bench.root, 'configuration') });

  it('is followed to where it really is, links that stay inside included', async () => {
    bench.lay('real/code', body('return context;'));
    bench.lay('real/code', '1', 'lib/a.js');
    symlinkSync('lib', join(bench.root, 'real/code/same'));
    mkdirSync(join(bench.root, 'configuration'));
    symlinkSync(join(bench.root, 'real/code'), join(bench.root, 'configuration/limit'));
    expect(await open('limit')).to.include({
      root: join(bench.root, 'real/code'),
      entry: join(bench.root, 'real/code/index.js'),
    });
  });

  it('has its entry inside of it, whatever a path to one says', async () => {
    bench.lay('limit', body('return context;'));
    bench.lay('other', body('return context;'));
    mkdirSync(join(bench.root, 'configuration'));
    const error = await failure(open('../limit', 'lib/../../other/index.js'));
    expect(error).to.match(/entry lib\/\.\.\/\.\.\/other\/index\.js outside of/);
  });

  const wrong: Readonly<Record<string, (root: string) => string>> = {
    'is not there': () => '../missing',
    'is a file': () => '../limit/index.js',
    'has no entry': (root) => {
      mkdirSync(join(root, 'empty'));
      return '../empty';
    },
    'has a link to a file outside': (root) => {
      symlinkSync('/etc/hostname', join(root, 'limit/name'));
      return '../limit';
    },
    'has a link to a folder outside': (root) => {
      mkdirSync(join(root, 'limit/deep'));
      symlinkSync('../../configuration', join(root, 'limit/deep/up'));
      return '../limit';
    },
    'has a link to nowhere': (root) => {
      symlinkSync('../later', join(root, 'limit/later'));
      return '../limit';
    },
    'holds the configuration': (root) => {
      writeFileSync(join(root, 'index.js'), '');
      return '..';
    },
    'is the configuration': (root) => {
      writeFileSync(join(root, 'configuration/index.js'), '');
      return '.';
    },
    'has a star in its path, which the runtime would take for a pattern': (root) => {
      bench.lay('a*b', '');
      return join(root, 'a*b');
    },
  };
  for (const [what, prepare] of Object.entries(wrong)) {
    it(`is refused when it ${what}`, async () => {
      bench.lay('limit', body('return context;'));
      mkdirSync(join(bench.root, 'configuration'));
      const error = await failure(open(prepare(bench.root)));
      expect(error).to.include({ code: 'plugin-folder', retry: 'never' });
      expect(error.remedy).to.match(/\S\.$/);
    });
  }

  it('is looked at again before every process: a link that was added later is not followed', async () => {
    bench.lay('.', CANARY, 'secret.txt');
    const text = `import fs from 'node:fs'; ${body('if (context.end) process.exit(1); return { text: fs.readFileSync("link", "utf8") };')}`;
    const pool = bench.pool('late', text);
    await failure(ask(pool, { end: true }));
    symlinkSync('../secret.txt', join(bench.root, 'late/link'));
    const error = await failure(ask(pool));
    expect(error).to.include({ code: 'plugin-folder' });
  });
});
