import { textOf } from '../../../src/drivers/node-red/raw.ts';
import type { JsonObject } from '../../../src/manifest/manifest.ts';

type Entry = JsonObject & { readonly id: string };

/** A node on a tab; its id begins with that of the tab. */
const on = (z: string, part: string, type: string, more: JsonObject): Entry => ({
  id: `${z}-${part}`,
  z,
  type,
  x: 100,
  y: 100,
  wires: [],
  ...more,
});

export const tab = (id: string, more: JsonObject = {}): Entry => ({ id, type: 'tab', label: `The ${id}`, ...more });

export const httpIn = (z: string, url: string, more: JsonObject = {}): Entry =>
  on(z, `in${url}${textOf(more, 'method') ?? ''}`, 'http in', {
    name: '',
    url,
    method: 'post',
    wires: [[`${z}-fn`]],
    ...more,
  });

export const inject = (z: string, more: JsonObject = {}): Entry =>
  on(z, 'inject', 'inject', {
    name: '',
    props: [{ p: 'payload' }],
    payload: '',
    payloadType: 'date',
    wires: [[`${z}-fn`]],
    ...more,
  });

/** A function that goes on to an http response node. */
export const code = (z: string, func: string): readonly Entry[] => [
  on(z, 'fn', 'function', { func, outputs: 1, wires: [[`${z}-out`]] }),
  on(z, 'out', 'http response', {}),
];

/** Counts the runs of a tab and keeps its last message, for GET /seen. */
export const KEEP = `const seen = global.get('seen') || {};
const was = seen[env.get('NR_FLOW_ID')] || {count: 0};
seen[env.get('NR_FLOW_ID')] = {count: was.count + 1, payload: msg.payload, topic: msg.topic, said: msg.plumbline,
  headers: msg.req && msg.req.headers, params: msg.req && msg.req.params};
global.set('seen', seen);`;

const ECHO = `${KEEP} msg.payload = {got: msg.payload}; return msg;`;

/** Answers once somebody has asked for GET /open. */
const HOLD = `global.set('open', false);
const look = setInterval(() => {
  if (!global.get('open')) return;
  clearInterval(look); node.send(msg); node.done();
}, 20);`;

/** A tab with one endpoint. */
export const endpoint = (z: string, url: string, func: string): readonly Entry[] => [
  tab(z),
  httpIn(z, url),
  ...code(z, func),
];

/** One tab for each way in which a workflow can be run, or not. */
export const FLOWS: readonly Entry[] = [
  tab('orders'),
  httpIn('orders', '/orders'),
  ...code('orders', ECHO),
  tab('lines'),
  httpIn('lines', '/orders/:id/lines/:line', { method: 'put' }),
  ...code('lines', ECHO),
  tab('injected'),
  inject('injected', { props: [{ p: 'payload' }, { p: 'topic', vt: 'str' }], topic: 'as set up' }),
  ...code('injected', `${KEEP} return msg;`),
  tab('several'),
  httpIn('several', '/first', { name: 'First way' }),
  httpIn('several', '/second', { name: 'Second way' }),
  httpIn('several', '/read', { name: 'Reading', method: 'get' }),
  inject('several', { name: 'By hand' }),
  ...code('several', `${KEEP} msg.payload = msg.req ? msg.req.path : 'none'; return msg;`),
  tab('none'),
  httpIn('none', '/none', { method: 'get' }),
  ...code('none', ECHO),
  tab('off', { disabled: true }),
  httpIn('off', '/off'),
  ...code('off', ECHO),
  { id: 'part', type: 'subflow', name: 'Part', in: [], out: [] },
  ...endpoint('slow', '/slow', HOLD),
  tab('open'),
  httpIn('open', '/open', { method: 'get' }),
  ...code('open', `global.set('open', true); return msg;`),
  tab('silent'),
  httpIn('silent', '/silent'),
  ...code('silent', `${KEEP} return null;`),
  tab('failing'),
  httpIn('failing', '/failing'),
  ...code('failing', `msg.statusCode = 500; msg.payload = {wrong: 'stock'}; return msg;`),
  tab('unknown'),
  httpIn('unknown', '/unknown'),
  ...code('unknown', `msg.statusCode = 404; msg.payload = {no: 'such order'}; return msg;`),
  tab('huge'),
  httpIn('huge', '/huge'),
  ...code('huge', `msg.payload = 'x' + 'ä'.repeat(1024 * 1024); return msg;`),
  tab('rival'),
  httpIn('rival', '/carts/new'),
  ...code('rival', ECHO),
  tab('wide'),
  httpIn('wide', '/carts/:id'),
  ...code('wide', ECHO),
  tab('astray'),
  httpIn('astray', '/:area/:what', { method: 'patch' }),
  ...code('astray', ECHO),
  tab('seen'),
  httpIn('seen', '/seen', { method: 'get' }),
  ...code('seen', `msg.payload = global.get('seen') || {}; return msg;`),
];
