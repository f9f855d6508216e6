import { expect } from 'chai';
import { type RequestListener, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readdirSync } from 'node:fs';
import { FormData } from 'undici';
import { ReconcilerError } from '../../src/errors.ts';
import { HttpClient, type HttpOptions, type HttpRequest } from '../../src/drivers/http.ts';
import { DRIVERS, driverNamed } from '../../src/drivers/index.ts';

interface Seen {
  readonly method: string;
  readonly route: string;
  readonly code: number | 'error';
}

/** A client and the real server it talks to. */
async function against(
  listener: RequestListener,
  use: (client: HttpClient, seen: Seen[], url: string) => Promise<void>,
  more: Partial<HttpOptions> = {},
): Promise<void> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const seen: Seen[] = [];
  const client = new HttpClient({
    platform: 'prod',
    url,
    limits: { concurrency: 2, requestsPerSecond: 1_000, timeout: 2_000 },
    onRequest: ({ method, route, code }) => void seen.push({ method, route, code }),
    ...more,
  });
  try {
    await use(client, seen, url);
  } finally {
    await client[Symbol.asyncDispose]();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

const get = (more: Partial<HttpRequest> = {}): HttpRequest => ({
  method: 'GET',
  route: '/things/:id',
  params: { id: 'a/b' },
  signal: new AbortController().signal,
  ...more,
});
const post = (): HttpRequest => get({ method: 'POST', body: { a: 1 } });

async function failure(work: Promise<unknown>): Promise<ReconcilerError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ReconcilerError)) throw new Error(`expected a ReconcilerError, got ${String(error)}`);
  return error;
}

