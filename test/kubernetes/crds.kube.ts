import { readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect } from 'chai';
import { parse, parseAllDocuments } from 'yaml';
import { SCHEMAS } from '../../src/manifest/schemas.ts';
import { startCluster } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { installDefinitions } from './installation.ts';

const ROOT = resolve(import.meta.dirname, '..', '..');

/** Objects that the API server has to refuse, and with which words; each beside one that it has to accept. */
const JUDGED: readonly {
  readonly rule: string;
  readonly kind: keyof typeof SCHEMAS;
  readonly good: string;
  readonly bad: string;
  readonly says: RegExp;
}[] = [
  {
    rule: 'exactly one of url and hosted',
    kind: 'Platform',
    good: '{driver: n8n, url: "https://n8n.example.com"}',
    bad: '{driver: n8n, url: "https://n8n.example.com", hosted: {}}',
    says: /Give exactly one of url \| hosted/,
  },
  {
    rule: 'a URL without credentials',
    kind: 'Platform',
    good: '{driver: n8n, url: "http://n8n.shop:5678/base"}',
    bad: '{driver: n8n, url: "https://me:secret@n8n.example.com"}',
    says: /http or https URL without credentials/,
  },
  {
    rule: 'exactly one place of a secret',
    kind: 'Platform',
    good: '{driver: n8n, url: "https://x", auth: {token: {valueFrom: {secretKeyRef: {name: n8n, key: token}}}}}',
    bad: '{driver: n8n, url: "https://x", auth: {token: {valueFrom: {env: A, file: b}}}}',
    says: /Give exactly one of env \| file \| secretKeyRef/,
  },
  {
    rule: 'what this version does not enforce',
    kind: 'Platform',
    good: '{driver: n8n, url: "https://x"}',
    bad: '{driver: n8n, url: "https://x", encryption: [at-rest]}',
    says: /spec.encryption/,
  },
  {
    rule: 'durations',
    kind: 'Platform',
    good: '{driver: n8n, url: "https://x", limits: {timeout: 1m30s}}',
    bad: '{driver: n8n, url: "https://x", limits: {timeout: 90}}',
    says: /spec.limits.timeout/,
  },
  {
    rule: 'exactly one platform or selector',
    kind: 'Sync',
    good: '{source: {cluster: {}}, platformSelector: {matchLabels: {a: b}}}',
    bad: '{source: {cluster: {}}, platform: a, platformSelector: {matchLabels: {a: b}}}',
    says: /Give exactly one of platform \| platformSelector/,
  },
  {
    rule: 'exactly one source',
    kind: 'Sync',
    good: '{source: {git: {url: "https://git.example.com/a.git"}}, platform: a}',
    bad: '{source: {git: {url: "https://git.example.com/a.git"}, cluster: {}}, platform: a}',
    says: /Give exactly one of git \| folder \| cluster/,
  },
  {
    rule: 'exactly one ref',
    kind: 'Sync',
    good: '{source: {git: {url: "https://x/a.git", ref: {semver: ">=1"}}}, platform: a}',
    bad: '{source: {git: {url: "https://x/a.git", ref: {branch: a, tag: b}}}, platform: a}',
    says: /Give exactly one of branch \| tag \| commit \| semver/,
  },
  {
    rule: 'caps',
    kind: 'Sync',
    good: '{source: {cluster: {}}, platform: a, prune: {maxDeletions: 5, maxRevocations: "10%"}}',
    bad: '{source: {cluster: {}}, platform: a, prune: {maxDeletions: "10 percent"}}',
    says: /whole number such as 5, or a percentage/,
  },
  {
    rule: 'durations of a Sync',
    kind: 'Sync',
    good: '{source: {cluster: {}}, platform: a, interval: 1.5h}',
    bad: '{source: {cluster: {}}, platform: a, interval: "5 minutes"}',
    says: /spec.interval/,
  },
  {
    rule: 'exactly one of allow and deny',
    kind: 'Sync',
    good: '{source: {cluster: {}}, platform: a, windows: [{deny: "0 18 * * 5", duration: 62h}]}',
    bad: '{source: {cluster: {}}, platform: a, windows: [{duration: 62h}]}',
    says: /Give exactly one of allow \| deny/,
  },
  {
    rule: 'a permission on data has a collection',
    kind: 'AccessRole',
    good: '{permissions: [{"on": data, verbs: [read], collection: orders}]}',
    bad: '{permissions: [{"on": data, verbs: [read]}]}',
    says: /needs its collection/,
  },
  {
    rule: 'only a permission on data has a collection',
    kind: 'AccessRole',
    good: '{permissions: [{"on": workflow, verbs: [run]}]}',
    bad: '{permissions: [{"on": workflow, verbs: [run], collection: orders}]}',
    says: /Only a permission on data/,
  },
  {
    rule: 'exactly one scope',
    kind: 'AccessGrant',
    good: '{role: a, subjects: [{user: b}], scope: {application: c}, expiresAt: "2027-01-31T00:00:00Z"}',
    bad: '{role: a, subjects: [{user: b}], scope: {application: c, platform: true}}',
    says: /Give exactly one of application \| workflow \| data \| platform/,
  },
  {
    rule: 'each user once',
    kind: 'AccessGrant',
    good: '{role: a, subjects: [{user: b}, {user: c}]}',
    bad: '{role: a, subjects: [{user: b}, {user: b}]}',
    says: /[Dd]uplicate/,
  },
  {
    rule: 'a time',
    kind: 'AccessGrant',
    good: '{role: a, subjects: [{user: b}], expiresAt: "2027-01-31T00:00:00+01:00"}',
    bad: '{role: a, subjects: [{user: b}], expiresAt: tomorrow}',
    says: /spec.expiresAt/,
  },
  {
    rule: 'exactly one definition',
    kind: 'Workflow',
    good: '{definition: [{id: a, type: tab}]}',
    bad: '{definition: [], definitionFrom: {configMapKeyRef: {name: a, key: b}}}',
    says: /spec/,
  },
  {
    rule: 'exactly one place of a definition',
    kind: 'Workflow',
    good: '{definitionFrom: {configMapKeyRef: {name: a, key: b}}}',
    bad: '{definitionFrom: {}}',
    says: /Give exactly one of file \| configMapKeyRef/,
  },
  {
    rule: 'what a plugin is asked about',
    kind: 'Plugin',
    good: '{folder: a, events: [order.created]}',
    bad: '{folder: a}',
    says: /Add triggers, changes, or the types of events/,
  },
  {
    rule: 'a type or code',
    kind: 'Integration',
    good: '{code: {repository: "https://x/crm.git"}}',
    bad: '{title: CRM}',
    says: /Give type or code, or both/,
  },
  {
    rule: 'the whole of what code takes',
    kind: 'Integration',
    good: '{code: {repository: "https://x/crm.git", ref: {semver: ">=1"}, path: lib, entry: sync/index.mjs, settings: {a: [1]}, secrets: {token: {valueFrom: {secretKeyRef: {name: crm, key: token}}}}}, schedule: "*/5 * * * *", events: [order.created, "reconcile.*"], records: {schema: {type: object}, attempts: 3}}',
    bad: '{code: {ref: {branch: main}}}',
    says: /spec.code.repository: Required value/,
  },
  ...['schedule: "* * * * *"', 'events: [order.created]', 'records: {schema: {type: object}}'].map((field) => ({
    rule: `${field} belongs to code`,
    kind: 'Integration' as const,
    good: `{type: http, code: {repository: "https://x/crm.git"}, ${field}}`,
    bad: `{type: http, ${field}}`,
    says: /schedule, events and records belong to code/,
  })),
  {
    rule: 'exactly one ref of code',
    kind: 'Integration',
    good: '{code: {repository: a, ref: {tag: v1}}}',
    bad: '{code: {repository: a, ref: {tag: v1, branch: main}}}',
    says: /Give exactly one of branch \| tag \| commit \| semver/,
  },
  ...['../index.js', '/etc/index.js', 'index.sh', 'lib/../../index.js'].map((entry) => ({
    rule: `an entry inside of the folder, not ${entry}`,
    kind: 'Integration' as const,
    good: '{code: {repository: a, entry: lib/index.js}}',
    bad: `{code: {repository: a, entry: "${entry}"}}`,
    says: /spec.code.entry/,
  })),
  {
    rule: 'exactly one place of a secret of code',
    kind: 'Integration',
    good: '{code: {repository: a, secrets: {t: {valueFrom: {secretKeyRef: {name: b, key: c}}}}}}',
    bad: '{code: {repository: a, secrets: {t: {valueFrom: {}}}}}',
    says: /Give exactly one of env \| file \| secretKeyRef/,
  },
  {
    rule: 'exactly one schema of records',
    kind: 'Integration',
    good: '{code: {repository: a}, records: {schemaFrom: {file: a.json}}}',
    bad: '{code: {repository: a}, records: {attempts: 3}}',
    says: /Give exactly one of schema \| schemaFrom/,
  },
  {
    rule: 'attempts',
    kind: 'Integration',
    good: '{code: {repository: a}, records: {schema: {}, attempts: 100}}',
    bad: '{code: {repository: a}, records: {schema: {}, attempts: 0}}',
    says: /spec.records.attempts/,
  },
  {
    rule: 'nothing misspelt within code',
    kind: 'Integration',
    good: '{code: {repository: a, settings: {repositry: b}}}',
    bad: '{code: {repository: a, comit: b}}',
    says: /unknown field "spec.code.comit"/,
  },
  {
    rule: 'no commit of its own within code',
    kind: 'Integration',
    good: '{code: {repository: a, ref: {commit: 3b18e512dba79e4c8300dd08aeb37f8e728b8dad}}}',
    bad: '{code: {repository: a, commit: 3b18e512dba79e4c8300dd08aeb37f8e728b8dad}}',
    says: /unknown field "spec.code.commit"/,
  },
  {
    rule: 'names or labels of a service level',
    kind: 'ServiceLevel',
    good: '{selector: {names: [a]}, objectives: {successRate: "> 99%"}}',
    bad: '{selector: {names: [a], matchLabels: {b: c}}, objectives: {successRate: "> 99%"}}',
    says: /Give names or matchLabels/,
  },
  {
    rule: 'objectives of a service level',
    kind: 'ServiceLevel',
    good: '{objectives: {averageDuration: "< 30s"}}',
    bad: '{objectives: {}}',
    says: /spec.objectives/,
  },
];

