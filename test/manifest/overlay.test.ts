import { expect } from 'chai';
import { KINDS } from '../../src/manifest/manifest.ts';
import { keys, load, specOf, told, yaml } from './loading.ts';

const base = {
  'base/w.yaml': yaml(
    'Workflow',
    'orders',
    'spec:\n  version: "1"\n  active: true\n  definitionFrom: {file: orders.json}',
  ),
  'base/orders.json': JSON.stringify({
    toy: {
      flows: [{ name: 'Orders', steps: [{ name: 'tick', every: 1, keep: true }, { name: 'twin' }, { name: 'twin' }] }],
    },
  }),
};
const production = { overlays: ['overlays/production'] };

function overlaid(rest: string, name = 'orders', kind = 'Workflow'): Record<string, string> {
  return {
    ...base,
    'overlays/production/w.yaml': yaml(kind, name, rest),
    'overlays/staging/w.yaml': yaml('Workflow', 'orders', 'spec: {active: 7}'),
  };
}

describe('overlays', () => {
  it('merge a document of the same kind and name; null removes; overlays that are not named have no effect', async () => {
    const desired = await load(overlaid('spec: {active: false, version: null}'), production);
    expect(told(desired)).to.deep.equal([]);
    const spec = await specOf(desired, 'Workflow/orders');
    expect(spec['active']).to.equal(false);
    expect(spec).to.not.have.property('version');
    const plain = await specOf(await load(overlaid('')), 'Workflow/orders');
    expect(plain).to.deep.include({ active: true, version: '1' });
  });

  it('patch nodes inside a definition by name, and the definition by merge and JSON patch', async () => {
    const rest =
      'spec: {definition: {note: hi}}\njsonPatch:\n  - {op: add, path: /spec/definition/steps/-, value: {name: end}}\n  - {op: replace, path: /spec/version, value: "2"}\nnodes:\n  tick: {every: 60, keep: null}';
    const desired = await load(overlaid(rest), production);
    expect(told(desired)).to.deep.equal([]);
    expect(await specOf(desired, 'Workflow/orders')).to.deep.include({
      version: '2',
      definition: {
        name: 'Orders',
        steps: [{ name: 'tick', every: 60 }, { name: 'twin' }, { name: 'twin' }, { name: 'end' }],
        note: 'hi',
      },
    });
    const unpatched = await load(base);
    expect(unpatched.manifests.get('Workflow/orders')?.fingerprint).to.not.equal(
      desired.manifests.get('Workflow/orders')?.fingerprint,
    );
  });

  it('that fail are problems at their own line, and the object stays unknown', async () => {
    const cases: [string, RegExp][] = [
      ['nodes:\n  tik: {every: 1}', /w.yaml:5:3: error: the definition has no node named "tik". Did you mean "tick"\?/],
      ['nodes:\n  twin: {every: 1}', /w.yaml:5:3: error: the definition has 2 nodes named "twin"/],
      [
        'jsonPatch:\n  - {op: remove, path: /spec/nothing}',
        /w.yaml:5:5: error: the operation remove \/spec\/nothing cannot be applied: there is nothing at its path/,
      ],
      [
        'jsonPatch:\n  - {op: test, path: /spec/version, value: "9"}',
        /w.yaml:5:5: error: .*the value there is another one/,
      ],
      ['jsonPatch:\n  - {op: replace, path: /spec/definition/steps/9/x, value: 1}', /w.yaml:5:5: error/],
      ['spec:\n  activ: false', /w.yaml:5:3: error: unknown field spec.activ of Workflow. Did you mean "active"\?/],
      [
        'jsonPatch:\n  - {op: replace, path: /spec/active, value: 1}',
        /w.yaml:5:5: error: spec.active must be true or false/,
      ],
      ['specs: {}', /w.yaml:4:1: error: unknown field specs of a patch. Did you mean "spec"\?/],
    ];
    for (const [rest, expected] of cases) {
      const desired = await load(overlaid(rest), production);
      expect(told(desired).join('\n'), rest).to.match(expected);
      expect(desired.manifests.size, rest).to.equal(0);
      expect([...desired.unknown.keys], rest).to.deep.equal(['Workflow/orders']);
    }
  });

  it('add what is complete, and ask when a name is near that of another', async () => {
    const added = await load(overlaid('spec: {definition: {}}', 'payments'), production);
    expect(told(added)).to.deep.equal([]);
    expect(keys(added)).to.deep.equal(['Workflow/orders', 'Workflow/payments']);
    const typo = await load(overlaid('nodes: {tick: {}}', 'ordrs'), production);
    expect(told(typo)[0]).to.match(
      /overlays\/production\/w.yaml:3:12: error: this overlay patches Workflow\/ordrs.*Did you mean "orders"\?/,
    );
    // Without the patch that was meant for it, the object is not what this environment should have.
    expect([...typo.unknown.keys].sort()).to.deep.equal(['Workflow/orders', 'Workflow/ordrs']);
    expect(typo.manifests.size).to.equal(0);
    const near = await load(overlaid('', 'shop', 'Application'), production);
    expect(told(near)).to.have.length(1);
  });

  it('that are missing or unreadable leave everything they may concern unknown', async () => {
    const missing = await load(base, { overlays: ['overlays/prod'] });
    expect(missing.manifests.size).to.equal(0);
    expect(missing.unknown.kinds.size).to.equal(KINDS.length);
    const broken = await load(
      { ...base, 'app.yaml': yaml('Application', 'a'), 'o/w.yaml': 'kind: Workflow\nspec: [' },
      { overlays: ['o'] },
    );
    expect(keys(broken)).to.deep.equal(['Application/a']);
    expect([...broken.unknown.keys]).to.deep.equal(['Workflow/orders']);
  });

  it('apply in the order in which they are named, and may change where the definition is kept', async () => {
    const files = {
      ...base,
      'one/w.yaml': yaml('Workflow', 'orders', 'spec: {version: a, title: One}'),
      'two/w.yaml': yaml('Workflow', 'orders', 'spec: {version: b, definitionFrom: {file: other.json}}'),
      'two/other.json': JSON.stringify({ toy: { flows: [{ name: 'Other' }] } }),
    };
    const desired = await load(files, { overlays: ['one', 'two'] });
    expect(told(desired).filter((line) => line.includes('error'))).to.deep.equal([]);
    expect(await specOf(desired, 'Workflow/orders')).to.deep.include({
      version: 'b',
      title: 'One',
      definition: { name: 'Other' },
    });
    expect(await specOf(await load(files, { overlays: ['two', 'one'] }), 'Workflow/orders')).to.deep.include({
      version: 'a',
    });
  });

  it('patch objects of raw exports by their key', async () => {
    const files = {
      'flows/orders.json': base['base/orders.json'],
      'o/w.yaml': yaml('Workflow', 'flows-orders', 'spec: {active: true}\nnodes: {tick: {every: 9}}'),
    };
    const desired = await load(files, { overlays: ['o'] });
    expect(told(desired)).to.deep.equal([]);
    expect(await specOf(desired, 'Workflow/flows-orders')).to.deep.include({ title: 'Orders', active: true });
  });
});
