import { expect } from 'chai';
import { KubeClient } from '../../src/kube/client.ts';
import { InventoryStore } from '../../src/kube/inventory-store.ts';
import { CONFIG_MAPS } from '../../src/kube/object.ts';
import type { KubeObject } from '../../src/kube/object.ts';
import { Inventory } from '../../src/ledger/inventory.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import type { Key } from '../../src/manifest/manifest.ts';
import { intent, owned, stateDirectories } from '../ledger/samples.ts';
import { startCluster } from './cluster.ts';
import type { Cluster } from './cluster.ts';

const PLACE = { namespace: 'default', installation: 'test' };
const SCOPE = { sync: 'shop.orders', platform: 'shop.plant' };
const signal = new AbortController().signal;
/** Rows that take about 1 MB: more than two parts. */
const MANY = 2_500;

describe('an inventory that spans several ConfigMaps', function () {
  this.timeout(120_000);
  const stateDirectory = stateDirectories();
  let cluster: Cluster;
  let client: KubeClient;
  before(async () => {
    cluster = await startCluster();
    client = await KubeClient.open({ kubeconfig: cluster.kubeconfig, environment: {}, version: 'test' });
  });
  afterEach(async () => {
    for (const { metadata } of await objects()) await client.delete(CONFIG_MAPS, metadata, { signal });
  });
  after(async () => {
    await client?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
  });

  /** Of the Sync; that of the Platform as a whole is not counted. */
  const objects = async (): Promise<readonly KubeObject[]> => {
    const { items } = await client.list(CONFIG_MAPS, {
      namespace: 'default',
      labelSelector: 'plumbline.dev/inventory=true',
      signal,
    });
    return items.filter(({ metadata }) => metadata.annotations?.['plumbline.dev/sync'] !== '');
  };
  const versions = async (): Promise<ReadonlyMap<string, string>> =>
    new Map((await objects()).map(({ metadata }) => [metadata.name, metadata.resourceVersion ?? '']));
  const replica = (refuse: (platform: string) => void = () => undefined) => {
    const ledger = Ledger.open(stateDirectory());
    return { ledger, inventory: new Inventory(new InventoryStore(client, PLACE), ledger, refuse) };
  };
  const keys = (count: number): readonly Key[] =>
    Array.from({ length: count }, (_, index): Key => `Workflow/order-${index}`);
  const file = 'a-rather-long-path/of-a-file/in-a-repository/with-many-folders/orders.yaml'.repeat(3);
  const record = (of: readonly Key[], revision = 'r1') =>
    of.map((key) => ({ record: 'own', owned: owned(key, { file, revision }) }) as const);
  const load = async () => {
    const successor = replica();
    await successor.inventory.load([SCOPE.platform], () => true);
    return successor;
  };

  it('is whole for a successor, and a change of one object writes one part', async () => {
    const { ledger, inventory } = replica();
    const journal = inventory.journal(SCOPE);
    journal.record(record(keys(MANY)));
    await journal.conclude?.();
    const before = await versions();
    expect(before.size).to.be.greaterThan(2);
    journal.record(record(['Workflow/order-7'], 'r2'));
    await journal.conclude?.();
    const after = await versions();
    expect([...after].filter(([name, version]) => before.get(name) !== version)).to.have.length(1);
    await journal.conclude?.();
    expect(await versions(), 'what has not changed is not written').to.deep.equal(after);
    using successor = (await load()).ledger;
    const { owned: known } = successor.view(SCOPE);
    expect(known.size).to.equal(MANY);
    expect([known.get('Workflow/order-7')?.revision, known.get('Workflow/order-8')?.revision]).to.deep.equal([
      'r2',
      'r1',
    ]);
    ledger.close();
  });

  it('is split anew as it grows, is read as it was when that was broken off, and goes when nothing is owned any more', async () => {
    const { ledger, inventory } = replica();
    const journal = inventory.journal(SCOPE);
    journal.record(record(keys(10)));
    await journal.conclude?.();
    const [small] = await objects();
    expect(small?.metadata.annotations?.['plumbline.dev/part']).to.equal('0 of 1');
    journal.record(record(keys(MANY)));
    await journal.conclude?.();
    const grown = await objects();
    const parts = grown.map(({ metadata }) => metadata.annotations?.['plumbline.dev/part'] ?? '');
    expect(parts.toSorted()).to.deep.equal(parts.map((_, index) => `${index} of ${parts.length}`));
    // The writer ended before the new layout was complete, and so before the old one was removed.
    if (small === undefined) throw new Error('there was no small one');
    const { resourceVersion: _version, uid: _uid, ...metadata } = small.metadata;
    await client.create(CONFIG_MAPS, { ...small, metadata }, { signal });
    using between = (await load()).ledger;
    expect(between.view(SCOPE).owned.size, 'both layouts whole: the new one counts').to.equal(MANY);
    const [lost] = grown;
    if (lost === undefined) throw new Error('there are no parts');
    await client.delete(CONFIG_MAPS, lost.metadata, { signal });
    using successor = (await load()).ledger;
    expect(successor.view(SCOPE).owned.size).to.equal(10);
    for (const key of keys(MANY)) ledger.journal(SCOPE).record([{ record: 'forget', key }]);
    journal.record([{ record: 'forget', key: 'Workflow/order-0' }]);
    await journal.conclude?.();
    const left = (await objects()).map(({ metadata: { name } }) => name).filter((name) => name !== small.metadata.name);
    expect(left).to.deep.equal([]);
  });

  it('is not written over what somebody else wrote: what that one may have begun is taken in first', async () => {
    const first = replica();
    const journal = first.inventory.journal(SCOPE);
    journal.record(record(keys(MANY)));
    await journal.conclude?.();
    const second = await load();
    await second.inventory.journal(SCOPE).intend([intent('of-the-second', { key: 'Workflow/order-7' })]);
    // The first does not know that it is the writer no more.
    await journal.intend([intent('of-the-first', { key: 'Workflow/order-7', title: 'Other' })]);
    expect(
      first.ledger
        .view(SCOPE)
        .intents.map(({ id }) => id)
        .toSorted(),
    ).to.deep.equal(['of-the-first', 'of-the-second']);
    using third = (await load()).ledger;
    expect(
      third
        .view(SCOPE)
        .intents.map(({ id }) => id)
        .toSorted(),
    ).to.deep.equal(['of-the-first', 'of-the-second']);
    expect(third.view(SCOPE).owned.size).to.equal(MANY);
    first.ledger.close();
    second.ledger.close();
  });

  it('is not written by who may not write to the platform, and says who is in the way when somebody writes all the time', async () => {
    const refused = replica(() => {
      throw new Error('not the holder');
    });
    const journal = refused.inventory.journal(SCOPE);
    journal.record(record(keys(3)));
    const error = await Promise.resolve(journal.conclude?.()).then(() => undefined, String);
    expect(error).to.match(/not the holder/);
    expect(await objects()).to.deep.equal([]);
    refused.ledger.close();

    const { ledger, inventory } = replica();
    const busy = inventory.journal(SCOPE);
    busy.record(record(keys(3)));
    await busy.conclude?.();
    const replace = client.replace.bind(client);
    client.replace = async (resource, object, options) => {
      const present = await client.get(resource, object.metadata, options);
      await client.merge(
        resource,
        present.metadata,
        { data: { 'rows.json': JSON.stringify({ intent: [], at: [[Math.random()]] }) } },
        options,
      );
      return replace(resource, object, options);
    };
    try {
      busy.record(record(keys(3), 'r2'));
      const contested = await Promise.resolve(busy.conclude?.()).then(() => undefined, String);
      expect(contested).to.match(/shop\.orders on shop\.plant is written by somebody else all the time/);
    } finally {
      client.replace = replace;
    }
    ledger.close();
  });
});
