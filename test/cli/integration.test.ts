import { expect } from 'chai';
import { Webhook } from 'standardwebhooks';
import type { Ran } from './binary.ts';
import { Shop } from './integration-place.ts';

const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';

interface RunJson {
  readonly id: string;
  readonly correlationId?: string;
  readonly workflow?: string;
  readonly status: string;
}
interface Triggered extends RunJson {
  readonly answer?: { readonly body: unknown };
  readonly execution?: RunJson & { readonly error?: string };
}
interface Delivery {
  readonly id: string;
  readonly state: string;
  readonly error?: string;
  readonly event: { readonly type: string; readonly subject: string };
}

/** One story, each test going on where the last one ended: the commands of the integration layer against a daemon. */
describe('the command line with a daemon that runs workflows', function () {
  this.timeout(120_000);
  let shop: Shop;
  const run = (...args: readonly string[]): Promise<Ran> => shop.desk.run(...args);
  const json = async <T>(...args: readonly string[]): Promise<T> => {
    const { code, out, err } = await run(...args, '-o', 'json');
    expect(code, err).to.equal(0);
    return JSON.parse(out) as T;
  };
  const says = ({ code, out, err }: Ran, ...words: readonly (string | RegExp)[]): void => {
    expect(code, out + err).to.equal(1);
    expect(out).to.equal('');
    for (const word of words) expect(err).to.match(typeof word === 'string' ? new RegExp(word) : word);
    expect(err, 'no stack').not.to.match(/^\s+at /m);
  };
  let correlation = '';
  before(async () => {
    shop = await Shop.open();
  });
  after(() => shop?.[Symbol.asyncDispose]());

  it('trigger runs a workflow with an input that is written down, in a file, or on standard input', async () => {
    shop.desk.write('order.json', '{"amount": 2}');
    const [text, file, stdin] = await Promise.all([
      run('trigger', 'ship', '--platform', 'dev', '--input', '{"amount": 1}'),
      json<Triggered>('trigger', 'ship', '--input', '@order.json'),
      shop.desk.feed('{"amount": 3}', 'trigger', 'ship', '--input', '-', '-o', 'json'),
    ]);
    expect(text.code, text.err).to.equal(0);
    correlation = new RegExp(`^ship on dev: accepted, run (${UUID})$`, 'm').exec(text.out)?.[1] ?? '';
    expect(correlation, text.out).not.to.equal('');
    expect(text.out).to.include('It answered 200: {"shipped":1}').and.include(`plumbline executions ${correlation}`);
    expect(file).to.deep.include({ status: 'accepted', answer: { status: 200, body: { shipped: 2 } } });
    expect((JSON.parse(stdin.out) as Triggered).answer?.body).to.deep.equal({ shipped: 3 });
  });

  it('trigger says why a workflow was not run, what to do, and ends with 1', async () => {
    const [refused, malformed, missing, unknown, without, elsewhere] = await Promise.all([
      run('trigger', 'ship', '--input', '{"amount": 12000}'),
      run('trigger', 'ship', '--input', '{"amount": '),
      run('trigger', 'ship', '--input', '@no-such-file.json'),
      run('trigger', 'no-such-workflow'),
      run('trigger', 'report'),
      run('trigger', 'ship', '--platform', 'prod'),
    ]);
    says(refused, 'order-limit', 'the amount exceeds the limit');
    says(malformed, 'the input cannot be taken', 'Write JSON');
    says(missing, 'the input cannot be taken', 'no-such-file.json');
    says(unknown, 'nothing of that name');
    says(without, 'cannot be run on demand', 'Add an inject node');
    says(elsewhere, 'nothing of that name');
  });

  it('trigger --wait tells how the run ended, and ends with 3 when it failed', async () => {
    const [succeeded, failed] = await Promise.all([
      run('trigger', 'ship', '--input', '{"amount": 4}', '--wait'),
      run('trigger', 'broken', '--wait', '-o', 'json'),
    ]);
    expect(succeeded.code, succeeded.err).to.equal(0);
    expect(succeeded.out).to.match(/^ship on dev: succeeded in \d+ ms, run /);
    expect(failed.code, failed.err).to.equal(3);
    expect((JSON.parse(failed.out) as Triggered).execution).to.include({ status: 'failed', workflow: 'broken' });
  });

  it('executions shows the runs, none of which was refused, and one of them', async () => {
    const { executions } = await shop.daemon.until('every run ended', async () => {
      const { text } = await shop.call('/platforms/dev/executions?workflow=ship');
      const list = JSON.parse(text) as { executions: readonly RunJson[] };
      return list.executions.every(({ status }) => status === 'succeeded') && list;
    });
    expect(executions, 'three runs, and the one that was waited for').to.have.length(4);
    const [table, listed, one, oneJson, unknown] = await Promise.all([
      run('executions', '--limit', '50'),
      json<{ executions: readonly RunJson[] }>('executions', '--workflow', 'ship', '--platform', 'dev'),
      run('executions', correlation),
      json<RunJson>('executions', executions[0]?.id ?? ''),
      run('executions', 'no-such-run'),
    ]);
    expect(table.out).to.match(/^STARTED +WORKFLOW +STATUS +ID +ASKED FOR AS$/m);
    expect(table.out)
      .to.include(correlation)
      .and.match(/ broken +failed/);
    expect(listed.executions.map(({ id }) => id)).to.have.members(executions.map(({ id }) => id));
    expect(one.out).to.match(/^ship {2}\S+ {2}succeeded in \d+ ms\n$/);
    expect(oneJson).to.deep.equal(executions[0]);
    says(unknown, 'nothing of that name');
  });

  it('webhook, deliveries and replay: somebody is told, is not there, is told again, and no more', async () => {
    const [added, bad] = await Promise.all([
      run('webhook', 'add', 'workflow.failed', shop.receiver.url('/text')),
      run('webhook', 'add', 'workflow.failed', 'ftp://example.com'),
    ]);
    expect(added.code, added.err).to.equal(0);
    const id = /Webhook (\S+)\. Its secret is not shown again/.exec(added.err)?.[1] ?? '';
    says(bad, 'callback_url', 'Write it such as https:');
    const secret = added.out.trim();
    shop.receiver.answer = (response) => response.writeHead(410).end();
    await run('trigger', 'broken');
    const dead = await shop.daemon.until('given up', async () => {
      const { text } = await shop.call('/deliveries?state=dead');
      return (JSON.parse(text) as { deliveries: readonly Delivery[] }).deliveries[0];
    });
    const [list, listed, table, done, deliveries] = await Promise.all([
      run('webhook', 'list'),
      json<{ webhooks: readonly { id: string }[] }>('webhook', 'list', '--platform', 'dev'),
      run('deliveries'),
      json<{ deliveries: readonly Delivery[] }>('deliveries', '--state', 'done'),
      json<{ deliveries: readonly Delivery[] }>('deliveries', '--state', 'dead', '--handler', `webhook/${id}`),
    ]);
    expect(list.out).to.match(new RegExp(`^${id} +workflow\\.failed +http://127\\S+/text +active, signed +`, 'm'));
    expect(listed.webhooks.map((one) => one.id)).to.deep.equal([id]);
    expect(table.out).to.match(/workflow\.failed +Workflow\/broken +webhook\/\S+ +dead +\S/);
    expect([done.deliveries, deliveries.deliveries]).to.deep.equal([[], [dead]]);
    expect(dead.error).to.include('410');
    shop.receiver.answer = (response) => response.writeHead(204).end();
    const before = shop.receiver.received.length;
    const [unclear, nobody] = await Promise.all([run('replay'), run('replay', '--dead', 'webhook/none')]);
    says(unclear, 'what to deliver again is not clear');
    says(nobody, 'webhook/none');
    const replayed = await run('replay', '--dead', `webhook/${id}`);
    expect([replayed.code, replayed.out]).to.deep.equal([0, '1 to be delivered again.\n']);
    const received = await shop.daemon.until('delivered', () => shop.receiver.received[before]);
    const event = new Webhook(secret).verify(received.body.toString(), received.headers as Record<string, string>);
    expect(event).to.deep.include({ type: 'workflow.failed', subject: 'Workflow/broken' });
    expect(received.body.toString(), 'what the platform says stays there').not.to.include('out of stock');
    const again = await json<{ replayed: number }>('replay', dead.id);
    expect(again).to.deep.equal({ replayed: 1, skipped: 0 });
    await shop.daemon.until('delivered once more', () => shop.receiver.received[before + 1]);
    const removed = await run('webhook', 'remove', id, '-o', 'json');
    expect(JSON.parse(removed.out)).to.deep.equal({ removed: id });
    const [empty, twice] = await Promise.all([run('webhook', 'list'), run('webhook', 'remove', id)]);
    expect(empty.out).to.equal('Nobody is told of anything.\n');
    says(twice, 'nothing of that name');
  });

  it('token makes tokens with the rights that they say, gives them other secrets, and takes them no more', async () => {
    const trigger = (workflow: string, token: string) =>
      shop.call(`/platforms/dev/workflows/${workflow}/trigger`, { token, body: { input: { amount: 5 } } });
    const [reader, shopper, scopeless, wrong, late] = await Promise.all([
      run('token', 'create', 'reader', '--scope', 'read'),
      json<{ id: string; token: string }>(
        'token',
        'create',
        'shopper',
        '--scope',
        'trigger:dev/ship',
        '--expires-in',
        '1h',
      ),
      run('token', 'create', 'nobody'),
      run('token', 'create', 'writer', '--scope', 'write'),
      run('token', 'create', 'late', '--scope', 'read', '--expires-in', 'soon'),
    ]);
    const token = reader.out.trim();
    const id = /Token (\S+) of reader\. It is not shown again/.exec(reader.err)?.[1] ?? '';
    says(scopeless, 'has no scope');
    says(wrong, 'is not a scope');
    says(late, 'is not a duration');
    expect((await shop.call('/status', { token })).status).to.equal(200);
    expect((await trigger('ship', token)).status, 'a reader triggers').to.equal(403);
    expect((await trigger('ship', shopper.token)).status).to.equal(202);
    expect((await trigger('broken', shopper.token)).status, 'another workflow').to.be.oneOf([403, 404]);
    expect((await shop.call('/tokens', { token: shopper.token })).status).to.equal(403);
    const rotated = await run('token', 'rotate', id, '--grace', '1h');
    const second = rotated.out.trim();
    expect(second).not.to.equal(token);
    for (const one of [token, second]) expect((await shop.call('/status', { token: one })).status).to.equal(200);
    const third = (await json<{ token: string }>('token', 'rotate', id)).token;
    expect((await shop.call('/status', { token: second })).status, 'the former one').to.equal(401);
    expect((await shop.call('/status', { token: third })).status).to.equal(200);
    const revoked = await run('token', 'revoke', id);
    expect(revoked.out).to.equal(`Token ${id} is revoked.\n`);
    for (const one of [token, second, third]) expect((await shop.call('/status', { token: one })).status).to.equal(401);
    const [list, listed, unknown] = await Promise.all([
      run('token', 'list'),
      json<{ tokens: readonly { id: string; name: string }[] }>('token', 'list'),
      run('token', 'revoke', 'no-such-token'),
    ]);
    expect(list.out).to.match(new RegExp(`^${id} +reader +read +.* revoked `, 'm'));
    expect(list.out).to.match(/ shopper +trigger:dev\/ship +.* until /);
    expect(listed.tokens.map(({ name }) => name)).to.have.members(['reader', 'shopper']);
    says(unknown, 'nothing here');
    for (const secret of [token, second, third, shopper.token]) expect(list.out).not.to.include(secret);
  });

  it('audit tells who called, with which token, and what came of it', async () => {
    const [all, refused] = await Promise.all([
      run('audit', '--limit', '500'),
      json<{ records: readonly { refused: boolean; status: number; name?: string; route: string }[] }>(
        'audit',
        '--refused',
      ),
    ]);
    expect(all.out).to.match(/^WHEN +WHO +CALL +ABOUT +STATUS +FROM +TIMES$/m);
    expect(all.out).to.match(/ shopper +POST \S+trigger +dev\/ship +202 +127\.0\.0\.1/);
    expect(refused.records.every((one) => one.refused)).to.equal(true);
    expect(refused.records.some(({ name, status }) => name === 'reader' && status === 403)).to.equal(true);
    expect(refused.records.some(({ status }) => status === 401)).to.equal(true);
  });

  it('says what it is for, command by command', async () => {
    const [all, one] = await Promise.all([run('--help'), run('token', 'create', '--help')]);
    for (const name of ['trigger', 'executions', 'webhook', 'deliveries', 'replay', 'token', 'audit'])
      expect(all.out).to.match(new RegExp(`^ +${name}\\b.* {2,}\\S`, 'm'));
    expect(one.out).to.include('--scope').and.include('trigger:PLATFORM/WORKFLOW').and.include('--expires-in');
    expect([all.code, one.code]).to.deep.equal([0, 0]);
  });

  it('says that there is no daemon when there is none, whatever is asked, and ends with 1', async () => {
    expect(await shop.stop(), shop.daemon.err).to.equal(0);
    const commands = [
      ['trigger', 'ship'],
      ['executions'],
      ['webhook', 'list'],
      ['deliveries'],
      ['replay', '--since', '2026-11-22T10:00:00Z'],
      ['token', 'create', 'x', '--scope', 'read'],
      ['audit', '-o', 'json'],
    ];
    for (const ran of await Promise.all(commands.map((command) => run(...command))))
      says(ran, 'no daemon runs on this state directory', 'plumbline start');
  });
});
