import { isIP } from 'node:net';
import { ReconcilerError } from '../errors.ts';

/** Where to listen. */
export interface Address {
  readonly host: string;
  readonly port: number;
  /** Only programs on this machine can connect. */
  readonly loopback: boolean;
}

/**
 * Reads `127.0.0.1:8480`, `localhost:0`, `[::1]:8480`. The host has to be written: listening beyond this machine is
 * nothing that happens by leaving something out.
 * @throws ReconcilerError 'never' (`listen-address`)
 */
export function parseAddress(text: string): Address {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]/]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535 || (match?.[1] !== undefined && isIP(host) !== 6)) {
    throw new ReconcilerError(`The address to listen on, ${JSON.stringify(text)}, is not HOST:PORT.`, 'never', {
      code: 'listen-address',
      remedy: 'Write it such as 127.0.0.1:8480 or [::1]:8480, or 0.0.0.0:8480 to be reachable from other machines.',
    });
  }
  return { host, port, loopback: isLoopback(host) };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/**
 * Whether a Host header names this machine. A web page can point its own name at 127.0.0.1 and have the browser send
 * requests here (DNS rebinding); it cannot change the Host header that goes with them.
 */
export function namesThisMachine(header: string | undefined): boolean {
  const host = /^(\[[0-9a-fA-F:.]+\]|[^:]+)(?::\d{1,5})?$/.exec(header ?? '')?.[1]?.toLowerCase();
  return host !== undefined && isLoopback(host.replace(/^\[(.*)\]$/, '$1'));
}

/** `http://127.0.0.1:8480` */
export function urlOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return `http://${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}
