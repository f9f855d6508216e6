import { expect } from 'chai';
import { CANARY, SECRET, WORKFLOW, BY_HAND, changes, hook, withheld } from './samples.ts';
import { Office } from './office.ts';

describe('A pass over webhooks', () => {
  let office: Office;
  beforeEach(async () => {
    office = await Office.open();
    office.env['HOOK_SECRET'] = CANARY;
  });
  afterEach(() => office[Symbol.asyncDispose]());

  it('creates, changes and deletes them beside what the platform has itself, and then finds nothing to do (law 1)', async () => {
    office.commit(
      hook(SECRET),
      hook({ title: '通知 😀', url: 'https://bücher.example', active: false }, 'other'),
      WORKFLOW,
    );
    expect(changes(await office.pass())).to.have.members([
      'create Webhook/on-call (new): applied',
      'create Webhook/other (new): applied',
      'create Workflow/w (new): applied',
    ]);
    await office.quiet();
    const made = office.webhooks.list().find(({ title }) => title === 'On call');
    expect(office.webhooks.secretOf(made?.id ?? '')?.reveal()).to.equal(CANARY);
    office.commit(hook({ ...SECRET, title: 'Renamed', url: 'https://b.example/?x' }), WORKFLOW);
    expect(changes(await office.pass())).to.deep.equal([
      'update Webhook/on-call (changed): applied',
      'delete Webhook/other (removed): applied',
    ]);
    expect(office.only()).to.deep.include({
      id: made?.id,
      title: 'Renamed',
      url: 'https://b.example/?x',
      signed: true,
      active: true,
    });
    await office.quiet();
    expect(office.mint.store.list('workflows')).to.have.length(1);
  });

  it('writes a rotated secret, once, and shows no value of it (laws 1, 9)', async () => {
    office.commit(hook(SECRET));
    await office.pass();
    office.env['HOOK_SECRET'] = `${CANARY}-rotated`;
    const report = await office.pass();
    expect(changes(report)).to.deep.equal(['update Webhook/on-call (secret): applied']);
    const [change] = report.plan?.stages.flat() ?? [];
    expect(change && 'diff' in change && change.diff).to.deep.equal([
      { path: '/secrets/secret', after: '(masked)', masked: true },
    ]);
    expect(office.webhooks.secretOf(office.only().id)?.reveal()).to.equal(`${CANARY}-rotated`);
    await office.quiet();
  });

  it('takes a secret away that left git, and says so; with /signed ignored it stays', async () => {
    office.commit(hook(SECRET));
    await office.pass();
    office.commit(hook({ ignoreFields: ['/signed'], active: false }));
    await office.pass();
    expect(office.only()).to.deep.include({ active: false, signed: true });
    await office.quiet();
    office.commit(hook());
    const report = await office.pass();
    const [change] = report.plan?.stages.flat() ?? [];
    expect(change && 'diff' in change && change.diff).to.deep.include({ path: '/signed', before: true, after: false });
    expect([office.only().signed, office.webhooks.secretOf(office.only().id)]).to.deep.equal([false, undefined]);
    await office.quiet();
  });

  it('puts a secret back that somebody took away, and reverts what else was changed by hand, archived', async () => {
    office.commit(hook(SECRET));
    await office.pass();
    const { id, ...made } = office.only();
    office.webhooks.update(id, { ...made, url: 'https://evil.example/', secret: null, by: 'token/mallory' });
    const report = await office.pass();
    expect(changes(report)).to.deep.equal(['update Webhook/on-call (drift): applied']);
    expect(report.plan?.stages.flat()[0]).to.have.nested.property('who.by', 'token/mallory');
    expect(office.only()).to.deep.include({ url: 'https://oncall.example/hook', signed: true, marker: made.marker });
    expect(office.webhooks.secretOf(id)?.reveal()).to.equal(CANARY);
    const [copy] = office.ledger.archived();
    expect(copy?.value()).to.deep.include({ url: 'https://evil.example/', signed: false });
    await office.quiet();
  });

  it('deletes none that it owns while a manifest of the source cannot be read (law 3)', async () => {
    office.commit(hook(), WORKFLOW);
    await office.pass();
    office.commit(WORKFLOW, { kind: 'Webhook', metadata: { name: 'broken' }, spec: { event: 'x' } });
    const report = await office.pass();
    expect(changes(report)).to.deep.equal([]);
    expect(withheld(report)).to.have.length(1);
    expect(office.only().title).to.equal('On call');
  });

  it('finds one again that was registered when the process died, before the ledger was told (law 6)', async () => {
    office.commit(hook(SECRET));
    const journal = office.ledger.journal.bind(office.ledger);
    office.ledger.journal = (scope) =>
      Object.assign(journal(scope), {
        settleAll: () => {
          throw new Error('killed');
        },
      });
    await office.pass();
    const { id } = office.only();
    office.restart();
    expect(office.ledger.view({ sync: 'orders', platform: 'mint' }).intents).to.have.length(1);
    await office.pass();
    expect(office.only().id).to.equal(id);
    await office.quiet();
  });

  it('registers them anew when the ledger is lost, because the register is lost with it; no other object is doubled', async () => {
    office.commit(hook(SECRET), WORKFLOW);
    await office.pass();
    const { id } = office.only();
    office.loseLedger();
    expect(changes(await office.pass())).to.deep.equal(['create Webhook/on-call (new): applied']);
    expect(office.only().id).to.not.equal(id);
    expect(office.webhooks.secretOf(office.only().id)?.reveal()).to.equal(CANARY);
    expect(office.mint.store.list('workflows')).to.have.length(1);
    await office.quiet();
  });

  it('has no secret in the files of the ledger nor in anything that is told of passes (law 9)', async () => {
    office.commit(hook(SECRET), hook({ url: 'https://b.example', ...SECRET }, 'second'));
    await office.pass({ mode: 'plan' });
    await office.pass();
    office.env['HOOK_SECRET'] = `${CANARY}-two`;
    await office.pass();
    const [first] = office.webhooks.list();
    office.webhooks.update(first?.id ?? '', { ...BY_HAND, title: 'Taken over', secret: null });
    await office.pass();
    delete office.env['HOOK_SECRET'];
    await office.pass();
    office.commit();
    await office.pass();
    office.restart();
    const told = await office.told();
    expect(told).to.include('Webhook/on-call').and.include('HOOK_SECRET');
    for (const form of ['utf8', 'base64', 'base64url', 'hex'] as const) {
      const canary = Buffer.from(CANARY.slice(0, 15)).toString(form);
      expect(told.includes(canary), `told as ${form}`).to.equal(false);
      expect(office.state.includes(canary), `kept as ${form}`).to.equal(false);
    }
    expect(told.includes('CANARY') || office.state.includes('CANARY'), 'in any spelling').to.equal(false);
  });
});
