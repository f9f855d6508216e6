import { expect } from 'chai';
import { load, specOf, told, yaml } from './loading.ts';

const TARGET = {
  'orders.yaml': yaml('Workflow', 'orders', 'spec: {definition: {name: Orders}}'),
};
const flow = (name: string, url: string, more = 'template: true, ') =>
  yaml('Workflow', name, `spec: {${more}definition: {name: "${name}", url: "${url}"}}`);
const link = (name: string, url: string) => yaml('Integration', name, `spec: {type: http, settings: {url: "${url}"}}`);

describe('references to outputs', () => {
  it('are known by object, output and place, and order what they are in', async () => {
    const desired = await load(
      {
        ...TARGET,
        'a.yaml': link(
          'a',
          'x-${ref:Workflow/orders.webhookUrl}-${ref:Workflow/far@other-1.webhookUrl.Order received}',
        ),
        'b.yaml': yaml('Workflow', 'b', 'spec: {template: true, definitionFrom: {file: b.json}}'),
        'b.json': '{\n  "name": "B",\n  "url": "${ref:Workflow/orders.id}"\n}',
      },
      { platform: 'here' },
    );
    expect(told(desired)).to.deep.equal([]);
    const { dependsOn, outputReferences } = desired.manifests.get('Integration/a') ?? {};
    expect(dependsOn).to.deep.equal(['Workflow/orders']);
    expect(outputReferences?.map(({ key, platform, output }) => ({ key, platform, output }))).to.have.deep.members([
      { key: 'Workflow/orders', platform: undefined, output: 'webhookUrl' },
      { key: 'Workflow/far', platform: 'other-1', output: 'webhookUrl.Order received' },
    ]);
    expect(outputReferences?.[0]?.origin).to.deep.include({ file: 'a.yaml', line: 4 });
    expect(desired.manifests.get('Workflow/b')?.outputReferences).to.deep.equal([
      {
        key: 'Workflow/orders',
        output: 'id',
        text: 'Workflow/orders.id',
        origin: { file: 'b.json', line: 3, column: 11 },
      },
    ]);
  });

  it('of another Platform order nothing here', async () => {
    const desired = await load(
      { ...TARGET, 'a.yaml': link('a', '${ref:Workflow/orders@there.id}') },
      { platform: 'here' },
    );
    expect(desired.manifests.get('Integration/a')?.dependsOn).to.deep.equal([]);
  });

  it('that are spelled wrong are problems at their place', async () => {
    const cases: readonly (readonly [string, RegExp])[] = [
      [
        'Workflow/orders',
        /a.yaml:4:\d+: error: "ref:Workflow\/orders" is not a reference to an object's output. Write \$\{ref:Kind\/name.output\}/,
      ],
      ['Workflow/Orders.id', /is not a reference/],
      ['Workflow/orders@.id', /is not a reference/],
      ['Workflw/orders.id', /refers to the unknown kind "Workflw". Did you mean "Workflow"\?/],
    ];
    for (const [text, message] of cases) {
      const desired = await load({ ...TARGET, 'a.yaml': link('a', `\${ref:${text}}`) });
      expect(told(desired)).to.have.length(1);
      expect(told(desired)[0]).to.match(message);
      expect(desired.unknown.keys).to.include('Integration/a');
    }
  });

  it('stand in settings, URLs and templates only: not where it is said what an object is, or whose', async () => {
    const ref = '"${ref:Workflow/orders.id}"';
    const cases: readonly (readonly [string, RegExp])[] = [
      [
        yaml('Workflow', 'a', `spec: {title: ${ref}, definition: {name: A}}`),
        /a.yaml:4:\d+: error: spec.title of Workflow\/a cannot refer to the output "Workflow\/orders.id". Only spec.definition can./,
      ],
      [yaml('Application', 'a', `spec: {owner: ${ref}}`), /spec.owner of Application\/a cannot refer/],
      [
        yaml('Integration', 'a', `spec: {type: ${ref}}`),
        /spec.type of Integration\/a cannot refer .* Only spec.settings can./,
      ],
      [
        yaml('Integration', 'a', `spec: {type: x, secrets: {p: {valueFrom: {env: ${ref}}}}}`),
        /spec.secrets of Integration\/a cannot refer/,
      ],
      [
        `apiVersion: plumbline.dev/v1alpha1\nkind: Integration\nmetadata: {name: a, labels: {x: ${ref}}}\nspec: {type: x}\n`,
        /a.yaml:3:\d+: error: the reference "ref:Workflow\/orders.id" cannot stand here/,
      ],
    ];
    for (const [text, message] of cases) {
      const desired = await load({ ...TARGET, 'a.yaml': text });
      expect(told(desired)[0]).to.match(message);
    }
    const hook = yaml('Webhook', 'a', `spec: {event: "workflow.*", url: ${ref}}`);
    expect(told(await load({ ...TARGET, 'a.yaml': hook }))).to.deep.equal([]);
    const bad = yaml('Webhook', 'a', 'spec: {event: "workflow.*", url: "ftp://${ref:Workflow/orders.id}"}');
    expect(told(await load({ ...TARGET, 'a.yaml': bad }))[0]).to.match(/is not an http or https URL/);
  });

  it('are no references where a text only looks so: escaped, in a value, or in a definition that is no template', async () => {
    const files = {
      ...TARGET,
      'a.yaml': link('a', '$${ref:Workflow/nobody.id} ${v}'),
      'b.yaml': flow('b', '${ref:Workflow/nobody.id}', ''),
    };
    const desired = await load(files, { variables: { v: '${ref:Workflow/nobody.id}' } });
    expect(told(desired)).to.deep.equal([]);
    for (const { outputReferences } of desired.manifests.values()) expect(outputReferences).to.deep.equal([]);
    expect(await specOf(desired, 'Integration/a')).to.have.nested.property(
      'settings.url',
      '${ref:Workflow/nobody.id} ${ref:Workflow/nobody.id}',
    );
  });

  it('come and go with a patch of an overlay', async () => {
    const files = {
      ...TARGET,
      'a.yaml': link('a', '${ref:Workflow/orders.id}'),
      'b.yaml': link('b', 'x'),
      'overlays/p/a.yaml': yaml('Integration', 'a', 'spec: {settings: {url: plain}}'),
      'overlays/p/b.yaml': yaml('Integration', 'b', 'spec: {settings: {url: "${ref:Workflow/orders.id}"}}'),
    };
    const desired = await load(files, { overlays: ['overlays/p'] });
    expect(desired.manifests.get('Integration/a')?.outputReferences).to.deep.equal([]);
    expect(desired.manifests.get('Integration/b')?.outputReferences[0]?.origin).to.include({
      file: 'overlays/p/b.yaml',
    });
  });

  it('in a circle are a problem of each, with the place of the other; what calls each other otherwise is none', async () => {
    const circle = {
      'a.yaml': flow('a', '${ref:Workflow/b.id}'),
      'b.yaml': flow('b', '${ref:Workflow/c.id}'),
      'c.yaml': flow('c', '${ref:Workflow/a.id}'),
    };
    const problems = told(await load(circle));
    expect(problems).to.have.length(3);
    expect(problems[0]).to.match(
      /^a.yaml:4:\d+: error: Workflow\/a and Workflow\/b refer to each other's outputs \(b.yaml:4:\d+\), so that neither can come first. Write one of the values out/,
    );
    expect(told(await load({ 'a.yaml': flow('a', '${ref:Workflow/a.id}') }))[0]).to.match(
      /Workflow\/a refers to its own output "Workflow\/a.id"/,
    );
    const calls = yaml('Workflow', 'b', 'spec: {definition: {name: b, uses: [{kind: Workflow, title: a}]}}');
    expect(told(await load({ 'a.yaml': flow('a', '${ref:Workflow/b.id}'), 'b.yaml': calls }))).to.deep.equal([]);
  });

  it('to an object with a problem are a problem too, which names it', async () => {
    const files = {
      'orders.yaml': yaml('Workflow', 'orders', 'spec: {definition: {name: O, broken: true}}'),
      'a.yaml': link('a', '${ref:Workflow/orders.id}'),
    };
    expect(told(await load(files)).join()).to.match(
      /a.yaml:4:\d+: error: "\$\{ref:Workflow\/orders.id\}" refers to Workflow\/orders, which has a problem itself./,
    );
  });
});