describe('the custom resource definitions in a cluster', () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await startCluster();
    await installDefinitions(cluster);
  });
  after(() => cluster[Symbol.asyncDispose]());

  const dryRun = (text: string): Promise<string> => cluster.kubectl(['create', '--dry-run=server', '-f', '-'], text);
  const refusal = (text: string): Promise<string> => dryRun(text).then(() => 'accepted', String);
  const object = (kind: string, spec: string, name = 'judged'): string =>
    JSON.stringify({ apiVersion: 'plumbline.dev/v1alpha1', kind, metadata: { name }, spec: parse(spec) as unknown });

  it('are accepted as structural, with every rule within its cost', async () => {
    const { items } = JSON.parse(await cluster.kubectl(['get', 'crd', '-o', 'json'])) as {
      items: { metadata: { name: string }; status: { conditions: { type: string; status: string }[] } }[];
    };
    expect(items).to.have.length(Object.keys(SCHEMAS).length);
    for (const { metadata, status } of items) {
      const wrong = status.conditions.filter(({ type, status }) => type === 'NonStructuralSchema' && status === 'True');
      expect(wrong, metadata.name).to.deep.equal([]);
    }
  });

  for (const { rule, kind, good, bad, says } of JUDGED) {
    it(`judge ${kind}: ${rule}`, async () => {
      expect(await dryRun(object(kind, good))).to.contain('created');
      expect(await refusal(object(kind, bad))).to.match(says);
    });
  }

  it('keep the driver of a Platform', async () => {
    await cluster.kubectl(['create', '-f', '-'], object('Platform', '{driver: n8n, url: "https://x"}', 'kept'));
    const patch = (spec: string) => cluster.kubectl(['patch', 'plplatform', 'kept', '--type=merge', '-p', spec]);
    expect(await patch('{"spec":{"url":"https://y"}}')).to.contain('patched');
    expect(await patch('{"spec":{"driver":"directus"}}').then(() => 'accepted', String)).to.match(
      /The driver cannot be changed/,
    );
  });

  it('refuse names that are no labels, and fields that are misspelt', async () => {
    const platform = (name: string) => object('Platform', '{driver: n8n, url: "https://x"}', name);
    expect(await refusal(platform('a.b'))).to.match(/metadata.name/);
    expect(await refusal(platform('a'.repeat(64)))).to.match(/metadata.name/);
    expect(await refusal(object('Sync', '{source: {cluster: {}}, platfrom: a, platform: b}'))).to.match(
      /unknown field "spec.platfrom"/,
    );
  });

  it('take every sample manifest', async () => {
    const files = readdirSync(join(ROOT, 'manifests'), { recursive: true, encoding: 'utf8' });
    const samples = files.filter((file) => file.endsWith('.yaml'));
    expect(samples).to.have.length.greaterThan(3);
    for (const file of samples) await dryRun(readFileSync(join(ROOT, 'manifests', file), 'utf8'));
  });

  it('take every manifest of the README', async () => {
    const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
    // The namespace of its first steps, which its reader has.
    await cluster.kubectl(['create', 'namespace', 'shop']);
    let judged = 0;
    for (const [, text = ''] of readme.matchAll(/^```yaml (?:configuration|manifests|cluster)[^\n]*\n([^]*?)^```$/gm)) {
      if (parseAllDocuments(text).some((document) => document.get('jsonPatch') !== undefined)) continue;
      await dryRun(text);
      judged += 1;
    }
    expect(judged).to.be.greaterThan(3);
  });

  it('are a manual: explain tells what a field is for and what its default is', async () => {
    const told = await cluster.kubectl(['explain', 'plsync.spec.prune.maxDeletions']);
    expect(told).to.contain('Most deletions of one pass').and.to.contain('Default: 10%');
    expect(await cluster.kubectl(['get', 'plumbline', '-A'])).to.contain('kept');
  });
});
