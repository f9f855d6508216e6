import { expect } from 'chai';
import { keys, load, specOf, told, yaml } from './loading.ts';

const link = (url: string): object => ({ type: 'http', name: 'CRM', url });
function raw(flows: object[], links: object[] = []): string {
  return JSON.stringify({ toy: { flows, links } });
}

describe('raw exports', () => {
  it('become manifests named by their path; what they say of active is not desired state; variables are left alone', async () => {
    const desired = await load({ 'Sales/Order Flow.json': raw([{ name: 'Bestellungen', url: '${crm}' }]) });
    expect(told(desired)).to.deep.equal([]);
    expect(keys(desired)).to.deep.equal(['Workflow/sales-order-flow']);
    expect(await specOf(desired, 'Workflow/sales-order-flow')).to.deep.equal({
      title: 'Bestellungen',
      definition: { name: 'Bestellungen', url: '${crm}' },
    });
  });

  it('get a short hash when a long name is cut or two collide, every one of them', async () => {
    const long = `${'x'.repeat(80)}.json`;
    const desired = await load({
      [long]: raw([{ name: 'a' }]),
      'a/b.json': raw([{ name: 'b' }]),
      'a-b.json': raw([{ name: 'c' }]),
    });
    const names = [...desired.manifests.values()].map(({ name }) => name);
    expect(names).to.have.length(3);
    for (const name of names) expect(name).to.match(/^[-a-z0-9]{1,54}-[0-9a-f]{8}$/);
    const beside = await load({
      'orders.json': raw([{ name: 'a' }]),
      'w.yaml': yaml('Workflow', 'orders', 'spec: {definition: {}}'),
    });
    expect(keys(beside)).to.have.length(2);
    expect(keys(beside)[0]).to.equal('Workflow/orders');
  });

  it('keep the name of a flow when it begins to use a subflow or a connection', async () => {
    const before = await load({ 'orders.json': raw([{ name: 'Orders' }]) });
    const after = await load({
      'orders.json': raw([{ name: 'Orders', needs: ['Retry'] }, { name: 'Retry' }], [link('u')]),
    });
    expect(keys(before)).to.deep.equal(['Workflow/orders']);
    expect(keys(after)).to.deep.equal(['Integration/http-crm', 'Workflow/orders', 'Workflow/retry']);
    expect(after.manifests.get('Workflow/orders')?.dependsOn).to.deep.equal(['Workflow/retry']);
    const several = await load({ 'two.json': raw([{ name: 'One' }, { name: 'Two' }]) });
    expect(keys(several)).to.deep.equal(['Workflow/two-one', 'Workflow/two-two']);
  });

  it('share equal connections, whichever of their files goes, and refuse ones that differ', async () => {
    const one = raw([{ name: 'One' }], [link('u')]);
    const two = raw([{ name: 'Two' }], [link('u')]);
    const both = await load({ 'one.json': one, 'two.json': two });
    expect(keys(both)).to.deep.equal(['Integration/http-crm', 'Workflow/one', 'Workflow/two']);
    expect(keys(await load({ 'two.json': two }))).to.deep.equal(['Integration/http-crm', 'Workflow/two']);
    const differing = await load({ 'one.json': one, 'two.json': raw([{ name: 'Two' }], [link('v')]) });
    expect(told(differing)).to.have.length(2);
    expect(told(differing)[0]).to.match(
      /^one.json:1:1: error: this export and two.json hold Integration\/http-crm with different content/,
    );
    expect(keys(differing)).to.deep.equal(['Workflow/one', 'Workflow/two']);
    expect([...differing.unknown.keys]).to.deep.equal(['Integration/http-crm']);
  });

  it('give way to an explicit manifest of the same type and title, also while that has a problem', async () => {
    const file = { 'one.json': raw([{ name: 'One' }], [link('u')]) };
    const explicit = await load({ ...file, 'crm.yaml': yaml('Integration', 'crm', 'spec: {title: CRM, type: http}') });
    expect(keys(explicit)).to.deep.equal(['Integration/crm', 'Workflow/one']);
    const broken = await load({
      ...file,
      'crm.yaml': yaml('Integration', 'crm', 'spec: {title: CRM, type: http, x: 1}'),
    });
    expect(keys(broken)).to.deep.equal(['Workflow/one']);
    expect([...broken.unknown.keys].sort()).to.deep.equal(['Integration/crm', 'Integration/http-crm']);
  });

  it('that a manifest names as its definition are no objects of their own, but what else they hold is', async () => {
    const files = {
      'w.yaml': yaml('Workflow', 'orders', 'spec: {definitionFrom: {file: export.json}}'),
      'export.json': raw([{ name: 'Orders', needs: ['Retry'] }, { name: 'Retry' }], [link('u')]),
    };
    const desired = await load(files);
    expect(told(desired)).to.deep.equal([]);
    expect(keys(desired)).to.deep.equal(['Integration/http-crm', 'Workflow/orders', 'Workflow/retry']);
    expect(await specOf(desired, 'Workflow/orders')).to.deep.include({
      title: 'orders',
      definition: { name: 'Orders', needs: ['Retry'] },
    });
    const unclear = await load({ ...files, 'export.json': raw([{ name: 'One' }, { name: 'Two' }]) });
    expect(told(unclear)[0]).to.match(
      /^w.yaml:4:25: error: the definition file export.json holds 2 workflows.*"One", "Two"/,
    );
    const chosen = await load({
      ...files,
      'w.yaml': yaml('Workflow', 'orders', 'spec: {title: Two, definitionFrom: {file: export.json}}'),
      'export.json': raw([{ name: 'One' }, { name: 'Two' }]),
    });
    expect(keys(chosen)).to.deep.equal(['Workflow/export-one', 'Workflow/orders']);
    expect(await specOf(chosen, 'Workflow/orders')).to.deep.include({ definition: { name: 'Two' } });
  });

  it('are told from JSON files that nobody has a use for, which are only a warning', async () => {
    const desired = await load({ 'package.json': '{"name": "x"}', '.hidden/x.yaml': 'a: [' });
    expect(told(desired)).to.have.length(1);
    expect(told(desired)[0]).to.match(/^package.json:1:1: warning/);
    expect(desired.unknown.kinds.size).to.equal(0);
  });
});

