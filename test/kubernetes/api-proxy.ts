import { readFileSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, request } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { Cluster } from './cluster.ts';

/** A proxy in front of the API server that behaves as networks and servers do. */
export interface ApiProxy extends AsyncDisposable {
  /** The administrator's, by way of the proxy. */
  readonly kubeconfig: string;
  /** Answers watches with 410 once. Connections are cut. */
  expire(): void;
  /** Answers everything with 401 that does not come with this token. Connections are cut. */
  accept(token: string): void;
  /** Hands answers on in pieces of so many bytes, with so many milliseconds between them. */
  slow(bytes: number, milliseconds: number): void;
  /** From now on nothing of what is answered on open connections arrives, and nobody is told: those that are opened later work. */
  deafen(): void;
}

export async function startApiProxy(cluster: Cluster): Promise<ApiProxy> {
  let expired = false;
  let token: string | undefined;
  let pace: { readonly bytes: number; readonly milliseconds: number } | undefined;
  const sockets = new Set<Duplex>();
  const deaf = new WeakSet<Duplex>();
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const refuse = (outgoing: ServerResponse, code: number, reason: string): void => {
    outgoing.writeHead(code, { 'content-type': 'application/json' });
    outgoing.end(JSON.stringify({ kind: 'Status', code, reason, message: reason }));
  };
  const hand = async (response: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    outgoing.writeHead(response.statusCode ?? 500, response.headers);
    for await (const chunk of response as AsyncIterable<Buffer>) {
      const { bytes, milliseconds } = pace ?? { bytes: chunk.length, milliseconds: 0 };
      for (let at = 0; at < chunk.length; at += bytes) {
        if (milliseconds > 0) await pause(milliseconds);
        if (outgoing.socket !== null && !deaf.has(outgoing.socket)) outgoing.write(chunk.subarray(at, at + bytes));
      }
    }
    if (outgoing.socket === null || !deaf.has(outgoing.socket)) outgoing.end();
  };
  const server = createServer(certificateOf(cluster), (incoming, outgoing) => {
    if (token !== undefined && incoming.headers.authorization !== `Bearer ${token}`) {
      refuse(outgoing, 401, 'Unauthorized');
      return;
    }
    if (expired && incoming.url?.includes('watch=true') === true) {
      expired = false;
      refuse(outgoing, 410, 'Expired');
      return;
    }
    const on = request(new URL(incoming.url ?? '/', cluster.url), {
      method: incoming.method ?? 'GET',
      headers: incoming.headers,
      rejectUnauthorized: false,
    });
    on.on('response', (response) => void hand(response, outgoing).catch(() => outgoing.destroy()));
    on.on('error', () => outgoing.destroy());
    outgoing.on('close', () => on.destroy());
    incoming.pipe(on);
  });
  server.on('secureConnection', (socket: Duplex) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const kubeconfig = `${cluster.kubeconfig}.${port}`;
  const text = readFileSync(cluster.kubeconfig, 'utf8')
    .replace(cluster.url, `https://127.0.0.1:${port}`)
    .replace(/"certificate-authority-data":"[^"]+"/, '"insecure-skip-tls-verify":true');
  writeFileSync(kubeconfig, text);
  return {
    kubeconfig,
    expire: () => {
      expired = true;
      cut();
    },
    accept: (known) => {
      token = known;
      cut();
    },
    slow: (bytes, milliseconds) => {
      pace = { bytes, milliseconds };
    },
    deafen: () => {
      for (const socket of sockets) deaf.add(socket);
    },
    [Symbol.asyncDispose]: async () => {
      cut();
      await new Promise((done) => server.close(done));
    },
  };
}

/** The API server's own, which it has made itself. */
function certificateOf(cluster: Cluster): { readonly key: string; readonly cert: string } {
  const folder = `${cluster.kubeconfig.slice(0, cluster.kubeconfig.lastIndexOf('/'))}/pki`;
  return {
    key: readFileSync(`${folder}/apiserver.key`, 'utf8'),
    cert: readFileSync(`${folder}/apiserver.crt`, 'utf8'),
  };
}
