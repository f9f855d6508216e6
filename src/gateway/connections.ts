import { STATUS_CODES } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { BlockList, isIP } from 'node:net';
import type { Socket } from 'node:net';
import type { GatewayReports } from '../report/gateway-report.ts';
import { errorText } from './answer.ts';

/** What connections may do before and while a request is read. Numbers are counts. */
export interface ConnectionLimits {
  readonly connections: number;
  /** Of one network address; trusted proxies have no such limit, because everybody's requests come through them. */
  readonly connectionsPerAddress: number;
}

interface ConnectionParts {
  readonly name: 'public' | 'private';
  readonly limits: ConnectionLimits;
  readonly trustedProxies: readonly string[];
  readonly reports: GatewayReports;
}

/** Caps the connections of a server, all of them and those of one address: the rest are closed without an answer. */
export function capConnections(server: Server, { name, limits, trustedProxies, reports }: ConnectionParts): void {
  const open = new Map<string, number>();
  const trusted = networksOf(trustedProxies);
  server.maxConnections = limits.connections;
  server.on('drop', () => reports.refused(name, 'overload'));
  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress;
    if (address === undefined || isAmong(trusted, address)) return;
    const network = networkOf(address);
    const count = (open.get(network) ?? 0) + 1;
    if (count > limits.connectionsPerAddress) {
      reports.refused(name, 'overload');
      socket.destroy();
      return;
    }
    open.set(network, count);
    socket.once('close', () => {
      const left = (open.get(network) ?? 1) - 1;
      if (left > 0) open.set(network, left);
      else open.delete(network);
    });
  });
}

/**
 * What one caller can have many of counts as one address: an IPv6 customer owns a /64 network. An IPv4 address stands for
 * itself, also where it is written as an IPv6 one.
 */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (isIP(address) !== 6) return address;
  const [head = '', tail] = (address.split('%')[0] ?? '').split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const missing = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  const groups = [...left, ...Array<string>(missing).fill('0'), ...right];
  return `${groups
    .slice(0, 4)
    .map((group) => (Number.parseInt(group, 16) || 0).toString(16))
    .join(':')}::/64`;
}

function networksOf(proxies: readonly string[]): BlockList {
  const list = new BlockList();
  for (const proxy of proxies) {
    const [address = '', bits] = proxy.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return list;
}

function isAmong(list: BlockList, address: string): boolean {
  return list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

/**
 * Answers what is no request, or came too slowly to become one, in the same form as everything else, and closes. The text
 * that was sent is neither quoted nor logged.
 */
export function answerClientErrors(
  name: 'public' | 'private',
  reports: GatewayReports,
): (error: NodeJS.ErrnoException, socket: Socket) => void {
  return (error, socket) => {
    // What still comes in after the answer is no second request.
    if (error.code === 'ECONNRESET' || socket.destroyed || socket.writableEnded) return;
    const { status, reason } = statusOf(error.code);
    reports.refused(name, reason);
    reports.request(name, 'none', status, 0);
    if (!socket.writable) {
      socket.destroy();
      return;
    }
    const body = errorText(status);
    socket.end(
      `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\ncontent-type: application/json; charset=utf-8\r\n` +
        `content-length: ${Buffer.byteLength(body)}\r\ncache-control: no-store\r\nx-content-type-options: nosniff\r\n` +
        `connection: close\r\n\r\n${body}`,
    );
    // Who does not read the answer does not keep the connection.
    socket.destroySoon();
  };
}

function statusOf(code: string | undefined): { readonly status: number; readonly reason: string } {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return { status: 408, reason: 'timeout' };
  if (code === 'HPE_HEADER_OVERFLOW' || code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW')
    return { status: 431, reason: 'size' };
  return { status: 400, reason: 'malformed' };
}

/** Nobody is invited to send a body that is going to be refused: `100 Continue` is said only to one within the limit. */
export function guardContinue(server: Server, bodyLimit: number): void {
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    if (!(Number(request.headers['content-length'] ?? 0) > bodyLimit)) response.writeContinue();
    server.emit('request', request, response);
  });
}
