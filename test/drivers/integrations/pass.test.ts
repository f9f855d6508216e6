import { expect } from 'chai';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withIntegrations } from '../../../src/drivers/integrations.ts';
import { CodeStore } from '../../../src/integrations/code-store.ts';
import { pinned } from '../../../src/integrations/pins.ts';
import { RecordCheck } from '../../../src/integrations/record-check.ts';
import type { CodeTerms } from '../../../src/integrations/terms.ts';
import type { JsonObject } from '../../../src/manifest/manifest.ts';
import type { Pass } from '../../../src/reconcile.ts';
import { planText } from '../../../src/cli/plan-text.ts';
import { passJson } from '../../../src/daemon/pass-json.ts';
import { coloursFor } from '../../../src/cli/context.ts';
import type { PassReport } from '../../../src/report/pass-report.ts';
import { CodeRepository } from '../../integrations/code-repository.ts';
import { Office } from '../webhooks/office.ts';
import { changes, WORKFLOW } from '../webhooks/samples.ts';

const INDEX = { 'index.js': 'export const execute = (context) => context;\n' };
const LIMITS = { timeout: 5_000, memory: 64, output: 1024 };
const plain = coloursFor({ colour: false } as never);
const text = (report: PassReport): string => planText(passJson(report), plain);

describe('A pass over Integrations with code', () => {
  let office: Office;
  let code: CodeRepository;
  let terms: CodeTerms | undefined;
  let dir: string;

  beforeEach(async () => {
    office = await Office.open();
    office.wrap = (driver) => withIntegrations(driver, office.ledger.integrations, 'mint');
    code = new CodeRepository(INDEX);
    terms = { repositories: [{ url: code.url }], limits: LIMITS };
    dir = mkdtempSync(join(tmpdir(), 'plumbline-store-'));
  });
  afterEach(async () => {
    await office[Symbol.asyncDispose]();
    code[Symbol.dispose]();
    rmSync(dir, { recursive: true, force: true });
  });

  const pins = (): Pass['pins'] => ({
    pin: ({ name }, spec, signal) => {
      const store = new CodeStore({ dir, environment: process.env });
      const parts = { store, register: office.ledger.integrations, check: new RecordCheck() };
      return pinned(parts, { sync: 'orders', platform: 'mint', terms }, { name, spec }, signal);
    },
  });
  const pass = (more: Partial<Pass> = {}): Promise<PassReport> => office.pass({ pins: pins() as never, ...more });
  const crm = (spec: JsonObject = {}, ref: JsonObject = { branch: 'main' }, metadata: JsonObject = {}): JsonObject => ({
    kind: 'Integration',
    metadata: { name: 'crm', ...metadata },
    spec: { code: { repository: code.url, ref }, ...spec },
  });
  const quiet = async (): Promise<void> => {
    for (const again of [false, true]) {
      if (again) office.restart();
      const before = office.ledger.integrations.list();
      expect(text(await pass())).to.include('Nothing to do');
      expect(office.ledger.integrations.list()).to.deep.equal(before);
    }
  };
  const locked = (): string | undefined => office.ledger.integrations.named('mint', 'crm')?.runs.code.commit;

  it('locks code to the commit that its ref leads to, shows that in the plan, and then finds nothing to do (law 1)', async () => {
    const head = code.git('rev-parse', 'HEAD');
    office.commit(crm({ schedule: '*/5 * * * *' }), WORKFLOW);
    const plan = await pass({ mode: 'plan' });
    expect(text(plan)).to.include('+ create Integration/crm').and.to.include(`locked to commit ${head} of ${code.url}`);
    expect(office.ledger.integrations.list()).to.deep.equal([]);
    expect(changes(await pass())).to.include('create Integration/crm (new): applied');
    expect(locked()).to.equal(head);
    await quiet();
    expect(office.mint.store.list('connections')).to.deep.equal([]);
  });

  it('stays locked whatever is pushed, until git or a person moves it, which the plan shows', async () => {
    office.commit(crm());
    await pass();
    const first = locked();
    const second = code.commit({ 'index.js': `${INDEX['index.js']}// more\n` });
    await quiet();
    expect(locked()).to.equal(first).and.not.equal(second);
    const { id } = office.ledger.integrations.named('mint', 'crm') ?? { id: '' };
    office.ledger.integrations.want(id, second);
    office.memory.forgetNormal('Integration/crm');
    const plan = await pass({ mode: 'plan', memory: office.memory });
    expect(text(plan)).to.include(`/code/commit: "${first}" → "${second}"`);
    expect(locked()).to.equal(first);
    await pass();
    expect(locked()).to.equal(second);
    await quiet();
    code.git('tag', 'v2');
    code.commit({ 'more.js': '' });
    office.commit(crm({}, { tag: 'v2' }));
    expect(text(await pass({ mode: 'plan' }))).to.include('/code/ref');
    await pass();
    expect(locked()).to.equal(second);
  });

  it('refuses repositories that nobody allowed, refs and files that are not there, and schemas that are none, each at its place', async () => {
    const said = async (integration: JsonObject): Promise<string> => {
      office.commit(integration);
      const report = await pass();
      expect(report.outcomes).to.deep.equal([]);
      return text(report);
    };
    const known = terms;
    terms = undefined;
    expect(await said(crm())).to.match(/all\.yaml:1:1: error: .*The Sync orders lets no Integration run code/);
    terms = { repositories: [{ url: 'https://git.example.com/*' }], limits: LIMITS };
    expect(await said(crm())).to.include('does not allow the repository');
    const aside = { code: { repository: 'https://git.example.com/a/../../evil.git' } };
    expect(await said(crm(aside))).to.include('does not allow the repository');
    terms = known;
    expect(await said(crm({}, { tag: 'v9' }))).to.include('The tag v9 does not exist in the repository');
    expect(await said(crm({}, { commit: 'a'.repeat(40) }))).to.match(/error: Integration\/crm: .*(fail|not)/i);
    const entry = { code: { repository: code.url, entry: 'sync.js' } };
    expect(await said(crm(entry))).to.include('has no file sync.js');
    expect(await said(crm({ records: { schema: { type: 'objct' } } }))).to.include('no JSON Schema that can be used');
    expect(office.ledger.integrations.list()).to.deep.equal([]);
  });

  it('goes on with what is locked while the repository cannot be reached', async () => {
    office.commit(crm());
    await pass();
    code[Symbol.dispose]();
    await quiet();
  });

  it('keeps a connection and its code as one object: each change shows, and both go together', async () => {
    const both = (settings: JsonObject, more: JsonObject = {}): JsonObject => crm({ type: 'http', settings, ...more });
    office.commit(both({ url: 'http://a' }));
    expect(changes(await pass())).to.deep.equal(['create Integration/crm (new): applied']);
    const [connection] = office.mint.store.list('connections');
    expect(office.ledger.integrations.named('mint', 'crm')?.connection).to.equal(connection?.id);
    await quiet();
    office.commit(both({ url: 'http://b' }, { schedule: '0 * * * *' }));
    const report = await pass();
    expect(text(report)).to.include('/schedule').and.to.include('/settings');
    await quiet();
    office.commit({
      kind: 'Integration',
      metadata: { name: 'crm' },
      spec: { type: 'http', settings: { url: 'http://b' } },
    });
    await pass();
    expect(office.ledger.integrations.list()).to.deep.equal([]);
    await quiet();
    office.commit(both({ url: 'http://b' }));
    await pass();
    await quiet();
    office.commit(WORKFLOW);
    expect(changes(await pass())).to.include('delete Integration/crm (removed): applied');
    expect(office.ledger.integrations.list()).to.deep.equal([]);
    expect(office.mint.store.list('connections')).to.deep.equal([]);
  });

  it('makes no connection of what is code, and no code of a connection', async () => {
    office.commit(crm());
    await pass();
    office.commit(crm({ type: 'http', settings: {} }));
    expect(text(await pass())).to.include('so far it is nothing but code');
    expect(office.mint.store.list('connections')).to.deep.equal([]);
  });

  it('takes nothing away that waits to be delivered, without a word from git (law 14)', async () => {
    office.commit(crm());
    await pass();
    const sync = { platform: 'mint', name: 'crm' };
    office.ledger.syncs.begin(sync, 1);
    const counting = { at: 1, counts: [], weighed: new Map() };
    office.ledger.syncs.page(sync, { records: [{ key: 'a', data: 1 }] }, counting);
    office.commit(WORKFLOW);
    expect(text(await pass())).to.include('1 record(s) that wait to be delivered');
    expect(locked()).to.be.a('string');
  });

  it('keeps what was synced under a new name', async () => {
    office.commit(crm());
    await pass();
    const counting = { at: 1, counts: [], weighed: new Map() };
    office.ledger.syncs.begin({ platform: 'mint', name: 'crm' }, 1);
    office.ledger.syncs.page({ platform: 'mint', name: 'crm' }, { records: [], cursor: 7 }, counting);
    office.commit(crm({}, { branch: 'main' }, { name: 'crm-new', renamedFrom: ['crm'] }));
    await pass();
    expect(office.ledger.syncs.state({ platform: 'mint', name: 'crm-new' }).cursor).to.equal(7);
    expect(office.ledger.integrations.named('mint', 'crm')).to.equal(undefined);
  });
});
