import { expect } from 'chai';
import { formatDuration, parseDuration } from '../../src/manifest/duration.ts';
import { defaultsTable, jsonSchema } from '../../src/manifest/json-schema.ts';
import type { JsonObject, JsonValue } from '../../src/manifest/manifest.ts';
import { loadConfiguration } from '../../src/manifest/configuration.ts';
import { isObject } from '../../src/manifest/pointer.ts';
import { foldName, slug } from '../../src/manifest/slug.ts';
import { nearest } from '../../src/manifest/suggest.ts';
import { told, yaml } from './loading.ts';

function undescribed(schema: JsonValue | undefined, path: string): string[] {
  if (!isObject(schema)) return [];
  const { properties, items } = schema;
  const inside = undescribed(items, `${path}[]`);
  if (!isObject(properties)) return inside;
  return Object.entries(properties)
    .flatMap(([name, field]) => [
      ...(isObject(field) && typeof field['description'] === 'string' ? [] : [`${path}.${name}`]),
      ...undescribed(field, `${path}.${name}`),
    ])
    .concat(inside);
}

describe('schemas', () => {
  it('describe every field, because JSON Schema, docs and CRDs are made from them', () => {
    for (const schema of (jsonSchema()['oneOf'] ?? []) as JsonObject[])
      expect(undescribed(schema, JSON.stringify(schema['title'])), JSON.stringify(schema['title'])).to.deep.equal([]);
  });

  it('refuse unknown fields in JSON Schema too, and name every kind', () => {
    const kinds = (jsonSchema()['oneOf'] as JsonObject[]).map(({ title }) => title);
    expect(kinds).to.deep.equal([
      'Application',
      'AccessRole',
      'Integration',
      'Workflow',
      'AccessGrant',
      'Webhook',
      'ServiceLevel',
      'Platform',
      'Sync',
      'Plugin',
    ]);
    expect(jsonSchema('Application')['additionalProperties']).to.equal(false);
  });

  it('list every default as it is written', () => {
    const table = Object.fromEntries(
      defaultsTable().map(({ kind, field, default: value }) => [`${kind} ${field}`, value]),
    );
    expect(table).to.include({
      'Sync spec.prune.maxDeletions': '10%',
      'Sync spec.prune.maxRevocations': '50%',
      'Sync spec.interval': '5m',
      'Sync spec.gracePeriod': '10m',
      'Sync spec.adopt': 'refuse',
      'Sync spec.exclusive': 'false',
      'Sync spec.source.git.ref': '{"branch":"main"}',
      'Platform spec.limits.timeout': '30s',
      'AccessGrant spec.scope': '{"platform":true}',
      'Workflow spec.template': 'false',
    });
  });

  it('read durations as milliseconds', () => {
    expect(['250ms', '30s', '1h30m', '1.5h', '0s'].map(parseDuration)).to.deep.equal([
      250, 30_000, 5_400_000, 5_400_000, 0,
    ]);
    for (const wrong of ['', '5', '5 m', '-1s', '1d', 's', `${'9'.repeat(60)}h`])
      expect(parseDuration(wrong), wrong).to.equal(undefined);
    expect([5_400_000, 250, 0, 90_061_001].map(formatDuration)).to.deep.equal(['1h30m', '250ms', '0s', '25h1m1s1ms']);
  });

  it('fold names, make slugs and find what is near', () => {
    expect(foldName('Ａlpha')).to.equal('alpha');
    expect(slug('Übersicht/Order Flow v2')).to.equal('ubersicht-order-flow-v2');
    expect(slug('注文')).to.match(/^x-[0-9a-f]{8}$/);
    expect(nearest('aplication', ['application', 'version'])).to.equal('application');
    expect(nearest('zzz', ['application', 'version'])).to.equal(undefined);
  });
});

