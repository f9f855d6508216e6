import { expect } from 'chai';
import * as fc from 'fast-check';
import { mirrorsOf } from '../../src/daemon/cluster/mirrors-of.ts';
import type { KubeObject } from '../../src/kube/object.ts';
import { MIRROR_PATTERN, mirroredIn, mirrorName } from '../../src/manifest/mirror.ts';
import { isSelected, MIRROR_LABEL } from '../../src/source/cluster.ts';
import type { InventoryEntry } from '../../src/report/status.ts';
import type { PassReport } from '../../src/report/pass-report.ts';
import { passOf } from '../report/reports.ts';

const SYNC: KubeObject = {
  apiVersion: 'plumbline.dev/v1alpha1',
  kind: 'Sync',
  metadata: { name: 'orders', namespace: 'shop', uid: 'the-uid' },
};

const entry = (key: string, more: Partial<InventoryEntry> = {}): InventoryEntry => ({
  key,
  remote: `r-${key}`,
  title: key,
  how: 'created',
  revision: 'abc',
  ...more,
});

describe('mirrors', () => {
  const label = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);

  it('have names that the API server takes, that differ as what they show differs, and that tell it', () => {
    const shows = fc.record(
      { name: label, sync: label, platform: label, platformNamespace: label },
      { requiredKeys: ['name', 'sync', 'platform'] },
    );
    fc.assert(
      fc.property(shows, shows, (one, other) => {
        const name = mirrorName(one);
        expect(name.length).to.be.at.most(253);
        expect(name).to.match(new RegExp(MIRROR_PATTERN)).and.to.contain('.');
        if (JSON.stringify(one) !== JSON.stringify(other)) expect(mirrorName(other)).to.not.equal(name);
        if (name.split('.').length < 5) expect(mirroredIn(name)).to.deep.equal(one);
        else expect(mirroredIn(name)).to.equal(undefined);
      }),
    );
    const long = 'a'.repeat(63);
    const whole = mirrorName({ name: long, sync: long, platform: long, platformNamespace: long });
    expect(whole.length).to.be.at.most(253);
    expect(
      mirrorName({ name: long, sync: long, platform: long, platformNamespace: `${'a'.repeat(62)}b` }),
    ).to.not.equal(whole);
  });

  it('are safe of any name', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), (name) => {
        expect(mirrorName({ name, sync: 'a', platform: 'b' })).to.match(new RegExp(MIRROR_PATTERN));
      }),
    );
    expect(mirrorName({ name: 'A/b', sync: 'a', platform: 'b' })).to.not.equal(
      mirrorName({ name: 'a-b', sync: 'a', platform: 'b' }),
    );
  });

  const wanted = (inventory: readonly InventoryEntry[], report: PassReport, maxObjects = 500) =>
    mirrorsOf(report, {
      sync: SYNC,
      installation: 'test',
      inventory,
      maxObjects,
      redact: (text) => text.replaceAll('canary', '***'),
    });

  it('show what is not as it is meant first where they are bounded, and count what they leave out', () => {
    const inventory = [
      entry('Workflow/a'),
      entry('Workflow/b', { driftSince: '2026-01-01T00:00:00Z' }),
      entry('Workflow/c'),
    ];
    const { shown, left } = wanted(inventory, passOf({ platform: 'shop.plant' }), 2);
    expect(shown.map(({ object, stand }) => [object.metadata.name, stand.reason])).to.deep.equal([
      ['b.orders.plant', 'Drifted'],
      ['a.orders.plant', 'Synced'],
    ]);
    expect(left).to.equal(1);
  });

  it('are never desired state: neither by their label nor, where that was taken off, by their name', () => {
    const selected = (name: string, labels: Readonly<Record<string, string>>): boolean =>
      isSelected({ ...SYNC, kind: 'Workflow', metadata: { name, namespace: 'shop', labels } }, 'shop', { team: 'a' });
    expect(selected('orders', { team: 'a' })).to.equal(true);
    expect(selected('orders.orders.plant', { team: 'a' })).to.equal(false);
    expect(selected('orders', { team: 'a', [MIRROR_LABEL]: 'test' })).to.equal(false);
  });

  it('say where the Platform is, and show no secret in a title', () => {
    const { shown } = wanted([entry('Workflow/a', { title: 'the canary' })], passOf({ platform: 'team.plant' }));
    expect(shown[0]?.object['mirror']).to.deep.equal({
      name: 'a',
      title: 'the ***',
      sync: 'orders',
      platform: 'plant',
      platformNamespace: 'team',
    });
    expect(shown[0]?.object.metadata.name).to.equal('a.orders.plant.team');
  });

  it('leave out of kinds that are none, and of names that nobody could have written, what is not there', () => {
    const problem = (key: string) =>
      ({
        origin: { file: 'x.yaml', line: 1, column: 1 },
        message: 'is wrong',
        remedy: 'Mend it.',
        severity: 'error',
        key,
      }) as const;
    const report = passOf({
      platform: 'shop.plant',
      problems: [problem('Workflow/broken'), problem('Nothing/a'), problem('Workflow/A b')],
    });
    const { shown } = wanted([], report);
    expect(shown.map(({ object, stand }) => [object.metadata.name, stand.state, stand.message])).to.deep.equal([
      ['broken.orders.plant', 'stalled', 'is wrong. Mend it.'],
    ]);
  });
});
