import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { n8nFormat } from '../../../src/drivers/n8n/format.ts';
import { ManifestLoader } from '../../../src/manifest/load.ts';
import type { Desired, JsonObject, JsonValue } from '../../../src/manifest/manifest.ts';
import { objectsOf } from '../../../src/drivers/n8n/shapes.ts';
import { normalize } from '../../../src/drivers/n8n/normalize.ts';
import { snapshotOf } from '../../manifest/snapshots.ts';

const EXPORTS = fileURLToPath(new URL('exports/', import.meta.url));

function read(file: string): JsonObject {
  return JSON.parse(readFileSync(`${EXPORTS}${file}`, 'utf8')) as JsonObject;
}

async function loaded(files: Readonly<Record<string, string>>): Promise<Desired> {
  const loader = new ManifestLoader({ formats: [n8nFormat], defaultFormat: 'n8n' });
  return loader.load(snapshotOf(files), new AbortController().signal);
}

function allExports(): Record<string, string> {
  return Object.fromEntries(
    readdirSync(EXPORTS).map((name) => [`flows/${name}`, readFileSync(`${EXPORTS}${name}`, 'utf8')]),
  );
}

function mended(file: string): JsonObject {
  return normalize('Workflow', { title: 'x', definition: read(file) })['definition'] as JsonObject;
}

function nodeIn(definition: JsonObject, name: string): JsonObject {
  const found = objectsOf(definition['nodes']).find((node) => node['name'] === name);
  if (found === undefined) throw new Error(`no node "${name}"`);
  return found;
}

