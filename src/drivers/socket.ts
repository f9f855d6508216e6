import { WebSocket } from 'undici';
import type { Fence } from './driver.ts';
import { agentBehind } from './fenced.ts';

/**
 * Opens a websocket to a platform, unless the fence is closed by the time its first byte would be written: then it ends as one that was
 * refused, with `error` and `close`.
 * @param url base URL of the platform, http or https; credentials in it are left out
 * @param path what is added to the URL's own path
 */
export function openSocket(url: string, path: string, fence: Fence | undefined): WebSocket {
  const address = new URL(`${url.replace(/\/$/, '')}${path}`);
  address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
  address.username = '';
  address.password = '';
  const dispatcher = agentBehind(fence);
  const socket = new WebSocket(address, { dispatcher });
  socket.addEventListener('close', () => void dispatcher.destroy());
  return socket;
}