describe('the compact form', () => {
  it('becomes the same manifests, with the definition beside the file by convention', async () => {
    const compact =
      'applications:\n  - {name: orders, environment: production, version: 2.3.0}\nworkflows:\n  - name: fulfil\n    version: 1.5.2\n    application: orders\n  - {name: other, definition_file: ../x.json}\n';
    const files = {
      'conf/platform.yaml': compact,
      'conf/fulfil.json': raw([{ name: 'F' }]),
      'x.json': raw([{ name: 'X' }]),
    };
    const desired = await load(files);
    expect(told(desired)).to.deep.equal([]);
    const full = await load({
      'conf/all.yaml': `${yaml('Application', 'orders', 'spec: {environment: production, version: 2.3.0}')}---\n${yaml('Workflow', 'fulfil', 'spec: {version: 1.5.2, application: orders, definitionFrom: {file: fulfil.json}}')}---\n${yaml('Workflow', 'other', 'spec: {definitionFrom: {file: /x.json}}')}`,
      'conf/fulfil.json': files['conf/fulfil.json'],
      'x.json': files['x.json'],
    });
    const prints = (loaded: typeof desired): string[] =>
      [...loaded.manifests.values()].map(({ key, fingerprint }) => `${key} ${fingerprint}`).sort();
    expect(prints(desired)).to.deep.equal(prints(full));
    expect(prints(desired)).to.have.length(3);
  });

  it('says at each field what has no effect or is not enforced', async () => {
    const compact =
      'workflows:\n  - {name: w, last_modified: 2024-01-15, verson: 1}\ncustom_integrations:\n  - name: crm-sync\n    type: http\n    code_repos: x\n\ndata_classification: {}\nworkflws: []\n';
    const lines = told(await load({ 'a.yaml': compact }));
    expect(lines.join('\n')).to.match(/a.yaml:2:15: warning: last_modified has no effect/);
    expect(lines.join('\n')).to.match(/a.yaml:2:42: error: unknown field "verson". Did you mean "version"\?/);
    expect(lines.join('\n')).to.match(/a.yaml:6:5: error: unknown field "code_repos". Did you mean "code_repo"/);
    expect(lines.join('\n')).to.match(/a.yaml:8:1: error: data_classification is not enforced by this version yet/);
    expect(lines.join('\n')).to.match(/a.yaml:9:1: error: unknown field "workflws". Did you mean "workflows"\?/);
  });
});
