import { mkdtempSync, existsSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { CodeStore } from '../../src/integrations/code-store.ts';
import { DeadLetters } from '../../src/integrations/dead-letters.ts';
import { dueTime, triggerOf } from '../../src/integrations/pace.ts';
import { RecordCheck } from '../../src/integrations/record-check.ts';
import { allowedBy } from '../../src/integrations/terms.ts';
import { outOfPlace } from '../../src/manifest/surroundings.ts';
import { CodeRepository } from './code-repository.ts';

const signal = (): AbortSignal => AbortSignal.timeout(60_000);
const LIMITS = { timeout: 1000, memory: 64, output: 64 };

describe('Terms of code', () => {
  it('allow whole URLs, and plain names below a beginning: nothing that could lead out of it', () => {
    const terms = {
      repositories: [{ url: 'https://git.example.com/a/one.git' }, { url: 'https://git.example.com/b/*' }],
      limits: LIMITS,
    };
    const allows = (url: string): boolean => {
      try {
        return allowedBy('orders', terms, url).url !== '';
      } catch {
        return false;
      }
    };
    for (const url of ['a/one.git', 'b/one.git', 'b/deep/one.git'])
      expect(allows(`https://git.example.com/${url}`), url).to.equal(true);
    for (const url of [
      'a/one.git/x',
      'a/two.git',
      'b/',
      'b/../a/two.git',
      'b/.git',
      'b/%2e%2e/c',
      'b//c',
      'b/x?y',
      'b/x#y',
      'b/a..b',
      'B/one.git',
    ])
      expect(allows(`https://git.example.com/${url}`), url).to.equal(false);
    expect(allows('https://git.example.com.evil.net/b/one.git')).to.equal(false);
    const remedy = (sync: string): string => {
      try {
        allowedBy(sync, undefined, 'https://x/y');
        return 'allowed';
      } catch (error) {
        expect(error).to.match(/lets no Integration run code/);
        return (error as { remedy?: string }).remedy ?? '';
      }
    };
    expect(remedy('orders')).to.include('allows it in spec.code.repositories of the Sync orders');
    expect(remedy('shop.orders')).to.include('a Sync that stands in a configuration file');
  });

  it('come from configuration in files only: a custom resource cannot let code run in the pod of the daemon', () => {
    const sync = { spec: { code: { repositories: [{ url: 'https://x/*' }] } } };
    expect(
      outOfPlace('Sync', sync, 'cluster')
        .map(({ message }) => message)
        .join(),
    ).to.include('spec.code has no meaning');
    expect(outOfPlace('Sync', sync, 'files')).to.deep.equal([]);
  });
});

describe('The store of code', () => {
  let dir: string;
  let repository: CodeRepository;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'plumbline-code-store-'));
    repository = new CodeRepository({
      'lib/index.js': 'export const execute = (c) => c;',
      'lib/more/part.js': '',
      'secret.txt': 's',
    });
  });
  afterEach(() => {
    repository[Symbol.dispose]();
    rmSync(dir, { recursive: true, force: true });
  });

  it('has one folder per commit, with the files of the path and nothing else, and keeps what is used', async () => {
    const store = new CodeStore({ dir, environment: process.env });
    symlinkSync('/etc/passwd', join(repository.dir, 'lib', 'link.js'));
    const commit = repository.commit({});
    const code = {
      repository: repository.url,
      ref: { branch: 'main' },
      path: 'lib',
      entry: 'index.js',
      settings: {},
      secrets: {},
    };
    expect(await store.resolve(code, { url: code.repository }, signal())).to.equal(commit);
    const folder = await store.open({ ...code, commit }, { url: code.repository }, signal());
    expect(readdirSync(folder, { recursive: true })).to.have.members(['index.js', 'more', 'more/part.js']);
    repository[Symbol.dispose]();
    expect(await store.open({ ...code, commit }, { url: code.repository }, signal())).to.equal(folder);
    await store.tidy([{ ...code, commit }]);
    expect(existsSync(folder)).to.equal(true);
    await store.tidy([]);
    expect(existsSync(folder)).to.equal(false);
  });

  it('leaves nothing half behind when a fetch fails', async () => {
    const store = new CodeStore({ dir, environment: process.env });
    const code = {
      repository: repository.url,
      ref: { branch: 'main' },
      path: '',
      entry: 'index.js',
      settings: {},
      secrets: {},
    };
    const gone = store.open({ ...code, commit: 'b'.repeat(40) }, { url: code.repository }, signal());
    expect(await gone.catch(() => 'refused')).to.equal('refused');
    const left = readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.includes('b'.repeat(40)),
    );
    expect(left).to.deep.equal([]);
  });
});

