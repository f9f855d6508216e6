import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import type { Driver, Execution } from '../../../src/drivers/driver.ts';
import { ReconcilerError } from '../../../src/errors.ts';
import type { JsonObject } from '../../../src/manifest/manifest.ts';
import type { Sample } from '../contract-harness.ts';
import { createAll, get, never, observe, secretValue, stepFor, succeed } from '../contract-steps.ts';
import { DirectusDriver } from '../../../src/drivers/directus/directus.ts';
import { describeAccessBehaviour } from './access-behaviour.ts';
import { logs, workflow } from './contract-samples.ts';
import { DirectusDesk } from './desk.ts';
import { RawDirectus, type Row } from './raw-directus.ts';
import { ADMIN_EMAIL, ADMIN_PASSWORD, type DirectusVersion } from './server.ts';

/** What the contract does not ask, because only Directus does it so. */
export function describeBehaviour(version: DirectusVersion): void {
  describe(`The directus driver on a real Directus ${version}`, function () {
    this.timeout(300_000);
    let raw: RawDirectus;
    let desk: DirectusDesk;
    before(async () => {
      raw = await RawDirectus.start(version);
      desk = new DirectusDesk(raw.url);
    });
    beforeEach(() => raw.clear());
    after(async () => {
      desk?.[Symbol.dispose]();
      await raw?.[Symbol.asyncDispose]();
    });
    const bench = { raw: () => raw, driver: () => desk.driver() };

    it('flows that run each other are written in one stage, and told by title', async () => {
      await using driver = desk.driver();
      const [ping, pong] = [runs('Ping', 'Pong'), runs('Pong', 'Ping')];
      await succeed(driver, [stepFor('create', ping, driver), stepFor('create', pong, driver)]);
      const { objects } = await observe(driver, { kinds: ['Workflow'] });
      for (const sample of [ping, pong]) {
        const found = objects.find(({ title }) => title === sample.title);
        expect(found?.value).to.deep.equal(driver.normalize('Workflow', sample.spec));
      }
      const [one] = (await observe(driver, { kinds: ['Workflow'], only: { remotes: [], titles: ['Ping'] } })).objects;
      expect(one?.value, 'also when it is looked at alone').to.deep.equal(driver.normalize('Workflow', ping.spec));
      const rows = await raw.rows('operations');
      const ids = (await raw.rows('flows')).map(({ id }) => id);
      for (const { options } of rows) expect(ids).to.include((options as { flow: string }).flow);
    });

    it('an active flow that runs one which is nowhere is refused; an inactive one waits for it under its name', async () => {
      await using driver = desk.driver();
      const active = runs('Ping', 'Nowhere');
      const idle: Sample = { ...active, spec: { ...active.spec, active: false } };
      const [refusal] = await driver.preflight([stepFor('create', active, driver)], never);
      expect(refusal?.because).to.match(/Nowhere/);
      const [bearable] = await driver.preflight([stepFor('create', idle, driver)], never);
      expect([bearable?.bearable, bearable?.because]).to.deep.equal([true, refusal?.because]);
      await succeed(driver, [stepFor('create', idle, driver)]);
      const waiting = await get(driver, idle);
      expect(waiting.value).to.deep.equal(driver.normalize('Workflow', idle.spec));
      expect(waiting.lacks?.map(({ message }) => message)).to.deep.equal([`${refusal?.because ?? ''}.`]);
    });

    it('is asked for nothing before new flows that rest and run no others are written, and for what one that runs needs', async () => {
      const asked: string[] = [];
      using other = new DirectusDesk(raw.url, ({ method, route }) => void asked.push(`${method} ${route}`));
      await using driver = other.driver();
      const resting = ['One', 'Two'].map((title) => workflow(`Workflow/${title.toLowerCase()}`, title, 'x', false));
      const steps = resting.map((sample) => stepFor('create', sample, driver));
      expect(await driver.preflight(steps, never)).to.deep.equal([]);
      expect(asked).to.deep.equal([]);
      const running = stepFor('create', workflow('Workflow/three', 'Three', 'x', true), driver);
      expect(await driver.preflight([...steps, running], never)).to.deep.equal([]);
      expect(asked.toSorted()).to.deep.equal(['GET /flows', 'GET /license']);
    });

    it('a flow that was written before the one that it runs is linked to it as soon as that is there', async () => {
      desk.manifest('Workflow', 'ping', { ...runs('Ping', 'Late').spec, active: false });
      expect((await desk.pass()).plan?.notices.map(({ code, key }) => [code, key])).to.deep.equal([
        ['to-supply', 'Workflow/ping'],
      ]);
      const { id } = (await raw.ask('POST', '/flows', { name: 'Late', trigger: 'operation' })) as Row;
      const linked = await desk.pass();
      expect(linked.outcomes.map(({ status, change }) => [status, change.verb])).to.deep.equal([['applied', 'update']]);
      expect(linked.plan?.notices).to.deep.equal([]);
      expect((await raw.rows('operations')).map(({ options }) => options)).to.deep.equal([{ flow: id }]);
      expect((await desk.pass()).result).to.equal('in-sync');
    });

    it('a pass that finds nothing to do asks for the lists and for nothing else, and sees what changes', async () => {
      const asked: string[] = [];
      using own = new DirectusDesk(raw.url, ({ method, route }) => void asked.push(`${method} ${route}`));
      own.manifest('Workflow', 'greet', workflow('Workflow/greet', 'Greet', 'hello').spec);
      await using daemon = own.daemon();
      expect((await daemon.pass()).result).to.equal('applied');
      await daemon.pass();
      asked.length = 0;
      expect((await daemon.pass()).result).to.equal('in-sync');
      expect(asked.toSorted()).to.deep.equal(['GET /flows', 'GET /policies', 'GET /roles', 'GET /users']);
      const [flow] = await raw.rows('flows');
      await raw.ask('PATCH', `/flows/${flow?.id ?? ''}`, { color: '#FF0000' });
      expect((await daemon.pass()).outcomes.map(({ change }) => change.verb)).to.deep.equal(['update']);
    });

    it('who changed what is asked for when something has changed, and only then', async () => {
      const asked: string[] = [];
      using own = new DirectusDesk(raw.url, ({ route }) => void asked.push(route));
      await using driver = own.driver();
      const { id } = (await raw.ask('POST', '/flows', { name: 'Greet', trigger: 'manual' })) as Row;
      const seen = async () => (await observe(driver)).objects.find(({ remote }) => remote === id);
      const made = await seen();
      expect(made?.changedBy).to.equal(ADMIN_EMAIL);
      asked.length = 0;
      expect(await seen(), 'who did it stays known').to.deep.equal(made);
      expect(asked).to.not.include('/activity');
      await raw.ask('PATCH', `/flows/${id}`, { color: '#FF0000' });
      expect((await seen())?.changedAt ?? 0).to.be.above(made?.changedAt ?? 0);
    });

    it('a flow that is called while it is rewritten answers as before or as after, never with a part of it', async () => {
      await using driver = desk.driver();
      const versions = ['one', 'two'].map(transforming);
      const [first, second] = versions;
      if (first === undefined || second === undefined) throw new Error('two versions');
      await succeed(driver, [stepFor('create', first, driver)]);
      const { remote } = await get(driver, first);
      const answers = new Set<string>();
      let calls = 0;
      const stop = new AbortController();
      const calling = (async () => {
        while (!stop.signal.aborted) {
          const answer = await fetch(`${raw.url}/flows/trigger/${remote}`);
          answers.add(`${answer.status} ${await answer.text()}`);
          calls += 1;
        }
      })();
      for (let turn = 0; turn < 12; turn += 1) {
        const sample = turn % 2 === 0 ? second : first;
        await succeed(driver, [stepFor('update', sample, driver, { at: await get(driver, first) })]);
      }
      stop.abort();
      await calling;
      expect(calls).to.be.above(5);
      for (const answer of answers) expect(answer).to.match(/^200 \{"say":"(one, one|two, two)"\}$/);
      expect((await get(driver, first)).remote, 'its address stays').to.equal(remote);
    });

    it('what a person rewired inside a flow is set right, although the links are unique columns', async () => {
      await using driver = desk.driver();
      const sample = transforming('one');
      await succeed(driver, [stepFor('create', sample, driver)]);
      const { remote } = await get(driver, sample);
      const operations = await raw.rows('operations');
      const last = operations.find(({ key }) => key === 'last');
      const first = operations.find(({ key }) => key === 'first');
      await raw.ask('PATCH', `/operations/${first?.id ?? ''}`, { resolve: null, reject: last?.id });
      const drifted = await get(driver, sample);
      expect(drifted.value).to.not.deep.equal(driver.normalize('Workflow', sample.spec));
      await succeed(driver, [stepFor('update', sample, driver, { at: drifted })]);
      const after = await get(driver, sample);
      expect(after.value).to.deep.equal(driver.normalize('Workflow', sample.spec));
      expect(after.remote).to.equal(remote);
      expect((await raw.rows('operations')).length, 'nothing is left over').to.equal(2);
    });

    it('runs are told with how they ended, each once, also after others were deleted', async () => {
      await using driver = desk.driver();
      const good = workflow('Workflow/good', 'Good', 'fine');
      const bad = failing();
      await createAll(driver, [good, bad]);
      const [fine, broken] = [await get(driver, good), await get(driver, bad)];
      const start = (await driver.executions(undefined, never)).cursor;
      const correlation = randomUUID();
      await driver.trigger({ remote: fine.remote, input: { a: 1 }, correlation }, never);
      for (let run = 0; run < 3; run += 1)
        await driver.trigger({ remote: broken.remote, input: {}, correlation: randomUUID() }, never);
      const seen: Execution[] = [];
      let cursor: string | undefined = start;
      for (let turn = 0; turn < 4; turn += 1) {
        const page = await driver.executions(cursor, never);
        // Directus writes down runs late: those of the case before may still come.
        const own = ({ workflow: of }: Execution): boolean => of === fine.remote || of === broken.remote;
        seen.push(...page.executions.filter(own));
        cursor = page.cursor;
        if (turn === 0) await raw.ask('DELETE', `/flows/${broken.remote}`);
        if (turn === 1) await driver.trigger({ remote: fine.remote, input: {}, correlation: randomUUID() }, never);
      }
      expect(seen.map(({ workflow: of, status }) => [of, status])).to.deep.equal([
        [fine.remote, 'success'],
        ...Array.from({ length: 3 }, () => [broken.remote, 'error']),
        [fine.remote, 'success'],
      ]);
      expect(seen[0]?.correlation).to.equal(correlation);
      expect(seen[1]?.error).to.match(/"fail".*on purpose/);
      expect(await driver.execution(seen[0]?.id ?? '', never)).to.deep.equal(seen[0]);
      expect(await driver.execution('999999999', never)).to.equal(undefined);
    });

    it('says why a flow cannot be run, and what to do', async () => {
      await using driver = desk.driver();
      const idle = workflow('Workflow/idle', 'Idle', 'x', false);
      const hourly = { ...workflow('Workflow/hourly', 'Hourly', 'x') };
      const scheduled: Sample = {
        ...hourly,
        spec: { ...hourly.spec, definition: { trigger: 'schedule', options: { cron: '0 0 * * *' } } },
      };
      await createAll(driver, [idle, scheduled]);
      for (const [sample, why] of [
        [idle, /inactive/],
        [scheduled, /schedule/],
      ] as const) {
        const error = await failureOf(driver.trigger(call((await get(driver, sample)).remote), never));
        expect(error.code).to.equal('not-triggerable');
        expect(error.message).to.match(why);
        expect(error.remedy).to.be.a('string').and.not.equal('');
      }
      expect((await failureOf(driver.trigger(call(randomUUID()), never))).code).to.equal('not-found');
    });

    it('works with address and password, too, and says when they are wrong', async () => {
      await using driver = withPassword(raw.url, ADMIN_PASSWORD);
      expect((await driver.probe(never)).account).to.equal(ADMIN_EMAIL);
      expect((await observe(driver, { kinds: ['Workflow'] })).listed.get('Workflow')?.complete).to.equal(true);
      await using wrong = withPassword(raw.url, 'not the password');
      const error = await failureOf(wrong.probe(never));
      expect(error.code).to.equal('unauthorized');
      expect(error.message).to.not.include('not the password');
    });

    describeAccessBehaviour(bench);
  });
}

