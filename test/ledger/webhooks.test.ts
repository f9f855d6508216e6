import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect } from 'chai';
import type { WebhookDraft } from '../../src/drivers/webhook-register.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import type { Marker } from '../../src/plan/types.ts';
import { Seal } from '../../src/secrets/seal.ts';
import { SecretStore } from '../../src/secrets/store.ts';
import { failureOf } from '../secrets/folders.ts';
import { stateDirectories } from './samples.ts';

const CANARY = 'CANARY-whsec-4711';
const MARKER: Marker = { owner: 'default/orders', key: 'Webhook/on-call', applied: 'f1', how: 'created', remote: 'w1' };

function draft(more: Partial<WebhookDraft> = {}): WebhookDraft {
  return {
    platform: 'automation',
    title: 'On call',
    event: 'workflow.failed',
    url: 'https://oncall.example/hook',
    active: true,
    by: 'default/orders',
    ...more,
  };
}

describe('The register of webhooks', () => {
  const stateDirectory = stateDirectories();
  const secrets = new SecretStore({ env: {}, hashKey: new Uint8Array(32).fill(3) });
  const sealOf = (byte: number) =>
    new Seal({ key: new Uint8Array(32).fill(byte), hold: (value) => secrets.hold(value) });
  const seal = sealOf(3);
  const secret = secrets.hold(CANARY);
  let now = 1000;
  const open = (directory: string, options: { seal?: Seal } = { seal }) =>
    Ledger.open(directory, { now: () => now, ...options });

  it('keeps what is registered, whole, over a restart', () => {
    const directory = stateDirectory();
    const ledger = open(directory);
    now = 5000;
    const made = ledger.webhooks.create(
      draft({ marker: MARKER, secret, active: false, title: 'Über 通知 😀\u0000' }),
      'w1',
    );
    ledger.close();
    using again = open(directory);
    expect(again.webhooks.get('w1')).to.deep.equal(made);
    const { version, ...rest } = made;
    expect(version).to.be.a('string').and.not.equal('');
    expect(rest).to.deep.equal({
      id: 'w1',
      platform: 'automation',
      title: 'Über 通知 😀\u0000',
      event: 'workflow.failed',
      url: 'https://oncall.example/hook',
      active: false,
      signed: true,
      marker: MARKER,
      createdAt: 5000,
      changedAt: 5000,
      changedBy: 'default/orders',
    });
    expect(again.webhooks.secretOf('w1')?.reveal()).to.equal(CANARY);
  });

  it('lists all of them or those of a platform, by id, and none that were removed', () => {
    using ledger = open(stateDirectory());
    const { webhooks } = ledger;
    for (const id of ['c', 'a', 'b']) webhooks.create(draft({ platform: id === 'b' ? 'other' : 'automation' }), id);
    expect(webhooks.list().map(({ id }) => id)).to.deep.equal(['a', 'b', 'c']);
    expect(webhooks.list('automation').map(({ id }) => id)).to.deep.equal(['a', 'c']);
    expect([webhooks.remove('a'), webhooks.remove('a')]).to.deep.equal([true, false]);
    expect(webhooks.list().map(({ id }) => id)).to.deep.equal(['b', 'c']);
    expect([webhooks.get('a'), webhooks.secretOf('a')]).to.deep.equal([undefined, undefined]);
  });

  it('gives ids of its own, and refuses one that is taken, leaving what is there', async () => {
    using ledger = open(stateDirectory());
    const { webhooks } = ledger;
    const [first, second] = [webhooks.create(draft()), webhooks.create(draft())];
    expect(first.id).to.not.equal(second.id);
    const failure = await failureOf(() =>
      webhooks.create(draft({ url: 'https://evil.example', secret: null }), first.id),
    );
    expect([failure.code, failure.retry]).to.deep.equal(['conflict', 'never']);
    expect(webhooks.get(first.id)).to.deep.equal(first);
  });

  it('gives another version with every write, also to one that is registered anew under its old id', () => {
    using ledger = open(stateDirectory());
    const { webhooks } = ledger;
    const versions = [webhooks.create(draft(), 'w').version];
    for (let count = 0; count < 2; count += 1) versions.push(webhooks.update('w', draft()).version);
    webhooks.remove('w');
    versions.push(webhooks.create(draft(), 'w').version);
    expect(new Set(versions).size).to.equal(4);
  });

  it('changes the one that was looked at, and refuses when it was changed since or is gone', async () => {
    using ledger = open(stateDirectory());
    const { webhooks } = ledger;
    now = 1000;
    const first = webhooks.create(draft({ marker: MARKER }), 'w');
    now = 2000;
    const second = webhooks.update('w', draft({ url: 'https://b.example/', by: 'token/ci' }), first.version);
    const { marker: _, ...unmarked } = first;
    const wanted = {
      ...unmarked,
      url: 'https://b.example/',
      version: second.version,
      changedAt: 2000,
      changedBy: 'token/ci',
    };
    expect(webhooks.get('w'), 'what is not said has no marker').to.deep.equal(wanted);
    for (const late of [
      () => webhooks.update('w', draft(), first.version),
      () => webhooks.remove('w', first.version),
    ]) {
      const failure = await failureOf(late);
      expect([failure.code, failure.retry]).to.deep.equal(['stale', 'replan']);
    }
    expect(webhooks.get('w')).to.deep.equal(wanted);
    const gone = await failureOf(() => webhooks.update('nobody', draft()));
    expect([gone.code, gone.retry]).to.deep.equal(['not-found', 'replan']);
    expect(webhooks.remove('w', second.version)).to.equal(true);
  });

  it('tells those who watch of every change, once it can be read, and of nothing else', async () => {
    using ledger = open(stateDirectory());
    const { webhooks } = ledger;
    const told: (readonly string[])[] = [];
    const watch = webhooks.watch(() => told.push(webhooks.list().map(({ title }) => title)));
    webhooks.create(draft(), 'w');
    await failureOf(() => webhooks.create(draft(), 'w'));
    webhooks.update('w', draft({ title: 'Second' }));
    await failureOf(() => webhooks.update('w', draft(), 'no version'));
    webhooks.remove('nobody');
    webhooks.remove('w');
    expect(told).to.deep.equal([['On call'], ['Second'], []]);
    watch[Symbol.dispose]();
    webhooks.create(draft(), 'w');
    expect(told).to.have.length(3);
  });

  it('keeps a secret until it is given another or none', () => {
    using ledger = open(stateDirectory());
    const { webhooks } = ledger;
    const told = (): unknown => [webhooks.get('w')?.signed, webhooks.secretOf('w')?.reveal()];
    webhooks.create(draft(), 'w');
    expect(told()).to.deep.equal([false, undefined]);
    webhooks.update('w', draft({ secret }));
    expect(told()).to.deep.equal([true, CANARY]);
    webhooks.update('w', draft({ title: 'Other' }));
    expect(told()).to.deep.equal([true, CANARY]);
    webhooks.update('w', draft({ secret: secrets.hold('rotated') }));
    expect(told()).to.deep.equal([true, 'rotated']);
    webhooks.update('w', draft({ secret: null }));
    expect(told()).to.deep.equal([false, undefined]);
  });

  it('has no secret in any file of the state directory, and tells none but to who asks for it (law 9)', () => {
    const directory = stateDirectory();
    const ledger = open(directory);
    ledger.webhooks.create(draft({ secret }), 'w');
    const everything = (): Buffer =>
      Buffer.concat(readdirSync(directory).map((file) => readFileSync(join(directory, file))));
    for (const bytes of [everything(), (ledger.close(), everything())]) {
      expect(bytes.includes('https://oncall.example/hook'), 'the webhook is in these files').to.equal(true);
      for (const form of ['utf8', 'base64', 'hex'] as const)
        expect(bytes.includes(Buffer.from(CANARY).toString(form)), form).to.equal(false);
    }
    using reader = Ledger.read(directory);
    expect(JSON.stringify(reader.webhooks.list())).to.not.include('CANARY');
  });

  it('is read without the key, which only secrets need', async () => {
    const directory = stateDirectory();
    using ledger = open(directory);
    const made = ledger.webhooks.create(draft({ secret }), 'w');
    ledger.webhooks.create(draft(), 'unsigned');
    using reader = Ledger.read(directory);
    expect(reader.webhooks.list('automation')).to.have.length(2);
    expect(reader.webhooks.get('w')).to.deep.equal(made);
    expect(reader.webhooks.secretOf('unsigned')).to.equal(undefined);
    expect((await failureOf(() => reader.webhooks.secretOf('w'))).code).to.equal('seal-missing');
    expect(Ledger.read(stateDirectory()).webhooks.list()).to.deep.equal([]);
  });

  it('without the key takes everything but secrets, and then writes nothing of the draft', async () => {
    using ledger = open(stateDirectory(), {});
    const { webhooks } = ledger;
    const plain = webhooks.create(draft(), 'plain');
    for (const write of [
      () => webhooks.create(draft({ secret }), 'w'),
      () => webhooks.update('plain', draft({ secret })),
    ])
      expect((await failureOf(write)).code).to.equal('seal-missing');
    expect(webhooks.list()).to.deep.equal([plain]);
  });

  it('under another key says that the secret must be given again, and takes it', async () => {
    const directory = stateDirectory();
    const before = open(directory);
    before.webhooks.create(draft({ secret }), 'w');
    before.close();
    using ledger = open(directory, { seal: sealOf(4) });
    expect(ledger.webhooks.get('w')?.signed).to.equal(true);
    const failure = await failureOf(() => ledger.webhooks.secretOf('w'));
    expect(failure.code).to.equal('seal-broken');
    expect(failure.remedy).to.match(/^Give the secret again/);
    ledger.webhooks.update('w', draft({ secret: secrets.hold('given again') }));
    expect(ledger.webhooks.secretOf('w')?.reveal()).to.equal('given again');
  });

  it('does not open a secret that was moved to another webhook behind its back', async () => {
    const directory = stateDirectory();
    const before = open(directory);
    before.webhooks.create(draft({ secret }), 'good');
    before.webhooks.create(draft({ url: 'https://evil.example/' }), 'evil');
    before.close();
    const file = new DatabaseSync(join(directory, 'ledger.db'));
    file.exec(`UPDATE webhook SET secret = (SELECT secret FROM webhook WHERE id = 'good') WHERE id = 'evil'`);
    file.close();
    using ledger = open(directory);
    expect((await failureOf(() => ledger.webhooks.secretOf('evil'))).code).to.equal('seal-broken');
    expect(ledger.webhooks.secretOf('good')?.reveal()).to.equal(CANARY);
  });
});
