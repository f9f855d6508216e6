import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { daemonOf } from '../../src/daemon/remote-api.ts';
import { remoteOperations } from '../../src/daemon/remote-operations.ts';
import { Place, until } from './fixture.ts';

const PROGRAM = fileURLToPath(new URL('run-daemon.ts', import.meta.url));

const configuration = (repo: string, url: string): string => `
apiVersion: plumbline.dev/v1alpha1
kind: Platform
metadata: {name: prod}
spec: {driver: node-red, url: "${url}", auth: {token: {valueFrom: {env: PROD_TOKEN}}}}
---
apiVersion: plumbline.dev/v1alpha1
kind: Sync
metadata: {name: orders}
spec: {source: {git: {url: "file://${repo}"}}, platform: prod}
`;

interface Running {
  readonly child: ChildProcess;
  readonly said: () => string;
  readonly exited: Promise<readonly unknown[]>;
}

describe('daemon as a process', function () {
  this.timeout(60_000);
  let place: Place;
  const children: ChildProcess[] = [];

  const launch = (fault = '', stopDeadline = '20000'): Running => {
    const child = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', PROGRAM, place.config, place.state, fault, stopDeadline],
      {
        env: { ...process.env, PROD_TOKEN: 'token-of-the-test' },
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    children.push(child);
    let text = '';
    child.stderr?.on('data', (chunk: Buffer) => (text += chunk.toString()));
    return { child, said: () => text, exited: once(child, 'exit') };
  };
  const up = (running: Running): Promise<boolean> =>
    until(async () => daemonOf(place.state)?.pid === running.child.pid, `a daemon; it said ${running.said()}`);

  beforeEach(async () => {
    place = await Place.create();
    await place.commit({ 'readme.md': 'nothing to reconcile yet' });
    await place.configure(configuration(place.repo, 'http://127.0.0.1:9'));
  });
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    await place.remove();
  });

  it('reads its configuration anew on SIGHUP, stops with 0 on SIGTERM, and lets go of its address but not of its token', async () => {
    const running = launch();
    await up(running);
    const token = await readFile(join(place.state, 'token'), 'utf8');
    running.child.kill('SIGHUP');
    await until(async () => running.said().includes('configuration in force'), 'reloaded');
    running.child.kill('SIGTERM');
    expect(await running.exited).to.deep.equal([0, null]);
    expect(running.said()).to.include('daemon stopped');
    expect(daemonOf(place.state)).to.equal(undefined);
    await up(launch());
    expect(await readFile(join(place.state, 'token'), 'utf8')).to.equal(token);
  });

  it('exits at once on a second signal, though a platform never answers', async () => {
    const silent = createServer(() => undefined);
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    await place.configure(configuration(place.repo, `http://127.0.0.1:${(silent.address() as AddressInfo).port}`));
    const asked = once(silent, 'request');
    const running = launch();
    await asked;
    running.child.kill('SIGTERM');
    await until(async () => running.said().includes('daemon stopping'), 'stopping');
    running.child.kill('SIGINT');
    expect(await running.exited).to.deep.equal([1, null]);
    silent.closeAllConnections();
    silent.close();
  });

  it('stops with 0 when its deadline has passed, though a platform never answers', async () => {
    const silent = createServer(() => undefined);
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    await place.configure(configuration(place.repo, `http://127.0.0.1:${(silent.address() as AddressInfo).port}`));
    const asked = once(silent, 'request');
    const running = launch('', '100');
    await asked;
    running.child.kill('SIGTERM');
    expect(await running.exited).to.deep.equal([0, null]);
    expect(running.said()).to.include('passes aborted').and.to.include('daemon stopped');
    silent.closeAllConnections();
    silent.close();
  });

  it('begins again after SIGKILL, and refuses to run twice on one state directory', async () => {
    const first = launch();
    await up(first);
    const second = launch();
    expect(await second.exited).to.deep.equal([3, null]);
    expect(second.said()).to.include('is in use by');
    first.child.kill('SIGKILL');
    await first.exited;
    expect(() => remoteOperations(place.state)).to.throw('No plumbline daemon');
    const third = launch();
    await up(third);
    expect((await remoteOperations(place.state).status({})).syncs.map(({ sync }) => sync)).to.deep.equal(['orders']);
  });

  it('logs an error that nobody handled, and exits with 1', async () => {
    const running = launch('fault');
    expect(await running.exited).to.deep.equal([1, null]);
    expect(running.said()).to.include('unhandled error').and.to.include('a fault nobody handled');
  });

  it('does not start on a configuration that is not in order, and names every mistake with its place', async () => {
    await place.configure(
      `${configuration(place.repo, 'http://127.0.0.1:9')}  intervall: 5m\n`.replace('platform: prod', 'platform: prd'),
    );
    const running = launch();
    expect(await running.exited).to.deep.equal([3, null]);
    expect(running.said()).to.match(/plumbline\.yaml:\d+:\d+/);
  });
});
