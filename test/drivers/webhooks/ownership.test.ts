import { expect } from 'chai';
import { exportPlatform } from '../../../src/daemon/export.ts';
import { OWNER } from '../../plan/scene.ts';
import { never } from '../contract-steps.ts';
import { tell } from '../crash/pass.ts';
import { CANARY, SECRET, WORKFLOW, BY_HAND, changes, hook, withheld } from './samples.ts';
import { Office } from './office.ts';

describe('Who owns a webhook', () => {
  let office: Office;
  beforeEach(async () => {
    office = await Office.open();
    office.env['HOOK_SECRET'] = CANARY;
  });
  afterEach(() => office[Symbol.asyncDispose]());

  it('never deletes what was registered by hand, nor what is of another platform or Sync (law 4)', async () => {
    office.commit(hook(), WORKFLOW);
    await office.pass();
    const byHand = office.webhooks.create({ ...BY_HAND, title: 'By hand' });
    const elsewhere = office.webhooks.create({ ...BY_HAND, title: 'On call', platform: 'other' });
    const theirs = office.webhooks.create({
      ...BY_HAND,
      title: 'Theirs',
      marker: { owner: 'default/theirs', key: 'Webhook/theirs' },
    });
    office.commit(WORKFLOW);
    expect(changes(await office.pass())).to.deep.equal(['delete Webhook/on-call (removed): applied']);
    expect(office.webhooks.list()).to.have.deep.members([byHand, elsewhere, theirs]);
    expect(office.webhooks.list()).to.have.length(3);
    await office.quiet();
  });

  it('adopts by title what was registered by hand, when that is allowed and approved', async () => {
    const { id } = office.webhooks.create({ ...BY_HAND, title: 'On call', event: 'workflow.*' });
    office.commit(hook());
    expect(withheld(await office.pass())).to.deep.equal(['create Webhook/on-call: adopt-refused']);
    office.terms = { ...office.terms, adopt: 'matching' };
    expect(withheld(await office.pass())).to.deep.equal(['adopt Webhook/on-call: adopt-approval']);
    office.terms = { ...office.terms, approvals: { adopt: true } };
    expect(changes(await office.pass())).to.deep.equal(['adopt Webhook/on-call (adoption): applied']);
    expect(office.only()).to.deep.include({ id, event: 'workflow.failed' });
    expect(office.only().marker).to.deep.include({ key: 'Webhook/on-call', how: 'adopted' });
    await office.quiet();
  });

  it('releases one on request: the marker goes, the webhook stays', async () => {
    office.commit(hook(SECRET));
    await office.pass();
    const { marker: _, version: _version, changedAt: _at, ...made } = office.only();
    await office.pass({ terms: office.termsWith({ release: ['Webhook/on-call'] }) });
    expect(office.only()).to.deep.include(made);
    expect(office.only()).to.not.have.property('marker');
  });

  it('goes on owning them under a new name of the Sync', async () => {
    office.commit(hook(SECRET));
    await office.pass();
    const { id } = office.only();
    office.ledger.renameSync('orders', 'sales');
    const terms = office.termsWith({ owner: 'default/sales', previousOwners: [OWNER] });
    expect(changes(await office.pass({ sync: 'sales', terms }))).to.deep.equal([
      'update Webhook/on-call (marker): applied',
    ]);
    expect(office.only()).to.deep.include({ id, signed: true });
    expect(office.only().marker).to.deep.include({ owner: 'default/sales', key: 'Webhook/on-call' });
    const report = await office.pass({ sync: 'sales', terms });
    expect(report.result, tell(report)).to.equal('in-sync');
    office.commit();
    expect(changes(await office.pass({ sync: 'sales', terms }))).to.deep.equal([
      'delete Webhook/on-call (removed): applied',
    ]);
  });

  it('exports what plans to no change but adoptions, signed ones too, which stay signed (law 2)', async () => {
    const secret = { reveal: () => CANARY, keyedHash: () => 'h' };
    office.webhooks.create({ ...BY_HAND, title: 'Über 通知', active: false }, 'a');
    office.webhooks.create({ ...BY_HAND, title: 'Signed', secret }, 'b');
    const result = await exportPlatform('mint', office.driver, never);
    expect([result.leftOut, result.counts]).to.deep.equal([[], { Webhook: 2 }]);
    expect(result.secrets).to.deep.equal([{ object: 'Webhook/signed', names: ['secret'] }]);
    expect(result.files.every(({ path }) => /^webhooks\/[\w-]+\.yaml$/.test(path))).to.equal(true);
    expect(JSON.stringify(result)).to.not.include('CANARY');
    expect(result.files.map(({ text }) => /^# .*/.exec(text)?.[0])).to.deep.equal([
      undefined,
      '# The platform keeps secret to itself. To have git keep it, add spec.secret with its valueFrom in place of ignoreFields.',
    ]);
    for (const { path, text } of result.files) office.write(path.replace('/', '-'), text);
    office.terms = { ...office.terms, adopt: 'matching' };
    const report = await office.pass();
    expect(report.problems.map(({ message }) => message)).to.deep.equal([]);
    expect(changes(report).map((line) => line.split(' ')[0])).to.deep.equal(['adopt', 'adopt']);
    expect(office.webhooks.secretOf('b')?.reveal()).to.equal(CANARY);
    await office.quiet();
  });
});
