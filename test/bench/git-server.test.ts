import { expect } from 'chai';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Repository, failure, temporaryFolder } from '../source/git-fixture.ts';
import { type Push, startGitServer } from './git-server.ts';

const ZERO = '0'.repeat(40);

describe('The git server of the benchmark', () => {
  it('takes a push by smart HTTP, and says after it what each ref was and is', async () => {
    await using folder = await temporaryFolder();
    const pushes: Push[] = [];
    await using server = await startGitServer(async (push) => void pushes.push(push));
    const url = await server.create('flows');
    const work = await Repository.create(join(folder.path, 'work'));
    const first = await work.commit({ 'a.yaml': 'kind: A' });
    await work.git('push', url, 'main', 'main:refs/heads/other');
    const second = await work.commit({ 'big.bin': randomBytes(3_000_000) });
    await work.git('push', url, 'main', ':other');
    await server.settled();
    expect(pushes.toSorted((a, b) => a.ref.localeCompare(b.ref)).slice(0, 2)).to.deep.equal([
      { repo: 'flows', ref: 'refs/heads/main', before: ZERO, after: first },
      { repo: 'flows', ref: 'refs/heads/main', before: first, after: second },
    ]);
    expect(pushes).to.deep.include({ repo: 'flows', ref: 'refs/heads/other', before: first, after: ZERO });
    expect(pushes).to.have.length(4);
    await work.git('clone', '--quiet', url, join(folder.path, 'clone'));
    expect(await new Repository(join(folder.path, 'clone')).git('rev-parse', 'HEAD')).to.equal(second);
  });

  it('says nothing of a push that is refused, or changes nothing, and of a fetch', async () => {
    await using folder = await temporaryFolder();
    let told = 0;
    await using server = await startGitServer(async () => void (told += 1));
    const url = await server.create('flows');
    const work = await Repository.create(join(folder.path, 'work'));
    await work.commit({ 'a.yaml': 'kind: A' });
    await work.git('push', url, 'main');
    await work.git('push', url, 'main');
    await work.git('fetch', url, 'main');
    await work.git('commit', '--amend', '--allow-empty', '-m', 'Another');
    await failure(work.git('push', url, 'main'));
    await failure(work.git('push', `${server.url}/none.git`, 'main'));
    await server.settled();
    expect(told).to.equal(1);
  });

  it('calls back when the ref stands, without keeping the pusher waiting: a webhook can be sent', async () => {
    await using folder = await temporaryFolder();
    const bodies: string[] = [];
    const receiver = createServer((request, response) => {
      request.on('data', (chunk: Buffer) => bodies.push(chunk.toString()));
      request.on('end', () => response.end());
    });
    await new Promise<void>((resolve) => void receiver.listen(0, '127.0.0.1', resolve));
    const hook = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
    const { promise: allowed, resolve: allow } = Promise.withResolvers<void>();
    const standing: string[] = [];
    await using server = await startGitServer(async (push) => {
      standing.push(await new Repository(join(server.path, 'flows.git')).git('rev-parse', push.ref));
      await allowed;
      await fetch(hook, { method: 'POST', body: JSON.stringify(push) });
    });
    const work = await Repository.create(join(folder.path, 'work'));
    const head = await work.commit({ 'a.yaml': 'kind: A' });
    await work.git('push', await server.create('flows'), 'main');
    expect(bodies, 'the push has ended before').to.deep.equal([]);
    allow();
    await server.settled();
    receiver.close();
    expect(bodies.map((body) => JSON.parse(body) as Push)).to.deep.equal([
      { repo: 'flows', ref: 'refs/heads/main', before: ZERO, after: head },
    ]);
    expect(standing).to.deep.equal([head]);
  });

  it('leaves nothing behind', async () => {
    const server = await startGitServer();
    await server.create('flows');
    await server[Symbol.asyncDispose]();
    expect(await failure(readdir(server.path))).to.have.property('code', 'ENOENT');
  });
});
