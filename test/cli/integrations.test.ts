import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { coloursFor } from '../../src/cli/context.ts';
import type { Context } from '../../src/cli/context.ts';
import { createProgram } from '../../src/cli/program.ts';
import { openSession } from '../../src/cli/session.ts';
import type { LetterList, LettersTakenUp } from '../../src/daemon/operations.ts';
import type { RunReport } from '../../src/integrations/run-report.ts';
import { ask, until } from '../daemon/fixture.ts';
import { CANARY, IntegrationPlace } from '../integrations/place.ts';
import { Desk } from './binary.ts';
import type { Ran } from './binary.ts';

interface Told<T> {
  readonly code: number | null;
  readonly told: T;
}

/** One story, each test going on where the last one ended: the commands about Integrations that run code, against a daemon. */
describe('the command line about Integrations that run code', function () {
  this.timeout(180_000);
  let place: IntegrationPlace;
  const desk = new Desk({ CRM_TOKEN: CANARY });
  before(async () => {
    place = await IntegrationPlace.open();
    place.services.add(3);
    await place.write();
    await place.start();
  });
  after(async () => {
    expect(desk.said).to.not.include(CANARY);
    desk.remove();
    await place?.[Symbol.asyncDispose]();
  });

  const flags = (): readonly string[] => [
    '--state-dir',
    place.home.place.state,
    '--config',
    place.home.place.config,
    '--installation',
    'test',
  ];
  const run = (...args: readonly string[]): Promise<Ran> => desk.run(...args, ...flags());
  const json = async <T>(...args: readonly string[]): Promise<Told<T>> => {
    const { code, out, err } = await run(...args, '-o', 'json');
    // A run that is under way by itself may have been waited for.
    expect(err).to.not.include('error');
    return { code, told: JSON.parse(out) as T };
  };
  const refuses = ({ code, out, err }: Ran, ...words: readonly (string | RegExp)[]): void => {
    expect(code, out + err).to.equal(1);
    expect(out).to.equal('');
    for (const word of words) expect(err).to.match(typeof word === 'string' ? new RegExp(word) : word);
    expect(err, 'no stack').not.to.match(/^\s+at /m);
  };
  const api = async (operation: string, body: object, token?: string) => {
    const secret = token ?? readFileSync(join(place.home.place.state, 'token'), 'utf8').trim();
    const url = `${place.home.daemon.url}/api/v1/operations/${operation}`;
    return ask(url, { authorization: `Bearer ${secret}` }, JSON.stringify(body));
  };

  it('run tells what came of it, in words and as JSON, and integrations how they stand', async () => {
    const ran = await run('run', 'crm-sync');
    expect(ran).to.include({ code: 0, err: '' });
    expect(ran.out).to.match(/^crm-sync on prod: success in \d+ ms at [0-9a-f]{10}\n {2}read: 3 valid, 0 invalid\n/);
    const { code, told } = await json<RunReport>('run', 'crm-sync', '--platform', 'prod');
    expect(code).to.equal(0);
    expect(told).to.include({ platform: 'prod', integration: 'crm-sync', result: 'success', waiting: 0 });
    expect(told.collected).to.deep.equal({ valid: 0, invalid: 0, unchecked: 0 });
    for (const words of [['integrations'], ['integrations', 'list', '--platform', 'prod']]) {
      const { out } = await run(...words);
      expect(out)
        .to.match(/^INTEGRATION +PLATFORM +STATE +COMMIT/)
        .and.match(/\ncrm-sync +prod +idle +[0-9a-f]{10}/);
    }
    const listed = await json<{ integrations: readonly object[] }>('integrations', '--platform', 'prod');
    expect(listed.told.integrations).to.have.length(1);
    expect(listed.told.integrations[0]).to.include({ integration: 'crm-sync', state: 'idle', waiting: 0 });
    expect((await run('integrations', '--platform', 'elsewhere')).out).to.equal('No Integration runs code.\n');
  });

  it('a run that fails ends with 3, and tells why where scripts look for it', async () => {
    place.services.add(1);
    place.services.shop = 500;
    const failed = await run('run', 'crm-sync');
    expect(failed.code).to.equal(3);
    expect(failed.out).to.include('crm-sync on prod: failed in').and.include('the shop answered 500');
    expect((await run('integrations')).out).to.match(/crm-sync +prod +failing .* the shop answered 500/);
    const { code, told } = await json<RunReport>('run', 'crm-sync');
    expect([code, told.result, told.error?.code]).to.deep.equal([3, 'failed', 'plugin-failed']);
    place.services.shop = 200;
    expect((await run('run', 'crm-sync')).out).to.include('1 applied');
  });

  it('a name that nothing has is refused with the one that is near', async () => {
    for (const words of [['run'], ['repin'], ['integrations', 'letters'], ['integrations', 'replay', '--all']]) {
      const [first = '', ...rest] = words;
      refuses(await run(first, ...rest, 'crm-snyc'), 'No Integration crm-snyc', 'Did you mean "crm-sync"\\?');
    }
    refuses(await run('run', 'crm-sync', '--platform', 'dev'), 'on dev');
    refuses(await run('run', 'crm-sync', '--input', '{'), 'the input cannot be taken');
    refuses(await run('integrations', 'leters', 'crm-sync'), /error: /);
  });

  it('repin tells both commits, or that there is nothing to move', async () => {
    expect((await run('repin', 'crm-sync')).out).to.match(/^crm-sync is locked to [0-9a-f]{10} already\.\n$/);
    place.code.commit({ 'more.js': '' });
    expect((await run('repin', 'crm-sync')).out).to.match(
      /^crm-sync goes from [0-9a-f]{10} to [0-9a-f]{10} with the next pass\.\n$/,
    );
    await place.home.tried();
  });

  it('a second run waits for the one under way, says so, and does not run beside it', async () => {
    place.services.add(1);
    const reached = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    place.services.onPut = async () => {
      reached.resolve();
      await released.promise;
    };
    const one = run('run', 'crm-sync');
    await reached.promise;
    const other = desk.start('run', 'crm-sync', ...flags());
    await other.until('told', () => other.err.includes('A run of crm-sync is under way'));
    expect((await run('integrations')).out).to.match(/crm-sync +prod +running /);
    released.resolve();
    place.services.onPut = async () => undefined;
    expect((await one).code).to.equal(0);
    expect(await other.exit()).to.equal(0);
    expect(other.out).to.include('read: 0 valid').and.to.include('0 applied');
  });

  it('letters shows what was given up and why, without what it holds; replay and discard take what is meant', async () => {
    const when = new Date().toISOString();
    place.services.customers.push({ id: 'x1', email: 'at\u001b[31m home', changedAt: when });
    place.services.customers.push({ id: 'x2\u001b[31m', email: 'elsewhere', changedAt: when });
    await run('run', 'crm-sync');
    const { told } = await json<LetterList>('integrations', 'letters', 'crm-sync');
    expect(told).to.include({ platform: 'prod', integration: 'crm-sync', total: 2 });
    expect(told.letters.map(({ key, attempts, reason }) => [key, attempts, reason])).to.deep.equal([
      ['x2\u001b[31m', 0, 'it breaks the schema: /email must match format "email"'],
      ['x1', 0, 'it breaks the schema: /email must match format "email"'],
    ]);
    const shown = await run('integrations', 'letters', 'crm-sync', '--limit', '1');
    expect(shown.out)
      .to.match(/^ID +SINCE +KEY/)
      .and.to.include('the newest 1 of 2, in ');
    expect(JSON.stringify(told) + shown.out).to.not.include('elsewhere');
    expect(shown.out, 'nothing moves on a terminal').to.not.include('\u001b');

    refuses(await run('integrations', 'replay', 'crm-sync'), 'is not clear', '--all');
    refuses(await run('integrations', 'replay', 'crm-sync', '--all', '--key', 'x1'), 'is not clear');
    const refused = await run('integrations', 'replay', 'crm-sync', '--key', 'x1');
    expect(refused).to.include({ code: 3, err: '' });
    expect(refused.out).to.include('0 dead letter(s) taken up, 1 left').and.include('x1: it breaks the schema');

    await place.write({ records: { schema: { type: 'object' }, attempts: 3 } });
    await place.home.operations.apply({ sync: 'orders' });
    const first = await json<LettersTakenUp>('integrations', 'replay', 'crm-sync', '--key', 'x1');
    expect(first.code).to.equal(0);
    expect(first.told).to.deep.include({ replayed: 1, refused: 0, left: 0, refusals: [] });
    expect(first.told.run).to.deep.include({ result: 'success', delivered: { applied: 1, failed: 0, dead: 0 } });
    expect(place.services.people.has('x1')).to.equal(true);
    const again = await run('integrations', 'replay', 'crm-sync', '--key', 'x1');
    expect(again).to.deep.equal({ code: 0, out: 'No dead letter of crm-sync is meant.\n', err: '' });

    const asked = await run('integrations', 'discard', 'crm-sync', '--all');
    expect(asked).to.include({ code: 1, out: '' });
    expect(asked.err).to.include('there is no terminal to ask on');
    const {
      letters: [left],
    } = (await json<LetterList>('integrations', 'letters', 'crm-sync')).told;
    const gone = await run('integrations', 'discard', 'crm-sync', '--id', left?.id ?? '', '--yes');
    expect(gone).to.deep.equal({ code: 0, out: '1 dead letter(s) discarded.\n', err: '' });
    expect((await run('integrations', 'letters', 'crm-sync')).out).to.equal('crm-sync has no dead letters.\n');
    const events = JSON.stringify(await place.home.operations.events({}));
    expect(events).to.include('1 dead letter(s) are to be delivered again').and.include('were discarded by a person');
  });

  it('a replay waits for the run under way; what it took up is delivered once', async () => {
    place.services.refuses.set('late', 422);
    place.services.customers.push({ id: 'late', email: 'l@example.com', changedAt: new Date().toISOString() });
    await run('run', 'crm-sync');
    place.services.refuses.clear();
    place.services.add(1);
    const reached = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    const before = place.services.puts.length;
    place.services.onPut = async () => {
      reached.resolve();
      await released.promise;
    };
    const running = run('run', 'crm-sync');
    await reached.promise;
    const replay = desk.start('integrations', 'replay', 'crm-sync', '--all', ...flags());
    await replay.until('told', () => replay.err.includes('A run of crm-sync is under way'));
    expect((await run('integrations', 'letters', 'crm-sync')).out).to.include('late');
    released.resolve();
    expect((await running).code).to.equal(0);
    expect(await replay.exit()).to.equal(0);
    place.services.onPut = async () => undefined;
    const [, last = ''] = place.services.puts.slice(before);
    expect([place.services.puts.length - before, last]).to.deep.equal([2, 'late']);
  });

  it('discard asks on a terminal, and takes no for an answer', async () => {
    place.services.refuses.set('never', 422);
    place.services.customers.push({ id: 'never', email: 'n@example.com', changedAt: new Date().toISOString() });
    await run('run', 'crm-sync');
    const said: string[] = [];
    let code = 0;
    const discard = async (answer: boolean): Promise<void> => {
      const environment = {
        variables: { ...process.env },
        cwd: desk.dir,
        terminal: true,
        colour: false,
        columns: 100,
        user: 'ada',
      };
      const context: Context = {
        environment,
        colours: coloursFor(environment),
        signal: AbortSignal.timeout(60_000),
        print: (text) => void said.push(text),
        remark: (text) => void said.push(text),
        exit: (wanted) => void (code = wanted),
        open: (wanted) => openSession(wanted, context),
        api: () => () => Promise.reject(new Error('not asked')),
        confirm: async (question) => {
          said.push(question);
          return answer;
        },
      };
      await createProgram(context).parseAsync(['integrations', 'discard', 'crm-sync', '--all', ...flags()], {
        from: 'user',
      });
    };
    await discard(false);
    expect(said.splice(0).join('\n')).to.match(/Discard all dead letters of crm-sync\?[^]+Nothing was discarded\./);
    expect(code).to.equal(1);
    await discard(true);
    expect(said.join('\n')).to.match(/Discard all dead letters[^]+\d dead letter\(s\) discarded\./);
  });

  it('a token that may read sees them and changes nothing, and every call is audited', async () => {
    const made = await run('token', 'create', 'reader', '--scope', 'read');
    const reader = made.out.trim();
    const about = { integration: 'crm-sync' };
    const calls: readonly (readonly [string, object, number])[] = [
      ['integrations', {}, 200],
      ['letters', about, 200],
      ['run', about, 403],
      ['repin', about, 403],
      ['replayLetters', { ...about, all: true }, 403],
      ['discardLetters', { ...about, all: true }, 403],
    ];
    const sent = place.services.puts.length;
    for (const [name, body, status] of calls) {
      expect((await api(name, body, reader)).status, name).to.equal(status);
      expect((await api(name, body, 'nobody')).status, name).to.equal(401);
    }
    expect(place.services.puts).to.have.length(sent);
    for (const body of [about, { ...about, all: true, keys: ['a'] }, { ...about, all: false }, { all: true }])
      expect((await api('discardLetters', body)).status, JSON.stringify(body)).to.equal(400);
    const listed = JSON.parse((await api('letters', about)).text) as { result: LetterList };
    expect(listed.result).to.have.keys('platform', 'integration', 'letters', 'total', 'file');
    const audited = async (): Promise<string> => (await run('audit', '--limit', '200', '-o', 'json')).out;
    await until(async () => (await audited()).includes('discardLetters'), 'the audit', 60_000);
    expect(await audited()).to.match(/"name": "reader"[^}]+replayLetters|replayLetters[^}]+"name": "reader"/);
  });

  it('a Sync that is suspended runs and replays nothing, and says so', async () => {
    await run('suspend', 'orders', '--reason', 'a break');
    refuses(await run('run', 'crm-sync'), 'its Sync orders is suspended: a break', 'Resume the Sync');
    refuses(await run('integrations', 'replay', 'crm-sync', '--all'), 'its Sync orders is suspended');
    expect((await run('integrations')).out).to.match(/crm-sync +prod +blocked .*suspended/);
    await run('resume', 'orders');
  });

  it('without a daemon the commands do it themselves', async () => {
    await place.home.stop();
    place.services.add(1);
    const ran = await run('run', 'crm-sync');
    expect(ran.code, ran.err).to.equal(0);
    expect(ran.out).to.include('1 applied');
    expect((await run('integrations')).out).to.match(/crm-sync +prod +idle /);
    expect((await run('integrations', 'letters', 'crm-sync')).out).to.equal('crm-sync has no dead letters.\n');
  });
});
