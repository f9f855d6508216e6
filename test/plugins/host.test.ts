import { cpSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { matchesEvent } from '../../src/manifest/event-pattern.ts';
import { body, CANARY, failure, isAlive, NEVER, pluginsOf, until, Workbench } from './workbench.ts';

const SAMPLE = dirname(fileURLToPath(new URL('../../src/cli/demo-assets/order-limit/index.js', import.meta.url)));
const REFUSES = (message: string) => body(`throw Object.assign(new Error('${message}'), { name: 'ValidationError' });`);

describe('Plugins', function () {
  this.timeout(60_000);
  let bench: Workbench;
  beforeEach(() => {
    bench = new Workbench();
  });
  afterEach(() => bench[Symbol.asyncDispose]());
  const trigger = (input: object, more: object = {}) => ({
    platform: 'prod',
    workflow: 'orders',
    input: { ...input },
    ...more,
  });

  it('the sample refuses an order over 10,000 and passes one below it, or below the limit that it is set to', async () => {
    cpSync(SAMPLE, join(bench.root, 'order-limit'), { recursive: true });
    const host = await bench.host({ 'order-limit': { triggers: { workflows: ['orders'] } } });
    expect(await host.checkTrigger(trigger({ amount: 10_000 }), NEVER)).to.deep.equal([]);
    expect(await host.checkTrigger(trigger({ amount: 10_001 }), NEVER)).to.deep.equal([
      {
        plugin: 'order-limit',
        message: 'the plugin order-limit refuses it: the amount 10001 exceeds the limit of 10000.',
        remedy: 'Correct it as the plugin order-limit says.',
      },
    ]);
    expect(await host.checkTrigger(trigger({ amount: 'a lot' }), NEVER)).to.have.length(1);
    expect(await host.checkTrigger(trigger({ amount: 10_001 }, { workflow: 'refunds' }), NEVER)).to.deep.equal([]);
    const settings = { 'order-limit': { triggers: {}, settings: { limit: 20_000 } } };
    await host.configure(pluginsOf(settings), bench.root);
    expect(await host.checkTrigger(trigger({ amount: 10_001 }), NEVER)).to.deep.equal([]);
  });

  it('all that are concerned are asked, and all that they refuse is told in the order of their names', async () => {
    bench.lay('b', REFUSES('second'));
    bench.lay(
      'a',
      body("return { ...context, refusals: [{ message: 'first', remedy: 'Ask again' }, { message: 'and more.' }] };"),
    );
    bench.lay('c', body('return context;'));
    bench.lay('d', REFUSES('elsewhere'));
    bench.lay('e', REFUSES('not asked about triggers'));
    const host = await bench.host({
      b: { triggers: {}, platforms: ['prod'] },
      a: { triggers: {} },
      c: { triggers: {} },
      d: { triggers: {}, platforms: ['test'] },
      e: { changes: {} },
    });
    const refusals = await host.checkTrigger(trigger({}), NEVER);
    expect(refusals.map(({ message, remedy }) => [message, remedy])).to.deep.equal([
      ['the plugin a refuses it: first.', 'Ask again.'],
      ['the plugin a refuses it: and more.', 'Correct it as the plugin a says.'],
      ['the plugin b refuses it: second.', 'Correct it as the plugin b says.'],
    ]);
  });

  const closed: Readonly<Record<string, string>> = {
    'throws something else': body('throw new Error("no database");'),
    'returns nothing': body('return;'),
    'returns a list': body('return [];'),
    'returns refusals that are no list': body("return { refusals: 'no' };"),
    'returns refusals without a message': body('return { refusals: [{ reason: "no" }] };'),
    'misspells a field of a refusal': body('return { refusals: [{ message: "no", remdy: "yes" }] };'),
    'cannot be loaded': 'nonsense(',
    hangs: body('for (;;);'),
  };
  for (const [what, text] of Object.entries(closed)) {
    it(`one that ${what} lets nothing pass, and the refusal says that it failed`, async () => {
      bench.lay('broken', text);
      const host = await bench.host({ broken: { triggers: {}, limits: { timeout: '500ms' } } });
      const [refusal, ...more] = await host.checkTrigger(trigger({}), NEVER);
      expect(more).to.deep.equal([]);
      expect(refusal?.error).to.have.property('retry', 'backoff');
      expect(refusal?.message).to.match(/cannot tell: The plugin broken /);
      expect(refusal?.remedy).to.match(/\S\.$/);
    });
  }

  it('a folder that is gone, or got a way out of it, lets nothing pass either', async () => {
    bench.lay('limit', body('return context;'));
    symlinkSync('/etc', join(bench.root, 'limit/etc'));
    const host = await bench.host({ limit: { triggers: {} }, missing: { triggers: {} } });
    const refusals = await host.checkTrigger(trigger({}), NEVER);
    expect(refusals.map(({ error }) => error?.code)).to.deep.equal(['plugin-folder', 'plugin-folder']);
  });

  it('what is aborted is neither refused nor let pass', async () => {
    bench.lay('slow', body('for (;;);'));
    const host = await bench.host({ slow: { triggers: {} } });
    const reason = new Error('the caller went away');
    const error = await host.checkTrigger(trigger({}), AbortSignal.abort(reason)).catch((one: unknown) => one);
    expect(error).to.equal(reason);
  });

  it('an event goes to those that want its type, and what they answer comes back', async () => {
    bench.lay('crm', body('return { ...context, synced: context.event.data.id };'));
    bench.lay('mute', body('return;'));
    const host = await bench.host({
      mute: { events: ['*'] },
      crm: { events: ['customer.*', 'order.created'], platforms: ['prod'], settings: { target: 'crm' } },
      other: { triggers: {} },
    });
    expect(host.eventHandlers()).to.deep.equal([
      { name: 'crm', patterns: ['customer.*', 'order.created'], platforms: ['prod'] },
      { name: 'mute', patterns: ['*'] },
    ]);
    const event = {
      specversion: '1.0',
      id: 'e1',
      type: 'customer.updated',
      source: '/platforms/prod',
      data: { id: 7 },
    };
    const wants = host.eventHandlers().filter(({ patterns }) => patterns.some((one) => matchesEvent(one, event.type)));
    expect(wants).to.have.length(2);
    expect(await host.handleEvent('crm', event, NEVER)).to.deep.equal({
      about: 'event',
      plugin: 'crm',
      settings: { target: 'crm' },
      event,
      synced: 7,
    });
    expect(await host.handleEvent('mute', event, NEVER)).to.equal(undefined);
  });

  it('an event that a plugin refuses is not worth another try; one that it failed on is', async () => {
    bench.lay('picky', REFUSES(`no such customer ${CANARY}`));
    bench.lay('listing', body("return { refusals: [{ message: 'no' }] };"));
    bench.lay('down', body('throw new Error("connect ECONNREFUSED");'));
    const wants = { events: ['*'] };
    const host = await bench.host({ picky: wants, listing: wants, down: wants });
    const refused = await failure(host.handleEvent('picky', {}, NEVER));
    expect(refused).to.include({ code: 'plugin-refused', retry: 'never' });
    expect(refused.message).to.include('no such customer •••');
    expect(await failure(host.handleEvent('listing', {}, NEVER))).to.include({
      code: 'plugin-refused',
      retry: 'never',
    });
    expect(await failure(host.handleEvent('down', {}, NEVER))).to.include({ code: 'plugin-failed', retry: 'backoff' });
    expect(await failure(host.handleEvent('gone', {}, NEVER))).to.include({ code: 'plugin-stopped' });
  });

  it('are started anew when their settings or files changed, and go on as they are when nothing did', async () => {
    bench.lay('limit', body('return { pid: process.pid };'));
    const specs = { limit: { events: ['*'] } };
    const host = await bench.host(specs);
    const before = await host.handleEvent('limit', {}, NEVER);
    await host.configure(pluginsOf(specs), bench.root);
    expect(await host.handleEvent('limit', {}, NEVER)).to.deep.equal(before);
    bench.lay('limit', 'export const version = 2;', 'lib/version.js');
    await host.configure(pluginsOf(specs), bench.root);
    const after = await host.handleEvent('limit', {}, NEVER);
    expect(after).to.not.deep.equal(before);
    await until(() => !isAlive(Number(before?.['pid'])), 'the old process is gone');
    await host.configure(pluginsOf({ limit: { events: ['*'], settings: { x: 1 } } }), bench.root);
    expect(await host.handleEvent('limit', {}, NEVER)).to.not.deep.equal(after);
    await host.configure(new Map(), bench.root);
    await until(() => host.pids.length === 0, 'nothing runs any more');
    expect(await host.checkTrigger(trigger({}), NEVER)).to.deep.equal([]);
  });

  it('a call that runs while plugins are configured anew ends on the old one', async () => {
    bench.lay(
      'slow',
      body('await new Promise((r) => setTimeout(r, 300)); return { version: context.settings.version };'),
    );
    const host = await bench.host({ slow: { events: ['*'], settings: { version: 1 } } });
    await host.warm();
    const running = host.handleEvent('slow', {}, NEVER);
    await host.configure(pluginsOf({ slow: { events: ['*'], settings: { version: 2 } } }), bench.root);
    expect(await host.handleEvent('slow', {}, NEVER)).to.deep.equal({ version: 2 });
    expect(await running).to.deep.equal({ version: 1 });
  });

  it('are all gone when the host is disposed of', async () => {
    bench.lay('a', body('return context;'));
    bench.lay('b', body('return context;'));
    const host = await bench.host({ a: { triggers: {} }, b: { triggers: {} } });
    await host.warm();
    const { pids } = host;
    expect(pids).to.have.length(2);
    await host[Symbol.asyncDispose]();
    expect(pids.filter(isAlive)).to.deep.equal([]);
  });
});
