import { expect } from 'chai';
import { keys, load, specOf, told, yaml } from './loading.ts';

const SCHEMA = { $schema: 'https://json-schema.org/draft/2020-12/schema', type: 'object', required: ['id'] };
const CODE = 'code: {repository: "https://git.example.com/crm-sync.git", ref: {tag: v2.1.0}}';

describe('an Integration with code', () => {
  it('keeps how it runs, with the schema of its records from a file of the source', async () => {
    const spec = `spec:
  type: http
  settings: {name: X-Api-Key}
  code:
    repository: https://git.example.com/crm-sync.git
    ref: {tag: v2.1.0}
    secrets: {token: {valueFrom: {env: ORDERS_CRM}}}
  schedule: "*/5 * * * *"
  events: [order.created]
  records: {schemaFrom: {file: ../schemas/customer.schema.json}}`;
    const desired = await load({
      'crm/crm.yaml': yaml('Integration', 'crm', spec),
      'schemas/customer.schema.json': JSON.stringify(SCHEMA),
    });
    expect(told(desired)).to.deep.equal([]);
    expect(await specOf(desired, 'Integration/crm')).to.deep.equal({
      title: 'crm',
      type: 'http',
      settings: { name: 'X-Api-Key' },
      code: {
        repository: 'https://git.example.com/crm-sync.git',
        ref: { tag: 'v2.1.0' },
        path: '',
        entry: 'index.js',
        settings: {},
        secrets: { token: { valueFrom: { env: 'ORDERS_CRM' } } },
      },
      schedule: '*/5 * * * *',
      events: ['order.created'],
      records: { schema: SCHEMA, attempts: 8 },
    });
    // What only the code gets is not handed to the platform.
    expect(desired.manifests.get('Integration/crm')?.secrets).to.deep.equal({});
  });

  it('follows a change of the schema file alone', async () => {
    const files = { 'a.yaml': yaml('Integration', 'crm', `spec: {${CODE}, records: {schemaFrom: {file: s.json}}}`) };
    const before = await load({ ...files, 's.json': JSON.stringify(SCHEMA) });
    const after = await load({ ...files, 's.json': JSON.stringify({ ...SCHEMA, required: [] }) });
    const print = (desired: typeof before) => desired.manifests.get('Integration/crm')?.fingerprint;
    expect(print(before)).to.be.a('string').and.not.equal(print(after));
  });

  it('says where a schema is missing or is none', async () => {
    const text = yaml('Integration', 'crm', `spec:\n  ${CODE}\n  records:\n    schemaFrom: {file: custmer.json}`);
    const missing = await load({ 'a.yaml': text, 'customer.json': JSON.stringify(SCHEMA) });
    expect(told(missing)[0]).to.match(
      /^a\.yaml:7:18: error: the schema file custmer\.json does not exist\. Did you mean "customer\.json"\?/,
    );
    expect(missing.unknown.keys.has('Integration/crm')).to.equal(true);
    const odd = await load({ 'a.yaml': text, 'custmer.json': '[1]' });
    expect(told(odd).join()).to.include('custmer.json is no JSON Schema');
    const outside = await load({ 'a.yaml': text.replace('custmer.json', '../x.json') });
    expect(told(outside).join()).to.include('the schema file lies outside of the source');
  });

  it('refuses what makes no sense (law 15)', async () => {
    const said = async (spec: string): Promise<string> =>
      told(await load({ 'a.yaml': yaml('Integration', 'i', `spec: {${spec}}`) })).join('\n');
    expect(await said('title: x')).to.include('has neither type nor code');
    expect(await said('type: http, schedule: "* * * * *"')).to.include(
      'spec.schedule: belongs to code, which is missing',
    );
    expect(await said('type: http, events: [a.b]')).to.include('spec.events: belongs to code');
    expect(await said('type: http, records: {schema: {type: object}}')).to.include('spec.records: belongs to code');
    expect(await said(`${CODE}, settings: {a: 1}`)).to.include('spec.settings: belongs to a type');
    expect(await said(`${CODE}, secrets: {a: {valueFrom: {env: A}}}`)).to.include('spec.secrets: belongs to a type');
    expect(await said(`${CODE}, schedule: "61 * * * *"`)).to.include('is not a cron expression');
    expect(await said(`${CODE}, records: {}`)).to.include('one of schema | schemaFrom is missing');
    for (const entry of [
      '../a.js',
      'lib/../../a.js',
      './a.js',
      'lib/./a.js',
      '/a.js',
      'lib//a.js',
      'a.sh',
      'lib/.js',
      '..js',
    ])
      expect(await said(`code: {repository: "https://x/y", entry: "${entry}"}`), entry).to.include(
        'is not the path of a JavaScript',
      );
    for (const entry of ['a.js', 'lib/a.mjs', '.lib/..a/b-c.d.js'])
      expect(await said(`code: {repository: "https://x/y", entry: "${entry}"}`), entry).to.equal('');
    expect(await said(CODE)).to.equal('');
  });

  it('checks the references of code like all others', async () => {
    const text = yaml(
      'Integration',
      'i',
      'spec: {code: {repository: "https://x/y", secrets: {t: {valueFrom: {env: HOME}}}}}',
    );
    const desired = await load({ 'a.yaml': text }, { secretScope: { kind: 'source', env: ['ORDERS_*'] } });
    expect(told(desired).join()).to.match(/^a\.yaml:4:\d+: error: .*HOME/);
    expect(keys(desired)).to.deep.equal([]);
  });

  it('comes from the compact form, too', async () => {
    const compact = `custom_integrations:
  - name: crm-sync
    code_repo: https://git.example.com/crm-sync.git
    api_version: v2
`;
    const desired = await load({ 'a.yaml': compact });
    expect(told(desired)).to.deep.equal([]);
    expect(await specOf(desired, 'Integration/crm-sync')).to.have.nested.property('code.ref.tag', 'v2');
  });

  it('is what a service level of Integrations selects, and nothing else is', async () => {
    const level = (selector: string): string =>
      yaml(
        'ServiceLevel',
        'l',
        `spec:\n  selector: {kind: Integration${selector}}\n  objectives: {dataQuality: "> 99%"}`,
      );
    const files = {
      'a.yaml': yaml('Integration', 'plain', 'spec: {type: http}'),
      'b.yaml': yaml('Integration', 'runs', `spec: {${CODE}}`),
    };
    const all = await load({ ...files, 'l.yaml': level('') });
    expect(await specOf(all, 'ServiceLevel/l')).to.have.deep.property('objects', ['runs']);
    const idle = await load({ ...files, 'l.yaml': level(', names: [plain]') });
    expect(told(idle)[0]).to.match(/^l\.yaml:5:\d+: error: Integration\/plain has no code, so that nothing can be/);
    expect(keys(idle)).to.deep.equal(['Integration/plain', 'Integration/runs']);
  });
});
