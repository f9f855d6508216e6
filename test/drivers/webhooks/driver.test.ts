import { expect } from 'chai';
import type { Driver, Step } from '../../../src/drivers/driver.ts';
import { withWebhooks } from '../../../src/drivers/webhooks.ts';
import type { Webhooks } from '../../../src/ledger/webhooks.ts';
import { KINDS } from '../../../src/manifest/manifest.ts';
import type { Change, FieldDiff, Marker } from '../../../src/plan/types.ts';
import { capabilitiesWith } from '../../plan/scene.ts';
import { OWNER, apply, get, never, observe, secretValue, stepFor, succeed } from '../contract-steps.ts';
import type { Sample } from '../contract-harness.ts';
import { Able, FACTS, Inner, hook } from './inner.ts';
import { Registry } from './register.ts';

const MARKER: Marker = { owner: OWNER, key: 'Webhook/hook', applied: 'f', how: 'created' };
const WORKFLOW: Sample = { ...hook(), key: 'Workflow/w', kind: 'Workflow' };

describe('A driver with webhooks', () => {
  let registry: Registry;
  let webhooks: Webhooks;
  let inner: Able;
  let driver: Driver;
  beforeEach(() => {
    registry = new Registry();
    webhooks = registry.ledger.webhooks;
    inner = new Able();
    driver = withWebhooks(inner, webhooks, 'main');
  });
  afterEach(() => registry[Symbol.dispose]());

  const update =
    (sample: Sample, ...paths: string[]) =>
    async (secrets: Readonly<Record<string, string>> = {}) => {
      const step = stepFor('update', sample, driver, { at: await get(driver, sample), secrets });
      const [first = '/title', ...rest] = paths;
      const diff: [FieldDiff, ...FieldDiff[]] = [{ path: first }, ...rest.map((path) => ({ path }))];
      await succeed(driver, [{ ...step, change: { ...step.change, diff } as Change }]);
      return webhooks.list()[0];
    };

  it('can do with Webhooks whatever can be done, and with all else what the driver can', async () => {
    const wanted = capabilitiesWith();
    expect(driver.capabilities).to.deep.equal(wanted);
    expect(await driver.probe(never)).to.deep.equal({ ...FACTS, capabilities: wanted });
    expect(driver.marks).to.deep.equal(['Workflow', 'Webhook']);
    expect([driver.name, driver.targeted, driver.format]).to.deep.equal(['inner', true, inner.format]);
    expect(inner.capabilities.Webhook.create, 'the driver itself is left alone').to.have.property('unsupported');
  });

  it('hands everything else over as it came, to the driver itself', async () => {
    const at = { kind: 'Workflow', remote: 'r', title: 't', value: {}, version: '1' } as const;
    expect(driver.idFor?.(OWNER, 'Workflow/w')).to.equal('id of Workflow/w');
    expect(driver.normalize('Workflow', { a: 1 })).to.deep.equal({ a: 1, normalized: true });
    expect(driver.toManifest?.(at)).to.deep.equal({ name: 'inner t', spec: {} });
    expect(await driver.executions?.('c', never)).to.deep.equal({ executions: [], cursor: 'next' });
    expect(await driver.execution?.('e', never)).to.equal(undefined);
    expect(await driver.trigger?.({ remote: 'r', input: null, correlation: 'x' }, never)).to.deep.equal({
      execution: 'e1',
    });
    await driver.events?.(() => undefined, never)[Symbol.asyncDispose]();
    await driver[Symbol.asyncDispose]();
    expect(inner.asked).to.deep.equal([
      'idFor',
      'normalize Workflow',
      'toManifest',
      'executions c',
      'execution e',
      'trigger r',
      'events',
      'dispose',
    ]);
  });

  it('claims nothing that the driver lacks', () => {
    const bare = withWebhooks(new Inner(), webhooks, 'main');
    for (const method of ['format', 'idFor', 'preflight', 'executions', 'execution', 'trigger', 'events', 'toManifest'])
      expect(method in bare, method).to.equal(false);
  });

  it('is the driver itself where the platform has webhooks of its own', () => {
    for (const support of ['manage', 'observe'] as const) {
      const own = new Inner(capabilitiesWith({ Webhook: support }));
      expect(withWebhooks(own, webhooks, 'main')).to.equal(own);
    }
  });

  it('never speaks of Webhooks to the driver, and asks it nothing when there is nothing else', async () => {
    const steps = [stepFor('create', hook(), driver), stepFor('create', WORKFLOW, driver)];
    const refusals = await driver.preflight?.(steps, never);
    expect(refusals?.map(({ key }) => key)).to.deep.equal(['Workflow/w']);
    await succeed(driver, steps);
    const seen = await observe(driver);
    expect([...seen.listed.keys()]).to.have.members(KINDS);
    expect(inner.about.filter((one) => one.startsWith('Webhook'))).to.deep.equal([]);
    expect(driver.idFor?.(OWNER, 'Webhook/hook')).to.equal(undefined);
    const at = await get(driver, hook());
    inner.asked.splice(0);
    await succeed(driver, [stepFor('update', hook({ title: 'Second' }), driver, { at })]);
    expect(await driver.preflight?.([stepFor('create', hook(), driver)], never)).to.deep.equal([]);
    await observe(driver, { kinds: ['Webhook'] });
    driver.toManifest?.(at);
    expect(inner.asked).to.deep.equal([]);
  });

  it('sees the webhooks of its own platform only, those made by hand without a marker', async () => {
    const plain = { title: 'Hook', event: '*', url: 'https://a.example', active: true, by: 'token/ci' };
    webhooks.create({ ...plain, platform: 'other' }, 'theirs');
    webhooks.create({ ...plain, platform: 'main' }, 'by-hand');
    const byId = { only: { remotes: ['theirs', 'by-hand'], titles: [] } };
    const byTitle = { only: { remotes: ['theirs'], titles: ['Hook'] } };
    for (const look of [{}, byId, byTitle]) {
      const { objects } = await observe(driver, { kinds: ['Webhook'], ...look });
      expect(objects.map(({ remote }) => remote)).to.deep.equal(['by-hand']);
      expect(objects[0]).to.not.have.property('marker');
      expect(objects[0]).to.deep.include({ secretsSet: { secret: false }, changedBy: 'token/ci' });
      expect(objects[0]?.value).to.deep.equal({ ...hook().spec, event: '*' });
    }
    const { objects } = await observe(driver, { kinds: ['Webhook'], only: { remotes: [], titles: ['Hoo'] } });
    expect(objects).to.deep.equal([]);
  });

  it('writes its own id into the marker, so that a copy gives itself away', async () => {
    const [outcome] = await apply(driver, [stepFor('create', hook(), driver)]);
    const [made] = webhooks.list();
    expect(outcome, 'and tells what it wrote').to.deep.include({
      status: 'applied',
      remote: { id: made?.id, version: made?.version },
    });
    expect(made?.marker?.remote).to.equal(made?.id);
    expect(made?.marker).to.deep.include({ owner: OWNER, key: 'Webhook/hook', how: 'created' });
    expect(made?.changedBy).to.equal(OWNER);
  });

  it('writes a secret that is given, keeps one that is not, and takes it away only where the plan showed that', async () => {
    const signed = hook({}, { secret: 'one' });
    await succeed(driver, [stepFor('create', signed, driver)]);
    const told = () => webhooks.secretOf(webhooks.list()[0]?.id ?? '')?.reveal();
    expect(told()).to.equal('one');
    await update(hook({ signed: true, url: 'https://b.example/' }), '/url')();
    expect(told(), 'not said').to.equal('one');
    await update(signed, '/secrets/secret')({ secret: 'two' });
    expect(told(), 'rotated').to.equal('two');
    await update(hook({ url: 'https://c.example/' }), '/url')();
    expect(told(), '/signed is ignored').to.equal('two');
    const last = await update(hook(), '/url', '/signed')();
    expect([last?.signed, told()], 'taken out of git').to.deep.equal([false, undefined]);
    expect((await get(driver, hook())).secretsSet).to.deep.equal({ secret: false });
  });

  it('keeps the marker of what a restored copy is written over', async () => {
    await succeed(driver, [stepFor('create', hook(), driver)]);
    const { marker: _, ...step } = stepFor('update', hook({ url: 'https://b.example/' }), driver, {
      at: await get(driver, hook()),
    });
    await succeed(driver, [step]);
    expect((await get(driver, hook())).value['url']).to.equal('https://b.example/');
    expect((await get(driver, hook())).marker?.key).to.equal('Webhook/hook');
  });

  it('deletes what was looked at, and nothing that was changed since', async () => {
    await succeed(driver, [stepFor('create', hook(), driver)]);
    const looked = await get(driver, hook());
    await update(hook({ url: 'https://b.example/' }), '/url')();
    const [late] = await apply(driver, [stepFor('delete', hook(), driver, { at: looked })]);
    expect(late?.status === 'failed' && [late.error.code, late.error.retry]).to.deep.equal(['stale', 'replan']);
    expect(webhooks.list()).to.have.length(1);
    await succeed(driver, [stepFor('delete', hook(), driver, { at: await get(driver, hook()) })]);
    expect(webhooks.list()).to.deep.equal([]);
  });

  it('releases what is released already, or gone, without a write', async () => {
    const made = webhooks.create({ ...hook().spec, platform: 'main', by: 'x', marker: MARKER } as never, 'w');
    const at = await get(driver, hook());
    const release = stepFor('release', hook(), driver, { at });
    await succeed(driver, [release]);
    const released = webhooks.get('w');
    expect([released?.marker, released?.url]).to.deep.equal([undefined, made.url]);
    await succeed(driver, [release]);
    expect(webhooks.get('w')).to.deep.equal(released);
    webhooks.remove('w');
    await succeed(driver, [release]);
    expect(webhooks.list()).to.deep.equal([]);
  });

  it('says that the kind was not listed to its end when the register cannot be read (law 3)', async () => {
    const broken = {
      list: () => {
        throw new Error('the disk is gone');
      },
    } as unknown as Webhooks;
    const seen = await observe(withWebhooks(inner, broken, 'main'));
    expect(seen.listed.get('Webhook')).to.deep.equal({
      listed: 'Webhook',
      complete: false,
      because: 'the disk is gone',
    });
    expect(seen.listed.get('Workflow')?.complete).to.equal(true);
  });

  it('fails alone when its write fails, and stops when it is told to (law 8)', async () => {
    const failing: Step = {
      ...stepFor('create', hook(), driver),
      secrets: () => Promise.reject(new Error('the secret is not there')),
    };
    const rest = [
      stepFor('create', { ...hook({ title: 'Good' }), key: 'Webhook/good' }, driver),
      stepFor('create', WORKFLOW, driver),
    ];
    const outcomes = await apply(driver, [failing, ...rest]);
    expect(outcomes.map(({ status, change }) => [change.key, status])).to.deep.equal([
      ['Webhook/hook', 'failed'],
      ['Webhook/good', 'applied'],
      ['Workflow/w', 'applied'],
    ]);
    const stopped = await apply(driver, [stepFor('create', hook(), driver)], AbortSignal.abort());
    expect(stopped.map(({ status }) => status)).to.deep.equal(['skipped']);
    expect(webhooks.list().map(({ title }) => title)).to.deep.equal(['Good']);
    const look = await observe(driver, { kinds: ['Webhook'] }, AbortSignal.abort()).catch((error: unknown) => error);
    expect(look).to.be.instanceOf(Error);
  });

  it('compares addresses and not their spelling, and tells what is left out as what it means', () => {
    const normal = { title: ' T\n', event: 'e', url: 'https://a.example/', active: true, signed: false };
    for (const url of ['https://a.example', 'HTTPS://A.example:443/', 'https://a.example/./'])
      expect(driver.normalize('Webhook', { title: ' T\n', event: 'e', url })).to.deep.equal(normal);
    expect(driver.normalize('Webhook', { ...normal, url: 'https://bücher.example/ä' })['url']).to.equal(
      'https://xn--bcher-kva.example/%C3%A4',
    );
  });

  it('exports names, no ids, no secret, and nothing that would take the secret away from a webhook that is adopted', async () => {
    const by = { platform: 'main', event: '*', url: 'https://a.example/', active: false, by: 'token/ci' };
    webhooks.create({ ...by, title: 'Über Hook' }, 'a');
    webhooks.create({ ...by, title: 'Signed', marker: MARKER, secret: secretValue('CANARY') }, 'b');
    const { objects } = await observe(driver, { kinds: ['Webhook'] });
    const content = { event: '*', url: 'https://a.example/', active: false };
    expect(objects.map((object) => driver.toManifest?.(object))).to.deep.equal([
      { name: 'uber-hook', spec: { title: 'Über Hook', ...content, signed: false } },
      { name: 'hook', spec: { title: 'Signed', ...content, signed: true, ignoreFields: ['/signed'] } },
    ]);
  });
});