describe('The HTTP client of the drivers', () => {
  it('sends a form with a file as multipart, not as JSON', async () => {
    const form = new FormData();
    form.append('policy', 'fail');
    form.append('package', new Blob(['contents']), 'one.tar');
    let type = '';
    let text = '';
    await against(
      (request, response) => {
        type = request.headers['content-type'] ?? '';
        request.on('data', (chunk: Buffer) => (text += chunk.toString()));
        request.on('end', () => response.end('{}'));
      },
      async (client) => {
        await client.send(get({ method: 'POST', form }));
      },
    );
    expect(type).to.match(/^multipart\/form-data; boundary=/);
    expect(text).to.match(/name="policy"\r\n\r\nfail\r\n/);
    expect(text).to.match(/name="package"; filename="one.tar"[^]*contents/);
  });

  it('sends what it is told and reports the route template, never the id', async () => {
    await against(
      (request, response) => response.end(JSON.stringify({ url: request.url, auth: request.headers.authorization })),
      async (client, seen) => {
        const answer = await client.send(get({ query: { q: 'x y' }, headers: { authorization: 'Bearer t' } }));
        expect(answer.json).to.deep.equal({ url: '/things/a%2Fb?q=x+y', auth: 'Bearer t' });
        expect(seen).to.deep.equal([{ method: 'GET', route: '/things/:id', code: 200 }]);
      },
    );
  });

  for (const status of [429, 503]) {
    it(`waits as long as Retry-After says after ${status}, then sends again`, async () => {
      let count = 0;
      await against(
        (_, response) => {
          count += 1;
          if (count > 2) response.end('{"ok":true}');
          else response.writeHead(status, { 'retry-after': '0' }).end();
        },
        async (client) => {
          expect((await client.send(get())).json).to.deep.equal({ ok: true });
          expect(count).to.equal(3);
        },
      );
    });
  }

  it('does not wait longer than is sensible, and hands the time on', async () => {
    let count = 0;
    await against(
      (_, response) => {
        count += 1;
        response.writeHead(429, { 'retry-after': '3600' }).end();
      },
      async (client) => {
        const error = await failure(client.send(get()));
        expect(error).to.include({ code: 'too-many-requests', retry: 'backoff', retryAfter: 3_600_000 });
        expect(count).to.equal(1);
      },
    );
  });

  it('never repeats a write whose answer was lost, and says that its outcome is unknown', async () => {
    let count = 0;
    await against(
      (request) => {
        count += 1;
        request.resume().on('end', () => request.socket.destroy());
      },
      async (client) => {
        const error = await failure(client.send(post()));
        expect(error).to.include({ code: 'outcome-unknown', retry: 'replan' });
        expect(count).to.equal(1);
      },
    );
  });

  it('repeats a read once when its connection was lost', async () => {
    let count = 0;
    await against(
      (request, response) => {
        count += 1;
        if (count === 1) request.socket.destroy();
        else response.end('{}');
      },
      async (client) => {
        expect((await client.send(get())).json).to.deep.equal({});
      },
    );
  });

  it('fails fast while the platform is down, and looks again after a while', async () => {
    let count = 0;
    let down = true;
    await against(
      (_, response) => {
        count += 1;
        response.writeHead(down ? 500 : 200).end('{}');
      },
      async (client) => {
        for (let at = 0; at < 5; at++) expect((await failure(client.send(get()))).code).to.equal('platform-error');
        expect(await failure(client.send(get()))).to.include({ code: 'platform-unreachable', retry: 'backoff' });
        expect(count).to.equal(5);
        down = false;
        const deadline = Date.now() + 5_000;
        while ((await client.send(get()).catch(() => undefined)) === undefined)
          expect(Date.now()).to.be.lessThan(deadline);
        expect((await client.send(get())).status).to.equal(200);
      },
      { circuit: { firstProbeAfter: 50, lastProbeAfter: 100 } },
    );
  });

  it('gives up a request that gets no answer in time', async () => {
    await against(
      () => {},
      async (client) => {
        expect(await failure(client.send(get()))).to.include({ code: 'timeout', retry: 'backoff' });
      },
      { limits: { concurrency: 1, requestsPerSecond: 1_000, timeout: 100 } },
    );
  });

  it('stops when it is told to, whether under way or waiting', async () => {
    const stop = new AbortController();
    await against(
      () => stop.abort(),
      async (client) => {
        const first = failure(client.send(get({ signal: stop.signal })));
        const second = failure(client.send(get({ signal: stop.signal })));
        expect((await first).code).to.equal('aborted');
        expect((await second).code).to.equal('aborted');
      },
      { limits: { concurrency: 1, requestsPerSecond: 1_000, timeout: 60_000 } },
    );
  });

  it('says what it got instead of JSON', async () => {
    const bodies = ['<html>Sign in</html>', '{"a": [1, 2'];
    await against(
      (_, response) => response.end(bodies.shift()),
      async (client) => {
        const page = await failure(client.send(get()));
        expect(page.code).to.equal('not-json');
        expect(page.message).to.include('HTML').and.not.include('Sign in');
        expect((await failure(client.send(get()))).code).to.equal('not-json');
      },
    );
  });

  it('reads no more than it may', async () => {
    await against(
      (_, response) => response.end(JSON.stringify('x'.repeat(10_000))),
      async (client) => {
        expect((await failure(client.send(get()))).code).to.equal('answer-too-large');
      },
      { bodyLimit: 1_000 },
    );
  });

  it('follows no redirect, because credentials are bound to their host', async () => {
    let count = 0;
    await against(
      (_, response) => {
        count += 1;
        response.writeHead(302, { location: 'https://evil.example.com/x?token=1' }).end();
      },
      async (client) => {
        const error = await failure(client.send(get({ headers: { authorization: 'Bearer secret-token' } })));
        expect(error).to.include({ code: 'redirected', retry: 'never' });
        expect(error.message).to.include('evil.example.com').and.not.include('token');
        expect(count).to.equal(1);
      },
    );
  });

  it('repeats no credential in an error, even when the platform does', async () => {
    await against(
      (request, response) => {
        response.writeHead(400).end(JSON.stringify({ message: `bad header ${request.headers.authorization ?? ''}` }));
      },
      async (client) => {
        const error = await failure(client.send(get({ headers: { authorization: 'Bearer s3cr3t-t0ken' } })));
        expect(error).to.include({ code: 'refused', retry: 'never' });
        expect(JSON.stringify([error.message, error.remedy, String(error.cause)])).to.not.include('s3cr3t-t0ken');
      },
    );
  });

  it('says that a platform cannot be reached, and that nothing was sent', async () => {
    await against(
      () => {},
      async (client) => {
        expect(await failure(client.send(post()))).to.include({ code: 'platform-unreachable', retry: 'backoff' });
      },
      { url: 'http://127.0.0.1:9' },
    );
  });

  it('has no more requests under way than it may', async () => {
    let now = 0;
    let most = 0;
    await against(
      (_, response) => {
        now += 1;
        most = Math.max(most, now);
        setImmediate(() => {
          now -= 1;
          response.end('{}');
        });
      },
      async (client) => {
        await Promise.all(Array.from({ length: 20 }, () => client.send(get())));
        expect(most).to.equal(2);
      },
    );
  });
});

describe('The registry of drivers', () => {
  it('equals the folders of the room', () => {
    const folders = readdirSync(new URL('../../src/drivers', import.meta.url), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
    expect(DRIVERS.map(({ name }) => name)).to.have.members(folders);
  });

  it('knows its drivers by name, and names them when there is none', () => {
    expect(driverNamed('node-red').name).to.equal('node-red');
    expect(() => driverNamed('node-rad')).to.throw(ReconcilerError, 'node-rad');
  });
});