describe('The check of records', () => {
  const check = new RecordCheck();

  it('knows both dialects and formats, refuses what no dialect knows, and tells where, never what', async () => {
    const old = { $schema: 'http://json-schema.org/draft-07/schema#', type: 'array', items: [{ type: 'string' }] };
    expect(await check.flaws(old, [['a'], [1]], signal())).to.deep.equal([undefined, '/0 must be string']);
    const schema = {
      type: 'object',
      properties: { at: { type: 'string', format: 'date-time' } },
      unevaluatedProperties: false,
    };
    const told = await check.flaws(
      schema,
      [{ at: '2026-01-01T00:00:00Z' }, { at: 'the value itself' }, { x: 1 }],
      signal(),
    );
    expect(told[0]).to.equal(undefined);
    expect(told[1]).to.equal('/at must match format "date-time"');
    expect(told[2]).to.include('must NOT have');
    expect(await check.flawOf({ type: 'object', propertis: {} }, signal())).to.include('propertis');
    expect(await check.flawOf({ $ref: 'https://elsewhere.example/schema' }, signal())).to.include('elsewhere');
    expect(await check.flawOf(schema, signal())).to.equal(undefined);
  });

  it('gives up on what takes too long', async () => {
    const slow = new RecordCheck(300);
    const schema = { type: 'string', pattern: '^(a+)+$' };
    const error: unknown = await slow
      .flaws(schema, [`${'a'.repeat(50)}!`], signal())
      .catch((thrown: unknown) => thrown);
    expect(error).to.have.property('code', 'schema-slow');
  });
});

describe('Dead letters', () => {
  it('are lines with a reason, private, and without what holds a secret', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'plumbline-letters-'));
    const redact = (text: string): string => text.replaceAll('hush', '***');
    const letters = new DeadLetters(dir, { redact, now: () => 0 });
    const sync = { platform: 'prod', name: 'crm' };
    await letters.add(sync, [
      { what: 'record', reason: 'said hush', key: 'a', data: { x: 1 } },
      { what: 'record', reason: 'r', data: { x: 'hush' } },
    ]);
    await letters.add(sync, [{ what: 'record', reason: 'said hush', key: 'a', data: { x: 1 } }]);
    const lines = readFileSync(letters.fileOf(sync), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.map(({ reason }) => reason)).to.deep.equal(['said ***', 'r', 'said ***']);
    expect(lines[1]).to.not.have.property('data');
    expect(lines[0]?.['id']).to.equal(lines[2]?.['id']).and.not.equal(lines[1]?.['id']);
    writeFileSync(letters.fileOf(sync), Buffer.alloc(64 * 1024 * 1024));
    const full: unknown = await letters
      .add(sync, [{ what: 'record', reason: 'r', data: 1 }])
      .catch((thrown: unknown) => thrown);
    expect(full).to.have.property('code', 'dead-letters-full');
    rmSync(dir, { recursive: true });
  });
});

describe('The pace of an Integration', () => {
  const now = Date.parse('2026-01-01T00:00:30Z');
  const idle = { open: false, failures: 0 };
  const due = (more: object): number | undefined =>
    dueTime({ plan: { schedule: undefined, from: now }, state: idle, waiting: {}, wish: undefined, now, ...more });

  it('follows the schedule, what is open, what was wished for, and what waits; a failure makes all but the schedule pause', () => {
    expect(due({})).to.equal(undefined);
    expect(due({ plan: { schedule: '* * * * *', from: now } })).to.equal(Date.parse('2026-01-01T00:01:00Z'));
    expect(due({ state: { ...idle, open: true } })).to.equal(now);
    expect(due({ wish: { id: 1, wish: {} } })).to.equal(now);
    expect(due({ waiting: { due: now + 5 } })).to.equal(now + 5);
    const failed = { open: false, failures: 1, retryAt: now + 20_000 };
    expect(due({ state: failed, wish: { id: 1, wish: {} } })).to.equal(now + 20_000);
    expect(due({ state: failed, waiting: { due: now } })).to.equal(now + 20_000);
    expect(due({ state: { ...failed, retryAt: now + 90_000 }, plan: { schedule: '* * * * *', from: now } })).to.equal(
      now + 30_000,
    );
  });

  it('says why', () => {
    const plan = { schedule: '* * * * *', from: now - 60_000 };
    expect(triggerOf({ plan, state: idle, wish: undefined, now })).to.deep.equal({ by: 'schedule' });
    expect(triggerOf({ plan, state: { ...idle, open: true }, wish: undefined, now })).to.deep.equal({ by: 'resume' });
    const wish = { id: 1, wish: { by: 'event', event: { id: 'e' } } };
    expect(triggerOf({ plan, state: idle, wish, now })).to.deep.equal(wish.wish);
    expect(triggerOf({ plan: { schedule: undefined, from: 0 }, state: idle, wish: undefined, now })).to.deep.equal({
      by: 'retry',
    });
  });
});