describe('configuration', () => {
  const platform = yaml(
    'Platform',
    'prod',
    'spec: {driver: node-red, url: "https://x", auth: {token: {valueFrom: {env: T}}}, limits: {timeout: 5s}}',
  );
  const read = (...texts: string[]): ReturnType<typeof loadConfiguration> =>
    loadConfiguration([{ path: 'plumbline.yaml', text: texts.join('---\n') }]);
  const sync = (name: string, more = ''): string =>
    yaml('Sync', name, `spec: {source: {folder: {path: .}}, platform: prod${more}}`);

  it('gives Platforms and Syncs with their defaults, durations in milliseconds', () => {
    const { platforms, syncs, problems } = read(
      platform,
      sync('orders', ', windows: [{deny: "0 18 * * 5", duration: 62h, timeZone: Europe/Berlin}]'),
    );
    expect(problems).to.deep.equal([]);
    expect(platforms.get('prod')?.document.spec).to.deep.equal({
      driver: 'node-red',
      url: 'https://x',
      auth: { token: { valueFrom: { env: 'T' } } },
      beta: [],
      limits: { concurrency: 4, requestsPerSecond: 20, timeout: 5000 },
      webhooks: { allow: [] },
    });
    const spec = syncs.get('orders')?.document.spec;
    expect(spec).to.deep.include({
      interval: 300_000,
      exclusive: false,
      prune: { enabled: true, maxDeletions: { percent: 10 }, maxRevocations: { percent: 50 } },
    });
    expect(spec?.windows).to.deep.equal([{ deny: '0 18 * * 5', duration: 223_200_000, timeZone: 'Europe/Berlin' }]);
  });

  it('refuses what does not hold together, at its line', () => {
    const lines = (...texts: string[]): string => told(read(platform, ...texts)).join('\n');
    expect(lines(yaml('Sync', 'a', 'spec: {source: {folder: {path: .}}, platform: prdo}'))).to.match(
      /plumbline.yaml:9:37: error: spec.platform refers to Platform\/prdo.*Did you mean "prod"\?/,
    );
    expect(lines(sync('a', ', dependsOn: [b]'), sync('b', ', dependsOn: [a]'))).to.match(
      /Sync\/a and Sync\/b wait for each other/,
    );
    expect(lines(sync('a', ', dependsOn: [c]'))).to.match(/spec.dependsOn refers to Sync\/c/);
    expect(lines(sync('a'), sync('a'))).to.match(/Sync\/a is also defined at plumbline.yaml:/);
    expect(lines(sync('a', ', platformSelector: {matchLabels: {}}'))).to.match(
      /only one of platform \| platformSelector/,
    );
    expect(lines(sync('a', ', drift: propose'))).to.match(/spec.drift is not enforced by this version yet/);
    expect(lines(sync('a', ', interval: 5 minutes'))).to.match(/spec.interval is not a duration/);
    expect(lines(yaml('Sync', 'a', 'spec: {source: {git: {url: x, webhook: {}}}, platform: prod}'))).to.match(
      /spec.source.git.webhook.provider/,
    );
    expect(lines(yaml('Sync', 'a', 'spec: {source: {cluster: {}}, platform: prod}'))).to.match(
      /spec.source.cluster has no meaning in a configuration file/,
    );
    expect(lines(yaml('Platform', 'p', 'spec: {driver: x, url: "http://u:p@x", encryption: [], events: {}}'))).to.match(
      /spec.url is not an http[^]*spec.encryption is not enforced[^]*spec.events.secret/,
    );
    expect(lines(yaml('Platform', 'p', 'spec: {driver: x, url: "http://x", hosted: {}}'))).to.match(
      /only one of url \| hosted/,
    );
    expect(lines(yaml('Workflow', 'w', 'spec: {definition: {}}'))).to.match(/a Workflow is desired state/);
    expect(lines(yaml('Snyc', 'w'))).to.match(/unknown kind "Snyc". Did you mean "Sync"\?/);
  });
});
