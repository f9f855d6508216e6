import { expect } from 'chai';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { prepareHostedFiles } from '../../../src/drivers/node-red/hosted-files.ts';
import { askChild, stopLeftover } from '../../../src/drivers/node-red/hosted-process.ts';
import { type HostedNodeRed, startHosted } from '../../../src/drivers/node-red/hosted.ts';
import { freePort } from '../../platforms/processes.ts';
import { call, login, until } from './operator-node-red.ts';

describe('a hosted Node-RED', () => {
  let stateDir: string;
  let said: string[];
  const running: HostedNodeRed[] = [];
  const servers: Server[] = [];
  const children: ChildProcess[] = [];

  beforeEach(() => {
    stateDir = mkdtempSync(join(tmpdir(), 'plumbline-hosted-'));
    said = [];
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((one) => one.stop()));
    for (const server of servers.splice(0)) server.close();
    for (const child of children.splice(0)) child.kill('SIGKILL');
    rmSync(stateDir, { recursive: true, force: true });
  });

  const start = async (port?: number, signal = new AbortController().signal): Promise<HostedNodeRed> => {
    const log = (...entry: readonly unknown[]): void => void said.push(JSON.stringify(entry));
    const hosted = await startHosted({ stateDir, name: 'demo', port: port ?? (await freePort()), log, signal });
    running.push(hosted);
    return hosted;
  };
  const serve = (port: number, answer: (url: string) => Promise<string> | string): Promise<number> =>
    new Promise((resolve) => {
      const server = createServer(
        (req, res) => void Promise.resolve(answer(req.url ?? '')).then((text) => res.end(text)),
      );
      servers.push(server);
      server.listen(port, '127.0.0.1', () => {
        const address = server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
  const alive = (pid: number): boolean => {
    try {
      process.kill(pid, 0);
      return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    } catch {
      return false;
    }
  };

  it('listens on this machine only, with access control, in an empty environment, and keeps its keys to itself', async () => {
    const hosted = await start();
    expect(hosted.url).to.match(/^http:\/\/127\.0\.0\.1:/);
    expect((await call(hosted.url, undefined, ['GET', '/flows'])).status).to.equal(401);
    expect(await login(hosted.url, hosted.username, 'wrong')).to.equal(undefined);
    const token = await login(hosted.url, hosted.username, hosted.password());
    expect((await call(hosted.url, token, ['GET', '/flows'])).status).to.equal(200);
    const hello = (await call(hosted.url, token, ['GET', '/plumbline/hello'])).json;
    expect(hello).to.deep.include({ instance: hosted.instance, accessControl: true, account: hosted.username });
    if (process.platform === 'linux') {
      const environment = readFileSync(`/proc/${hosted.pid}/environ`, 'utf8').split('\0').filter(Boolean);
      expect(environment).to.deep.equal([`HOME=${join(stateDir, 'node-red', 'demo', 'user')}`]);
    }
    for (const file of ['keys.json', 'process.json', 'user/settings.js', 'user/plumbline/instance.json']) {
      expect(statSync(join(stateDir, 'node-red', 'demo', file)).mode & 0o077, file).to.equal(0);
    }
    const keys = JSON.parse(readFileSync(join(stateDir, 'node-red', 'demo', 'keys.json'), 'utf8')) as Record<
      string,
      string
    >;
    expect(readFileSync(join(stateDir, 'node-red', 'demo', 'user', 'settings.js'), 'utf8')).not.to.contain(
      keys['password'],
    );
    for (const secret of Object.values(keys)) expect(said.join('\n')).not.to.contain(secret);
  });

  it('takes another port when the wanted one is busy, and continues with the same identity, password and flows', async () => {
    const busy = await serve(0, () => 'somebody else');
    const first = await start(busy);
    expect(first.url).not.to.contain(`:${busy}`);
    const { instance } = first;
    const password = first.password();
    const token = await login(first.url, first.username, password);
    await call(first.url, token, ['POST', '/flows', [{ id: 'kept', type: 'tab', label: 'Kept' }]]);
    await first.stop();
    expect(alive(first.pid)).to.equal(false);
    const second = await start(busy);
    expect(second.instance).to.equal(instance);
    expect(second.password()).to.equal(password);
    const again = await login(second.url, second.username, password);
    expect(JSON.stringify((await call(second.url, again, ['GET', '/flows'])).json)).to.contain('kept');
  });

  it('is started again when it crashes, and not when it was stopped', async () => {
    const hosted = await start();
    const { pid, instance } = hosted;
    const exits: (number | undefined)[] = [];
    hosted.onExit(({ restartIn }) => exits.push(restartIn));
    process.kill(pid, 'SIGKILL');
    const ready = (): number => said.filter((line) => line.includes('is ready')).length;
    await until(() => ready() === 2);
    expect(hosted.pid).not.to.equal(pid);
    expect(await login(hosted.url, hosted.username, hosted.password())).to.be.a('string');
    expect(hosted.instance).to.equal(instance);
    expect(exits).to.have.length(1);
    expect(exits[0]).to.be.greaterThan(0);
    await hosted.stop();
    expect(exits[1]).to.equal(undefined);
    expect(alive(hosted.pid)).to.equal(false);
  });

  it('stops when its signal fires, also while it starts', async () => {
    const controller = new AbortController();
    const starting = start(undefined, controller.signal);
    const failure = starting.then(
      () => 'started',
      (error: unknown) => error,
    );
    await until(() => {
      try {
        return readFileSync(join(stateDir, 'node-red', 'demo', 'process.json'), 'utf8');
      } catch {
        return undefined;
      }
    })
      .then((text) => {
        controller.abort();
        return JSON.parse(text) as { pid: number };
      })
      .then(({ pid }) => until(() => !alive(pid)));
    expect(await failure).not.to.equal('started');
  });

  it('goes when the process that started it is killed', async () => {
    const parent = spawnParent(stateDir, await freePort());
    children.push(parent);
    const pid = await pidFrom(parent);
    expect(alive(pid)).to.equal(true);
    parent.kill('SIGKILL');
    await until(() => !alive(pid));
  });

  it('stops a Node-RED that a killed run left behind and that hangs, before it starts its own', async function () {
    if (process.platform !== 'linux') this.skip();
    const parent = spawnParent(stateDir, await freePort());
    children.push(parent);
    const pid = await pidFrom(parent);
    // A stopped process notices nothing: neither the broken pipe nor SIGTERM.
    process.kill(pid, 'SIGSTOP');
    parent.kill('SIGKILL');
    await until(() => !alive(parent.pid ?? 0));
    expect(alive(pid)).to.equal(true);
    const hosted = await start();
    expect(alive(pid)).to.equal(false);
    expect(hosted.pid).not.to.equal(pid);
    expect(said.join('\n')).to.contain('left behind');
  });

  it('is not run twice: a second Plumbline on the same directory is refused, and the first keeps running', async () => {
    const first = await start();
    const second = await start().catch((error: unknown) => error);
    expect(second).to.have.property('code', 'hosted-in-use');
    expect(alive(first.pid)).to.equal(true);
  });

  it('leaves a process alone that only has the number of an old one', async () => {
    const files = await prepareHostedFiles(stateDir, 'demo');
    const stranger = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)'], { stdio: 'ignore' });
    children.push(stranger);
    writeFileSync(files.process, JSON.stringify({ pid: stranger.pid, parent: 1 }));
    expect(await stopLeftover(files)).to.equal('none');
    expect(alive(stranger.pid ?? 0)).to.equal(true);
  });

  it('says that its keys cannot be read instead of making new ones', async () => {
    await prepareHostedFiles(stateDir, 'demo');
    const file = join(stateDir, 'node-red', 'demo', 'keys.json');
    writeFileSync(file, '{');
    expect(await start().catch((error: unknown) => error)).to.have.property('code', 'hosted-keys');
    expect(readFileSync(file, 'utf8')).to.equal('{');
  });

  it('trusts only the process that was handed the nonce, not one that passes the question on', async () => {
    const nonce = 'the nonce';
    const { signal } = new AbortController();
    const sign = (url: string, port: number): string => {
      const challenge = new URL(url, 'http://x').searchParams.get('challenge') ?? '';
      return JSON.stringify({
        answer: createHmac('sha256', nonce).update(`${challenge}:${port}`).digest('hex'),
        ready: true,
      });
    };
    const [own, wrong, other] = [await freePort(), await freePort(), await freePort()];
    await serve(own, (url) => sign(url, own));
    await serve(wrong, () => JSON.stringify({ answer: 'ab'.repeat(32), ready: true }));
    await serve(other, async (url) => (await fetch(`http://127.0.0.1:${own}${url}`)).text());
    expect(await askChild(own, nonce, signal)).to.equal('ready');
    expect(await askChild(own, 'another nonce', signal)).to.equal('foreign');
    expect(await askChild(wrong, nonce, signal)).to.equal('foreign');
    expect(await askChild(other, nonce, signal)).to.equal('foreign');
    expect(await askChild(await freePort(), nonce, signal)).to.equal('absent');
  });
});

/** A process of its own that starts a hosted Node-RED and prints its process id. */
function spawnParent(stateDir: string, port: number): ChildProcess {
  const module = fileURLToPath(new URL('../../../src/drivers/node-red/hosted.ts', import.meta.url));
  const code = `
    const { startHosted } = await import(${JSON.stringify(module)});
    const hosted = await startHosted({ stateDir: ${JSON.stringify(stateDir)}, name: 'demo', port: ${port}, log: () => {}, signal: new AbortController().signal });
    console.log('pid ' + hosted.pid);
  `;
  return spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
}

async function pidFrom(parent: ChildProcess): Promise<number> {
  let text = '';
  parent.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return Number(await until(() => /pid (\d+)/.exec(text)?.[1]));
}