function call(remote: string) {
  return { remote, input: {}, correlation: randomUUID() };
}

function withPassword(url: string, password: string): Driver {
  const auth = { password: () => Promise.resolve(secretValue(password)) };
  const limits = { concurrency: 4, requestsPerSecond: 1_000, timeout: 30_000 };
  return new DirectusDriver({ platform: 'main', url, auth, username: ADMIN_EMAIL, limits, onRequest: () => undefined });
}

async function failureOf(work: Promise<unknown>): Promise<ReconcilerError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof ReconcilerError) return error;
  throw new Error('it did not fail as it should');
}

function runs(title: string, other: string): Sample {
  const operations = [{ key: 'run', type: 'trigger', options: { flow: `@workflow/${other}` } }];
  return flowOf(title, { trigger: 'operation', operation: 'run', operations });
}

/** Answers with what both of its operations know; they are always of one version. */
function transforming(text: string): Sample {
  const operations = [
    { key: 'first', type: 'transform', options: { json: { text } }, resolve: 'last' },
    { key: 'last', type: 'transform', options: { json: `{"say": "${text}, {{first.text}}"}` } },
  ];
  return flowOf('Speaking', {
    trigger: 'webhook',
    options: { method: 'GET', cacheEnabled: false },
    operation: 'first',
    operations,
  });
}

function failing(): Sample {
  const operations = [
    logs('say', 'x', { resolve: 'fail' }),
    { key: 'fail', type: 'throw-error', options: { code: 'BAD', status: '500', message: 'on purpose' } },
  ];
  return flowOf('Failing', { trigger: 'webhook', operation: 'say', operations });
}

function flowOf(title: string, definition: JsonObject): Sample {
  return {
    ...workflow(`Workflow/${title.toLowerCase() as Lowercase<string>}`, title, ''),
    spec: { title, active: true, definition },
  };
}
