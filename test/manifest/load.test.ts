import { expect } from 'chai';
import { KINDS } from '../../src/manifest/manifest.ts';
import { keys, load, loaderWith, signal, specOf, told, yaml } from './loading.ts';
import { snapshotOf } from './snapshots.ts';

const flow = JSON.stringify({ toy: { flows: [{ name: 'Orders', steps: [{ name: 'tick', every: 1 }] }] } });

describe('loading manifests', () => {
  it('gives every kind with its defaults, its references as dependencies, and secrets apart from the content', async () => {
    const desired = await load({
      'all.yaml': [
        yaml('Application', 'orders', 'spec: {title: Orders}'),
        yaml('Workflow', 'fulfil', 'spec: {application: orders, active: false, definitionFrom: {file: fulfil.json}}'),
        yaml('Integration', 'crm', 'spec: {type: http, settings: {a: 1}, secrets: {value: {valueFrom: {env: CRM}}}}'),
        yaml('AccessRole', 'operator', 'spec: {permissions: [{on: workflow, verbs: [read]}]}'),
        yaml(
          'AccessGrant',
          'alice',
          'spec: {role: operator, subjects: [{user: alice, password: {valueFrom: {file: pw}}}], scope: {workflow: fulfil}}',
        ),
      ].join('---\n'),
      'fulfil.json': flow,
    });
    expect(told(desired)).to.deep.equal([]);
    expect(keys(desired)).to.deep.equal([
      'AccessGrant/alice',
      'AccessRole/operator',
      'Application/orders',
      'Integration/crm',
      'Workflow/fulfil',
    ]);
    expect(await specOf(desired, 'Workflow/fulfil')).to.deep.equal({
      title: 'fulfil',
      application: 'orders',
      active: false,
      definition: { name: 'Orders', steps: [{ name: 'tick', every: 1 }] },
    });
    expect(await specOf(desired, 'Integration/crm')).to.deep.equal({ title: 'crm', type: 'http', settings: { a: 1 } });
    expect(await specOf(desired, 'AccessGrant/alice')).to.deep.equal({
      role: 'operator',
      subjects: [{ user: 'alice' }],
      scope: { workflow: 'fulfil' },
    });
    expect(desired.manifests.get('Integration/crm')?.secrets).to.deep.equal({ value: { env: 'CRM' } });
    const grant = desired.manifests.get('AccessGrant/alice');
    expect(grant?.secrets).to.deep.equal({ 'password:alice': { file: 'pw' } });
    expect(grant?.dependsOn).to.deep.equal(['AccessRole/operator', 'Workflow/fulfil']);
    expect(grant?.origin).to.deep.equal({ file: 'all.yaml', line: 21, column: 1 });
  });

  it('tells every problem at once, each where it was written, with a remedy', async () => {
    const desired = await load({
      'bad.yaml': `${yaml('Workflow', 'w', 'specs: {}\nspec:\n  aplication: x\n  active: yes\n  definitionFrom: {file: nope.json}')}---\n${yaml('AccessRole', 'r', 'spec: {exclusive: 1, classification: x}')}`,
    });
    expect(told(desired)).to.deep.equal([
      'bad.yaml:4:1: error: unknown field specs of Workflow. Did you mean "spec"?',
      'bad.yaml:6:3: error: unknown field spec.aplication of Workflow. Did you mean "application"?',
      'bad.yaml:7:3: error: spec.active must be true or false, but is a text. Write true or false, without quotes.',
      'bad.yaml:13:8: error: spec.exclusive must be true or false, but is a number. Write true or false, without quotes.',
      'bad.yaml:13:22: error: unknown field spec.classification of AccessRole. Known here are title, exclusive, permissions, native.',
    ]);
    expect([...desired.unknown.keys].sort()).to.deep.equal(['AccessRole/r', 'Workflow/w']);
    expect([...desired.unknown.kinds]).to.deep.equal([]);
  });

  it('keeps an object whose text is broken unknown, not absent: its key, the kinds its text names, or all of them (law 3)', async () => {
    const syntax = await load({ 'a.yaml': 'kind: AccessGrant\nmetadata: {name: x' });
    expect([...syntax.unknown.kinds]).to.deep.equal(['AccessGrant']);
    const nothing = await load({ 'a.yaml': 'a: [1' });
    expect(nothing.unknown.kinds.size).to.equal(KINDS.length);
    const swallowed = await load({
      'a.yaml': `${yaml('Application', 'a', 'spec: {title: "x}')}---\n${yaml('AccessRole', 'r')}`,
    });
    expect([...swallowed.unknown.kinds].sort()).to.deep.equal(['AccessRole', 'Application']);
    expect(swallowed.manifests.size).to.equal(0);
    const misspelt = await load({ 'a.yaml': yaml('Aplication', 'orders') });
    expect(misspelt.unknown.keys.has('Application/orders')).to.equal(true);
    const unnamed = await load({ 'a.yaml': 'apiVersion: plumbline.dev/v1alpha1\nkind: AccessRole\nmetadata: {}\n' });
    expect([...unnamed.unknown.kinds]).to.deep.equal(['AccessRole']);
  });

  it('refuses what this version does not enforce, and never ignores it (law 15)', async () => {
    const notYet = async (text: string, count = 1): Promise<void> => {
      const problems = told(await load({ 'a.yaml': text })).filter((line) =>
        line.includes('not enforced by this version yet'),
      );
      expect(problems, text).to.have.length(count);
    };
    await notYet(yaml('Application', 'a', 'spec: {classification: internal}'));
    await notYet(yaml('Integration', 'i', 'spec: {type: x, secrets: {a: {valueFrom: {sops: {file: a, key: b}}}}}'));
    const inCluster = yaml('Workflow', 'w', 'spec: {definitionFrom: {configMapKeyRef: {name: a, key: b}}}');
    expect(told(await load({ 'a.yaml': inCluster })).join()).to.match(/configMapKeyRef is for custom resources/);
    for (const kind of ['DataClassification', 'Policy']) await notYet(yaml(kind, 'x', 'spec: {}'));
  });

  it('refuses configuration inside a source', async () => {
    const desired = await load({ 'a.yaml': yaml('Platform', 'p', 'spec: {driver: toy, url: "http://x"}') });
    expect(told(desired)[0]).to.match(/^a.yaml:2:7: error: a Platform is configuration/);
    expect(desired.unknown.kinds.size).to.equal(0);
  });

  it('makes what refers to something missing or broken unknown too, through every link, with the place of the reference', async () => {
    const desired = await load({
      'a.yaml': [
        yaml('Workflow', 'w', 'spec:\n  application: ordres\n  definition: {steps: []}'),
        yaml('Application', 'orders'),
        yaml('AccessRole', 'r', 'spec: {exclusive: maybe}'),
        yaml('AccessGrant', 'g', 'spec: {role: r, subjects: [{user: a}], scope: {workflow: w}}'),
      ].join('---\n'),
    });
    const lines = told(desired);
    expect(lines[0]).to.equal(
      'a.yaml:5:3: error: spec.application refers to Application/ordres, which is not in the source. Did you mean "orders"?',
    );
    expect(lines).to.include(
      'a.yaml:21:8: error: spec.role refers to AccessRole/r, which has a problem itself. Correct AccessRole/r first.',
    );
    expect(
      lines.some((line) => line.includes('spec.scope.workflow refers to Workflow/w, which has a problem itself')),
    ).to.equal(true);
    expect(keys(desired)).to.deep.equal(['Application/orders']);
    expect([...desired.unknown.keys].sort()).to.deep.equal(['AccessGrant/g', 'AccessRole/r', 'Workflow/w']);
  });

  it('names both origins of a duplicate, also when the names only fold together, and takes neither', async () => {
    const desired = await load({
      'a.yaml': yaml('Application', 'orders'),
      'b/c.yaml': `# first\n${yaml('Application', 'Orders')}`,
    });
    expect(told(desired)[0]).to.contain('a.yaml:1:1: error: Application/orders is also defined at b/c.yaml:2:1');
    expect(told(desired)[1]).to.contain('b/c.yaml:2:1: error: Application/Orders is also defined at a.yaml:1:1');
    expect(desired.manifests.size).to.equal(0);
    expect(desired.unknown.keys.has('Application/orders')).to.equal(true);
  });

  it('points at the line that names a definition that is missing, and into the file that does not parse', async () => {
    const manifest = yaml('Workflow', 'w', 'spec:\n  definitionFrom:\n    file: flows/ordres.json');
    const missing = await load({ 'w.yaml': manifest, 'flows/orders.json': flow });
    expect(told(missing)[0]).to.match(
      /^w.yaml:6:5: error: the definition file flows\/ordres.json does not exist .* Did you mean "flows\/orders.json"\?$/,
    );
    const broken = await load({ 'w.yaml': manifest, 'flows/ordres.json': '{"toy":\n  {"flows": [}}' });
    expect(told(broken)[0]).to.match(/^flows\/ordres.json:2:14: error: the file is not valid JSON here/);
    expect(told(broken)[1]).to.match(/^w.yaml:6:5: error: the definition file flows\/ordres.json cannot be used/);
    expect([...broken.unknown.keys]).to.deep.equal(['Workflow/w']);
    expect([...broken.unknown.kinds].sort()).to.deep.equal(['Integration', 'Workflow']);
    const outside = await load({ 'a/w.yaml': yaml('Workflow', 'w', 'spec: {definitionFrom: {file: ../../x.json}}') });
    expect(told(outside)[0]).to.contain('lies outside of the source');
  });

  it('orders by what a definition mentions, and leaves titles that are not in the source to the platform', async () => {
    const uses =
      '[{kind: Integration, type: http, title: CRM}, {kind: Integration, type: mqtt, title: CRM}, {kind: Workflow, title: Sub}]';
    const desired = await load({
      'a.yaml': `${yaml('Workflow', 'w', `spec: {definition: {uses: ${uses}}}`)}---\n${yaml('Integration', 'crm', 'spec: {title: CRM, type: http}')}`,
    });
    expect(told(desired)).to.deep.equal([]);
    expect(desired.manifests.get('Workflow/w')?.dependsOn).to.deep.equal(['Integration/crm']);
  });

  it('refuses secrets that the Sync does not allow, at the line of the reference', async () => {
    const text = yaml(
      'Integration',
      'i',
      'spec:\n  type: x\n  secrets:\n    ok: {valueFrom: {env: ORDERS_A}}\n    bad: {valueFrom: {env: AWS_KEY}}',
    );
    const desired = await load({ 'a.yaml': text }, { secretScope: { kind: 'source', env: ['ORDERS_*'] } });
    expect(told(desired)).to.have.length(1);
    expect(told(desired)[0]).to.match(/^a.yaml:8:11: error: .*AWS_KEY/);
    expect(desired.manifests.size).to.equal(0);
  });

  it('replaces ${variables} in texts, strictly; $${ escapes; definitions only with template: true', async () => {
    const definition = '{steps: [], url: "${crm}", plain: "$${crm}"}';
    const variables = { crm: 'https://crm', n: '5' };
    const desired = await load(
      {
        'a.yaml': `${yaml('Integration', 'i', 'spec: {type: x, settings: {url: "${crm}/v1", n: "${n}", raw: "$${crm}"}}')}---\n${yaml('Workflow', 'w', `spec: {definition: ${definition}}`)}---\n${yaml('Workflow', 't', `spec: {template: true, definition: ${definition}}`)}`,
      },
      { variables },
    );
    expect(told(desired)).to.deep.equal([]);
    expect(await specOf(desired, 'Integration/i')).to.deep.include({
      settings: { url: 'https://crm/v1', n: '5', raw: '${crm}' },
    });
    expect(await specOf(desired, 'Workflow/w')).to.deep.include({
      definition: { steps: [], url: '${crm}', plain: '$${crm}' },
    });
    expect(await specOf(desired, 'Workflow/t')).to.deep.include({
      definition: { steps: [], url: 'https://crm', plain: '${crm}' },
    });
    const undefinedOne = await load({ 'a.yaml': yaml('Application', 'a', 'spec:\n  title: "${crn}"') }, { variables });
    expect(told(undefinedOne)[0]).to.match(
      /^a.yaml:5:10: error: uses the variable "crn", which is not defined. Did you mean "crm"\?/,
    );
    expect([...undefinedOne.unknown.keys]).to.deep.equal(['Application/a']);
    const inName = await load({ 'a.yaml': yaml('Application', '"a-${nope}"') }, { variables });
    expect([...inName.unknown.kinds]).to.deep.equal(['Application']);
  });

  it('refuses a rename from a name that still exists', async () => {
    const text = 'apiVersion: plumbline.dev/v1alpha1\nkind: Application\nmetadata:\n  name: b\n  renamedFrom: [a]\n';
    const desired = await load({ 'a.yaml': yaml('Application', 'a'), 'b.yaml': text });
    expect(told(desired)[0]).to.match(/^b.yaml:5:17: error: Application\/a still exists/);
    expect(keys(desired)).to.deep.equal(['Application/a']);
    const alone = await load({ 'b.yaml': text });
    expect(alone.manifests.get('Application/b')?.renamedFrom).to.deep.equal(['Application/a']);
  });

  it('selects by kind and label; what is not governed holds up nobody', async () => {
    const labelled = 'apiVersion: plumbline.dev/v1alpha1\nkind: Application\nmetadata: {name: a, labels: {team: x}}\n';
    const files = {
      'a.yaml': labelled,
      'b.yaml': yaml('Application', 'b'),
      'c.yaml': yaml('AccessRole', 'c', 'spec: {x: 1}'),
    };
    const desired = await load(files, { select: { kinds: ['Application'], matchLabels: { team: 'x' } } });
    expect(keys(desired)).to.deep.equal(['Application/a']);
    expect(told(desired)).to.deep.equal([]);
    expect(desired.unknown.keys.size).to.equal(0);
  });

  it('gives equal fingerprints for equal content and others when content or secret references change', async () => {
    const of = async (files: Record<string, string>): Promise<string | undefined> =>
      [...(await load(files)).manifests.values()][0]?.fingerprint;
    const one = await of({ 'a.yaml': yaml('Integration', 'i', 'spec: {type: x, settings: {a: 1, b: 2}}') });
    const reordered = await of({
      'z.json':
        '{"kind":"Integration","apiVersion":"plumbline.dev/v1alpha1","metadata":{"name":"i"},"spec":{"settings":{"b":2,"a":1},"type":"x"}}',
    });
    const other = await of({ 'a.yaml': yaml('Integration', 'i', 'spec: {type: x, settings: {a: 1, b: 3}}') });
    const secret = await of({
      'a.yaml': yaml(
        'Integration',
        'i',
        'spec: {type: x, settings: {a: 1, b: 2}, secrets: {v: {valueFrom: {env: A}}}}',
      ),
    });
    expect(reordered).to.equal(one);
    expect(new Set([one, other, secret]).size).to.equal(3);
    expect(one).to.be.a('string');
  });

  it('reads only changed files, in one call, and gives the same manifests again for the rest (law 10)', async () => {
    const loader = loaderWith();
    const files: Record<string, string> = { 'app.yaml': yaml('Application', 'app') };
    for (let index = 0; index < 20; index++)
      files[`w${index}.yaml`] = yaml('Workflow', `w${index}`, 'spec: {application: app, definition: {steps: []}}');
    const first = snapshotOf(files);
    const before = await loader.load(first, signal());
    expect(first.reads).to.have.length(1);
    const second = snapshotOf({
      ...files,
      'w3.yaml': yaml('Workflow', 'w3', 'spec: {application: app, active: true, definition: {steps: []}}'),
    });
    const after = await loader.load(second, signal());
    expect(second.reads).to.deep.equal([['w3.yaml']]);
    expect(after.manifests.get('Workflow/w4')).to.equal(before.manifests.get('Workflow/w4'));
    expect(after.manifests.get('Workflow/w3')?.fingerprint).to.not.equal(
      before.manifests.get('Workflow/w3')?.fingerprint,
    );
    const third = snapshotOf({ ...files });
    await loader.load(third, signal());
    await loader.load(snapshotOf({ ...files }), signal());
    expect(third.reads).to.deep.equal([['w3.yaml']]);
  });

  it('does not hand out content that is no longer what was loaded', async () => {
    const loader = loaderWith();
    const text = yaml('Workflow', 'w', 'spec: {definitionFrom: {file: w.json}}');
    const before = await loader.load(snapshotOf({ 'w.yaml': text, 'w.json': flow }), signal());
    await loader.load(snapshotOf({ 'w.yaml': text, 'w.json': flow.replace('tick', 'tock') }), signal());
    const manifest = before.manifests.get('Workflow/w');
    const failure = await manifest?.spec(signal()).then(
      () => undefined,
      (error: { retry?: string }) => error.retry,
    );
    expect(failure).to.equal('replan');
  });

  it('sees that a definition changed, broke or went although the manifest did not', async () => {
    const loader = loaderWith();
    const manifest = yaml('Workflow', 'w', 'spec: {definitionFrom: {file: w.json}}');
    const print = async (files: Record<string, string>): Promise<string | undefined> =>
      (await loader.load(snapshotOf({ 'w.yaml': manifest, ...files }), signal())).manifests.get('Workflow/w')
        ?.fingerprint;
    const first = await print({ 'w.json': flow });
    const second = await print({ 'w.json': flow.replace('tick', 'tock') });
    expect(first).to.be.a('string');
    expect(second).to.be.a('string').and.not.equal(first);
    expect(await print({ 'w.json': '{' })).to.equal(undefined);
    expect(await print({})).to.equal(undefined);
    expect(await print({ 'w.json': flow })).to.equal(first);
  });

  it('reads the definitions of calls made together as one batch', async () => {
    const files: Record<string, string> = {};
    for (let index = 0; index < 10; index++) {
      files[`w${index}.yaml`] = yaml('Workflow', `w${index}`, `spec: {definitionFrom: {file: w${index}.json}}`);
      files[`w${index}.json`] = flow;
    }
    const loader = loaderWith();
    const first = snapshotOf(files);
    const found = await loader.load(first, signal());
    await Promise.all([...found.manifests.values()].map((manifest) => manifest.spec(signal())));
    expect(first.reads, 'what a load has read is not read again').to.have.length(1);
    // This load reads nothing, and so has nothing at hand.
    const second = snapshotOf(files);
    const desired = await loader.load(second, signal());
    await Promise.all([...desired.manifests.values()].map((manifest) => manifest.spec(signal())));
    expect(second.reads).to.have.length(1);
  });

  it('keeps no definition once it rests, and reads it again for whoever asks', async () => {
    const loader = loaderWith();
    const snapshot = snapshotOf({ 'w.yaml': yaml('Workflow', 'w', 'spec: {definition: {name: W, steps: []}}') });
    const { manifests } = await loader.load(snapshot, signal());
    const definition = async (): Promise<unknown> =>
      (await manifests.get('Workflow/w')?.spec(signal()))?.['definition'];
    const [first, second] = [await definition(), await definition()];
    expect(second, 'kept for a pass').to.equal(first);
    expect(snapshot.reads).to.have.length(1);
    loader.rest();
    const later = await definition();
    expect(later).to.deep.equal(first);
    expect(await definition(), 'nor is what is asked for meanwhile').to.not.equal(later);
    expect(snapshot.reads).to.have.length(3);
  });

  it('takes problems of the source over: a file that was refused may have held anything', async () => {
    const problem = {
      origin: { file: 'link.yaml', line: 1, column: 1 },
      message: 'is a link.',
      remedy: 'Copy it.',
      severity: 'error',
    } as const;
    const desired = await loaderWith().load(snapshotOf({ 'a.yaml': yaml('Application', 'a') }, [problem]), signal());
    expect(told(desired)).to.deep.equal(['link.yaml:1:1: error: is a link. Copy it.']);
    expect(desired.unknown.kinds.size).to.equal(KINDS.length);
    expect(keys(desired)).to.deep.equal(['Application/a']);
  });
});
