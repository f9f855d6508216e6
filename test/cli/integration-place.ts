import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { daemonOf } from '../../src/daemon/remote-api.ts';
import { Receiver } from '../gateway/callbacks/receiver.ts';
import { Desk, type Running } from './binary.ts';

const tab = (name: string, nodes: string): string => `
---
apiVersion: plumbline.dev/v1alpha1
kind: Workflow
metadata: {name: ${name}}
spec:
  title: ${name}
  definition:
    - {id: ${name}0, type: tab, label: ${name}, disabled: false, info: ""}
${nodes}`;
const code = (name: string, func: string, to = ''): string =>
  `    - {id: ${name}2, type: function, z: ${name}0, name: code, func: "${func}", outputs: 1, timeout: 0, noerr: 0, initialize: "", finalize: "", libs: [], x: 250, y: 100, wires: [[${to}]]}\n`;

const WORKFLOWS = [
  tab(
    'ship',
    `    - {id: ship1, type: http in, z: ship0, name: orders, url: /orders, method: post, upload: false, swaggerDoc: "", x: 100, y: 100, wires: [[ship2]]}\n${code('ship', 'msg.payload = {shipped: msg.payload.amount}; return msg;', 'ship3')}    - {id: ship3, type: http response, z: ship0, name: done, statusCode: "", headers: {}, x: 400, y: 100, wires: []}\n`,
  ),
  tab(
    'broken',
    `    - {id: broken1, type: inject, z: broken0, name: go, props: [{p: payload}], repeat: "", crontab: "", once: false, onceDelay: 0.1, topic: "", x: 100, y: 100, wires: [[broken2]]}\n${code('broken', `throw new Error('out of stock')`)}`,
  ),
  tab('report', code('report', 'return msg;')),
].join('');

const configuration = (dir: string): string => `
apiVersion: plumbline.dev/v1alpha1
kind: Platform
metadata: {name: dev}
spec: {driver: node-red, hosted: {port: 0}, webhooks: {allow: [127.0.0.1]}}
---
apiVersion: plumbline.dev/v1alpha1
kind: Sync
metadata: {name: orders}
spec: {source: {git: {url: "file://${dir}/flows"}}, platform: dev}
---
apiVersion: plumbline.dev/v1alpha1
kind: Plugin
metadata: {name: order-limit}
spec: {folder: plugins/order-limit, triggers: {workflows: [ship]}, settings: {limit: 10000}}
`;
const PLUGIN = `
class ValidationError extends Error { name = 'ValidationError'; }
export function execute(context) {
  if (context.input?.amount > context.settings.limit) throw new ValidationError('the amount exceeds the limit');
  return context;
}
`;

/** A desk with a daemon and a Node-RED that runs three workflows, and somebody who gets webhooks. */
export class Shop implements AsyncDisposable {
  readonly desk: Desk;
  readonly daemon: Running;
  readonly receiver: Receiver;

  private constructor(desk: Desk, receiver: Receiver) {
    this.desk = desk;
    this.receiver = receiver;
    this.daemon = this.desk.start('start', '--listen', '127.0.0.1:0', '--listen-hooks', '127.0.0.1:0');
  }

  static async open(): Promise<Shop> {
    const desk = new Desk();
    desk.write('plumbline.yaml', configuration(desk.dir));
    desk.write('plugins/order-limit/index.js', PLUGIN);
    desk.write('flows/workflows.yaml', WORKFLOWS);
    await desk.commit('flows', 'Three workflows');
    const shop = new Shop(desk, await Receiver.start());
    await shop.daemon.until('in sync', async () => {
      const { status, text } = await shop.call('/status').catch(() => ({ status: 0, text: '' }));
      return status === 200 && /"type":"Ready","status":"True"/.test(text);
    });
    return shop;
  }

  /** Calls the API; with the token of the state directory when none is given. */
  async call(path: string, { token = this.#token(), body }: { token?: string; body?: unknown } = {}) {
    const address = daemonOf(join(this.desk.dir, '.plumbline'))?.address ?? '';
    const answer = await fetch(`${address}/api/v1${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: answer.status, text: await answer.text() };
  }

  async stop(): Promise<number | null> {
    this.daemon.child.kill('SIGTERM');
    return this.daemon.exit();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.daemon.child.kill('SIGTERM');
    await this.daemon.exit();
    await this.receiver[Symbol.asyncDispose]();
    this.desk.remove();
  }

  #token(): string {
    return readFileSync(join(this.desk.dir, '.plumbline', 'token'), 'utf8').trim();
  }
}