describe('Exports of n8n', () => {
  it('need no manifest: each is a Workflow named by its file and titled by what is in it', async () => {
    const desired = await loaded(allExports());
    const titles = [...desired.manifests.values()].map(({ key, title }) => `${key}: ${title}`);
    expect(titles).to.include.members([
      'Workflow/flows-contact-book: Contact book',
      'Workflow/flows-no-name: no-name',
      'Workflow/flows-answer-first-of-two: First of two',
      'Workflow/flows-answer-second-of-two: Second of two',
      'Workflow/flows-template: Weekly digest',
      'Workflow/flows-several-evening: Evening',
      'Workflow/flows-several-morning: Morning',
      'Workflow/flows-without-ids: Érik’s 📬 Briefkasten — 邮件',
    ]);
    expect(titles).to.have.length(18);
    for (const manifest of desired.manifests.values()) {
      const spec = await manifest.spec(new AbortController().signal);
      expect(spec, `${manifest.key} leaves open whether it runs (law 11)`).to.not.have.property('active');
    }
  });

  it('of which n8n keeps no runs are told to be out of reach of service levels, each setting by itself', () => {
    const warned = (settings: JsonObject): readonly string[] =>
      n8nFormat
        .inspect({ nodes: [], connections: {}, settings })
        .problems.map(({ severity, message }) => `${severity} ${/runs that \w+/.exec(message)?.[0] ?? message}`);
    expect(warned({ saveDataSuccessExecution: 'all', saveDataErrorExecution: 'all' })).to.deep.equal([]);
    expect(warned({ saveDataSuccessExecution: 'none' })).to.deep.equal(['warning runs that succeed']);
    expect(warned({ saveDataErrorExecution: 'none' })).to.deep.equal(['warning runs that fail']);
  });

  it('are refused only where n8n could not run them, with file and reason', async () => {
    const { problems } = await loaded(allExports());
    const errors = problems.filter(({ severity }) => severity === 'error');
    expect(errors.map(({ origin, message }) => `${origin.file}: ${message}`)).to.deep.equal([
      'flows/twice-named.json: 2 nodes are called "Set", and connections lead to names.',
    ]);
  });

  it('are mended with a warning that names file and node', async () => {
    const { problems } = await loaded(allExports());
    const said = problems.filter(({ severity }) => severity === 'warning');
    const of = (file: string): readonly string[] =>
      said.filter(({ origin }) => origin.file === `flows/${file}`).map(({ message }) => message);
    expect(of('lost-edges.json').join('\n'))
      .to.match(/"Every Monday" lead to "Mail the team"/)
      .and.match(/begin at "Removed node"/);
    expect(of('odd-settings.json').join('\n'))
      .to.match(
        /settings "maxExecutions", "retryOnFail", "retryCount", "saveDataSuccessExecution", "binaryMode", "credentialResolverId" are left out/,
      )
      .and.match(/"description", "notes" at the top/)
      .and.not.match(/DEFAULT|errorWorkflow|waitBetweenTries/);
    expect(of('old-credentials.json').join('\n')).to.match(/smtp credential of the node "Mail"/);
    expect(of('strange-keys.json').join('\n')).to.match(/"extendsCredential", "color" of the node "Ask"/);
    expect(of('sub-workflows.json').join('\n'))
      .to.match(/node "Old style" names a workflow only by the id icSLX204kSS9zNdK/)
      .and.match(/node "No name"/)
      .and.match(/setting "errorWorkflow"/)
      .and.not.match(/"Itself"|"Another instance"|"Contacts"/);
    expect(of('notes.json')).to.deep.equal([
      'Sticky notes have no name, or that of another node; they are called "Start1", "Sticky Note1", "Sticky Note2".',
    ]);
    expect(of('bent-edges.json').join('\n'))
      .to.match(/"settings", "pinData" at the top/)
      .and.match(/2 entries of the list of nodes are no nodes/)
      .and.match(/Connections of "Start" are not written as n8n writes them/);
    expect(of('contact-book.json')).to.deep.equal([]);
    expect(of('without-ids.json')).to.deep.equal([]);
  });

  it('that were mended hold nothing that the API refuses, and no plain text of a credential', () => {
    const odd = mended('odd-settings.json');
    expect(odd['settings']).to.deep.equal({
      executionOrder: 'v1',
      saveManualExecutions: true,
      callerPolicy: 'workflowsFromSameOwner',
      timezone: 'UTC',
      executionTimeout: 3600,
    });
    expect(Object.keys(odd).toSorted()).to.deep.equal(['connections', 'nodes', 'settings']);
    expect(nodeIn(odd, 'Remind')).to.not.have.property('waitBetweenTries');
    const old = mended('old-credentials.json');
    expect(nodeIn(old, 'Tickets')['credentials']).to.deep.equal({ httpBasicAuth: { name: 'Ticket desk' } });
    expect(nodeIn(old, 'Tell')['credentials']).to.deep.equal({ slackApi: { name: 'Desk bot' } });
    expect(JSON.stringify(old)).to.not.include('not-a-name');
    const lost = mended('lost-edges.json');
    expect(lost['connections']).to.deep.equal({
      'Every Monday': { main: [[{ node: 'Read stock', type: 'main', index: 0 }]] },
    });
    const branches = mended('empty-branches.json')['connections'] as JsonObject;
    expect(branches['Which']).to.deep.equal({
      main: [
        [],
        [],
        [
          { index: 0, type: 'main', node: 'Home' },
          { index: 0, type: 'main', node: 'Far' },
        ],
      ],
    });
  });

  it('that a script wrote keep what can be told, and give each note a name', () => {
    const bent = mended('bent-edges.json');
    expect(bent['connections']).to.deep.equal({
      Start: {
        main: [
          [
            { node: 'Merge', type: 'main', index: 1 },
            { node: 'Merge', type: 'main', index: 0 },
          ],
        ],
        ai_tool: [],
      },
    });
    expect(n8nFormat.nodes(read('bent-edges.json'))).to.deep.equal([
      { name: 'Start', pointer: '/nodes/1' },
      { name: 'Merge', pointer: '/nodes/2' },
    ]);
    const names = objectsOf(mended('notes.json')['nodes']).map(({ name }) => name);
    expect(names).to.deep.equal(['Start1', 'Start', 'Sticky Note1', 'Sticky Note', 'Sticky Note2']);
  });

  it('that a script wrote are brought to the types that n8n wants', () => {
    const definition = mended('broken-types.json');
    expect(nodeIn(definition, 'Start')).to.deep.equal({
      disabled: false,
      id: 'same',
      name: 'Start',
      parameters: {},
      position: [120, 80],
      type: 'n8n-nodes-base.manualTrigger',
      typeVersion: 1,
    });
    const set = nodeIn(definition, 'Set');
    expect(set).to.deep.include({ position: [0, 0], parameters: {}, retryOnFail: true, typeVersion: 3.4 });
    expect(set).to.not.have.any.keys('notes', 'credentials', 'maxTries');
    expect(set['id'], 'an id that another node has').to.not.equal('same');
    expect(definition['connections']).to.deep.equal({
      Start: { main: [[{ node: 'Set', type: 'main', index: 0 }]], other: [] },
      Set: { main: [[{ node: 'End', type: 'main', index: 0 }]] },
    });
    expect(definition['nodeGroups']).to.deep.equal([{ id: 'g1', name: 'Both', nodeIds: ['end-1'] }]);
    expect(definition['settings']).to.deep.equal({});
  });

  it('refer by name: no id of another instance is left where a name is known', () => {
    const definition = mended('sub-workflows.json');
    const target = (name: string): JsonValue | undefined =>
      (nodeIn(definition, name)['parameters'] as JsonObject)['workflowId'];
    expect(target('Contacts')).to.deep.equal({
      __rl: true,
      mode: 'list',
      value: '',
      cachedResultName: 'My project — Contact book',
    });
    expect(target('Itself')).to.equal('={{ $workflow.id }}');
    expect(target('Old style')).to.equal('icSLX204kSS9zNdK');
    expect(target('No name')).to.deep.equal({ __rl: true, mode: 'id', value: 'a58HZLwcOy7lmz56' });
  });

  it('that refer to each other are put in order, also by the name that the editor writes', async () => {
    const { manifests } = await loaded(allExports());
    expect(manifests.get('Workflow/flows-sub-workflows')?.dependsOn).to.deep.equal(['Workflow/flows-contact-book']);
  });

  it('give a node without an id the same one every time, and two nodes never the same', () => {
    const ids = (file: string) => objectsOf(mended(file)['nodes']).map(({ id }) => id);
    expect(ids('without-ids.json')).to.deep.equal(ids('without-ids.json'));
    expect(new Set(ids('without-ids.json')).size).to.equal(3);
  });

  it('have one normal form, which normalising leaves as it is', () => {
    for (const file of readdirSync(EXPORTS)) {
      for (const { spec } of n8nFormat.split(read(file), 'x').objects) {
        const definition = spec['definition'] ?? null;
        const once = normalize('Workflow', { title: 'x', definition });
        expect(normalize('Workflow', once), file).to.deep.equal(once);
      }
    }
  });

  it('in a list with something else are refused, so that nothing goes unnoticed', async () => {
    const list = [read('no-name.json'), { credentials: [] }];
    const { manifests, problems } = await loaded({ 'both.json': JSON.stringify(list) });
    expect([...manifests.keys()]).to.deep.equal([]);
    expect(problems.map(({ origin, message }) => `${origin.file}: ${message}`)).to.deep.equal([
      'both.json: Entry 2 of the list is no n8n workflow.',
    ]);
  });

  it('are told from other JSON', () => {
    for (const json of [
      {},
      [],
      { nodes: [] },
      { nodes: [{ type: 'a' }], edges: [] },
      { nodes: [1], connections: {} },
      { data: [] },
      { data: { data: { data: { data: { data: { nodes: [], connections: {} } } } } } },
      { workflow: { nodes: [{ name: 'n8n-nodes-base.set' }] } },
      'x',
      null,
    ])
      expect(n8nFormat.recognizes(json), JSON.stringify(json)).to.equal(false);
    expect(n8nFormat.recognizes({ nodes: [], connections: {} })).to.equal(true);
  });
});
