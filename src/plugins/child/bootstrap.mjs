// First code of every process that runs a plugin. It takes away what the runtime's permissions leave open, loads the plugin, and
// answers one call after the other: JSON lines in over descriptor 3, out over descriptor 4. Standard output is the plugin's own.
import fs from 'node:fs';
import { registerHooks } from 'node:module';
import net from 'node:net';
import { Worker } from 'node:worker_threads';

const { parse, stringify } = JSON;
const { writeSync } = fs;
const exit = process.exit.bind(process);
const kill = process._kill.bind(process);
const READS = 3;
const WRITES = 4;

/**
 * Built-in modules that a plugin may import. Left out is what starts processes or threads, speaks to other processes, lifts limits
 * (v8), hands out the runtime's insides (module, process, vm, async_hooks), or writes files past the permissions (sqlite).
 */
const ALLOWED = new Set(
  [
    'assert assert/strict buffer console constants crypto dns dns/promises events fs fs/promises http https net path',
    'path/posix path/win32 perf_hooks punycode querystring stream stream/consumers stream/promises stream/web',
    'string_decoder timers timers/promises tls url util util/types zlib',
  ].flatMap((line) => line.split(' ')),
);

/**
 * Members of `process` that the runtime's permissions do not cover: signals to any process of this user (the daemon itself, and
 * SIGUSR1 opens its inspector), other identities, core dumps, and the handles of the runtime.
 */
const REMOVED = [
  'kill _kill _debugProcess _debugEnd abort execve dlopen binding _linkedBinding _getActiveHandles _getActiveRequests',
  'openStdin loadEnvFile report umask chdir initgroups setgroups setegid seteuid setgid setuid',
  '_startProfilerIdleNotifier _stopProfilerIdleNotifier',
].flatMap((line) => line.split(' '));

// A thread of its own, because a plugin that never returns would never see that the daemon is gone: the end of descriptor 5 ends
// this process whatever it is doing.
const watchdog = new Worker(
  `const { readSync } = require('node:fs');
  const byte = Buffer.alloc(1);
  try { while (readSync(5, byte, 0, 1) > 0); } catch {}
  process.kill(process.pid, 'SIGKILL');`,
  {
    eval: true,
    env: {},
    execArgv: [],
    stdout: true,
    stderr: true,
    resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2, stackSizeMb: 1 },
  },
);

function send(message) {
  sendText(stringify(message));
}

function sendText(text) {
  const line = Buffer.from(`${text}\n`);
  for (let sent = 0; sent < line.length;) sent += writeSync(WRITES, line, sent);
}

/** What code may not do, by the name that the runtime has for it. */
const DENIED = {
  FileSystemRead: 'read files outside of its folder',
  FileSystemWrite: 'write files',
  ChildProcess: 'start programs',
  WorkerThreads: 'start threads',
};

function textOf(error) {
  try {
    // The runtime names a flag of its own, which nobody here can give.
    if (error?.code === 'ERR_ACCESS_DENIED' && Object.hasOwn(DENIED, error.permission))
      return `it may not ${DENIED[error.permission]}`;
    return typeof error?.message === 'string' ? error.message : String(error);
  } catch {
    return 'something that cannot be shown';
  }
}

function isRefusal(error) {
  try {
    return error instanceof Error && [error.name, error.constructor.name].includes('ValidationError');
  } catch {
    return false;
  }
}

function lockDown() {
  process.permission.drop('worker');
  const builtin = process.getBuiltinModule.bind(process);
  const bare = (name) => String(name).replace(/^node:/, '');
  for (const name of REMOVED) delete process[name];
  const left = REMOVED.filter((name) => name in process);
  if (left.length > 0 || process.permission.has('worker')) throw new Error(`${left.join(', ')} cannot be taken away`);
  Object.defineProperty(process, 'getBuiltinModule', {
    value: (name) => (ALLOWED.has(bare(name)) ? builtin(name) : undefined),
  });
}

/** From here on only modules of the plugin's folder and the allowed built-in ones can be imported, and only as ES modules. */
function restrictImports(folder) {
  const FORMATS = { js: 'module', mjs: 'module', json: 'json', wasm: 'wasm' };
  const refuse = (what) => {
    throw Object.assign(new Error(`A plugin cannot import ${what}.`), { code: 'ERR_ACCESS_DENIED' });
  };
  registerHooks({
    resolve(specifier, context, next) {
      const found = next(specifier, context);
      if (found.url.startsWith('node:')) return ALLOWED.has(found.url.slice(5)) ? found : refuse(found.url);
      return found.url.startsWith(folder) ? found : refuse('what lies outside of its folder');
    },
    load(url, context, next) {
      if (url.startsWith('node:')) return next(url, context);
      const format = FORMATS[/\.(\w+)$/.exec(new URL(url).pathname)?.[1] ?? ''];
      return format === undefined
        ? refuse('anything but .js, .mjs, .json and .wasm')
        : next(url, { ...context, format });
    },
  });
}

async function load({ folder, entry }) {
  restrictImports(folder);
  const module = await import(entry);
  const plugin = typeof module.execute === 'function' ? module : module.default;
  const execute = plugin?.execute;
  if (typeof execute !== 'function') throw new Error('it exports no function named execute');
  return (context) => Reflect.apply(execute, plugin, [context]);
}

async function answer(execute, { id, context, reply }) {
  try {
    const result = await execute(context);
    // A validation is about what is refused; the rest of its context need not travel back.
    const object = typeof result === 'object' && result !== null && !Array.isArray(result);
    return { id, result: reply === 'refusals' && object ? { refusals: result.refusals } : (result ?? null) };
  } catch (error) {
    return isRefusal(error) ? { id, refused: textOf(error) } : { id, fault: textOf(error) };
  }
}

/** Answers in order; an answer that is no JSON (a cycle, a BigInt) is the plugin's fault as well. */
async function serve(execute, request) {
  const message = await answer(execute, request);
  let line;
  try {
    line = stringify(message);
  } catch (error) {
    line = stringify({ id: request.id, fault: `its answer is not JSON: ${textOf(error)}` });
  }
  sendText(line);
}

let execute;
async function take(line) {
  const message = parse(line);
  if (execute !== undefined) return serve(execute, message);
  try {
    execute = await load(message);
  } catch (error) {
    return send({ failed: textOf(error) });
  }
  return send({ ready: true });
}

function listen() {
  const socket = new net.Socket({ fd: READS, readable: true, writable: false });
  let turn = Promise.resolve();
  let parts = [];
  socket.on('data', (chunk) => {
    let rest = chunk;
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      const line = Buffer.concat([...parts, rest.subarray(0, end)]).toString('utf8');
      parts = [];
      rest = rest.subarray(end + 1);
      turn = turn.then(() => take(line));
    }
    if (rest.length > 0) parts.push(rest);
  });
  socket.on('end', () => exit(0));
  socket.on('error', () => exit(1));
}

// On its way out the runtime would wait for the watchdog, which waits for the daemon.
process.once('exit', (code) => {
  try {
    send({ exited: code });
  } finally {
    kill(process.pid, 9);
  }
});
watchdog.once('error', () => exit(1));
watchdog.once('exit', () => exit(1));
watchdog.once('online', () => {
  watchdog.unref();
  try {
    lockDown();
    listen();
    send({ started: true });
  } catch (error) {
    send({ failed: textOf(error) });
  }
});
