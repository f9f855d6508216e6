import { expect } from 'chai';
import type { Driver } from '../../../src/drivers/driver.ts';
import type { JsonObject, Kind } from '../../../src/manifest/manifest.ts';
import type { Sample } from '../contract-harness.ts';
import { apply, createAll, get, never, observe, stepFor, succeed } from '../contract-steps.ts';
import type { RawDirectus, Row } from './raw-directus.ts';

/** Access on a running server; called inside a suite that starts it. */
export function describeAccessBehaviour(bench: { raw: () => RawDirectus; driver: () => Driver }): void {
  const { raw } = bench;

  it('what people attached by hand is told as grants of its own, and no write of ours touches it', async () => {
    await using driver = bench.driver();
    await createAll(driver, [READERS, CREW, grant('alice-reads', 'readers', 'alice@example.com')]);
    const [readers, crew] = [await get(driver, READERS), await get(driver, CREW)];
    const bob = raw().people.get('bob@example.com');
    const row = (await raw().ask('POST', '/access', { policy: readers.remote, user: bob })) as Row;
    await raw().ask('PATCH', `/users/${bob ?? ''}`, { role: crew.remote });
    const unmanaged = (await observe(driver)).objects.filter(
      ({ kind, marker, value }) => kind === 'AccessGrant' && marker === undefined && value['role'] !== 'reader',
    );
    expect(unmanaged.map(({ value }) => [value['role'], value['subjects']])).to.have.deep.members([
      ['readers', [{ user: 'bob@example.com' }]],
      ['crew', [{ user: 'bob@example.com' }]],
    ]);
    const changed = { ...READERS.spec, permissions: [{ on: 'data', collection: 'directus_folders', verbs: ['read'] }] };
    await succeed(driver, [stepFor('update', READERS, driver, { at: readers, spec: changed })]);
    const held = await get(driver, grant('alice-reads', 'readers', 'alice@example.com'));
    await succeed(driver, [stepFor('delete', grant('alice-reads', 'readers', ''), driver, { at: held })]);
    const rows = (await raw().rows('access')).filter(({ policy, user }) => policy === readers.remote && user !== null);
    expect(
      rows.map(({ id }) => id),
      'the row by hand stands, ours is gone',
    ).to.deep.equal([row.id]);
    const byHand = unmanaged.find(({ value }) => value['role'] === 'readers');
    if (byHand === undefined) throw new Error('not observed');
    await succeed(driver, [stepFor('delete', grant('x', 'readers', ''), driver, { at: byHand })]);
    expect(
      (await raw().rows('access')).some(({ id }) => id === row.id),
      'taken away where that is asked',
    ).to.equal(false);
  });

  it('a role is not deleted under its members, whoever made them members', async () => {
    await using driver = bench.driver();
    await createAll(driver, [CREW]);
    const crew = await get(driver, CREW);
    const bob = raw().people.get('bob@example.com') ?? '';
    await raw().ask('PATCH', `/users/${bob}`, { role: crew.remote });
    const [outcome] = await apply(driver, [stepFor('delete', CREW, driver, { at: await get(driver, CREW) })]);
    expect(outcome?.status).to.equal('failed');
    if (outcome?.status === 'failed') expect(outcome.error.message).to.include('bob');
    expect((await raw().row('users', bob))['role']).to.equal(crew.remote);
  });

  it('the account that Plumbline uses is not locked out: nothing is sent that takes its rights', async () => {
    await using driver = bench.driver();
    const administrators = (await observe(driver)).objects.filter(
      ({ kind, title }) => kind === 'AccessRole' && title === 'Administrator',
    );
    expect(administrators.length).to.equal(2);
    const narrowed = role('Administrator', { permissions: [], native: {} });
    for (const at of administrators) {
      const isPolicy = (at.value['native'] as JsonObject)['role'] === undefined;
      const steps = [
        stepFor('delete', narrowed, driver, { at }),
        ...(isPolicy ? [stepFor('adopt', narrowed, driver, { at })] : []),
      ];
      for (const step of steps) {
        const [refusal] = (await driver.preflight?.([step], never)) ?? [];
        expect(refusal?.because, `${step.change.verb} ${at.remote}`).to.include('admin@example.com');
      }
    }
  });

  it('what Directus cannot enforce exactly is refused with its reason', async () => {
    await using driver = bench.driver();
    const wrong: readonly (readonly [Sample, RegExp])[] = [
      [role('A', { permissions: [{ on: 'workflow', verbs: ['run'] }] }), /no right to run/],
      [role('B', { permissions: [{ on: 'integration', verbs: ['read'] }] }), /integrations/],
      [
        role('C', { permissions: [{ on: 'data', collection: 'directus_fils', verbs: ['read'] }] }),
        /no collection "directus_fils"/,
      ],
      [
        role('D', {
          permissions: [{ on: 'data', collection: 'directus_files', verbs: ['create'], where: { id: { _eq: 1 } } }],
        }),
        /does not exist yet/,
      ],
      [role('E', { native: { colour: 'red' } }), /native\.colour/],
      [role('F', { native: { permissions: [{ collection: 'directus_files', action: 'fly' }] } }), /"fly"/],
      [role('G', { native: { role: { policies: ['nobody'] } } }), /nobody/],
      [{ ...grant('h', 'readers', 'zoe@example.com'), dependsOn: [] }, /no user zoe/],
      [grantOn('i', { workflow: 'x' }), /not on one workflow/],
    ];
    const waiting = role('Waiting', { permissions: [{ on: 'data', collection: 'not_yet_there', verbs: ['read'] }] });
    const sound = [READERS, waiting].map((sample) => stepFor('create', sample, driver));
    const steps = [...sound, ...wrong.map(([sample]) => stepFor('create', sample, driver))];
    const found = (await driver.preflight?.(steps, never)) ?? [];
    const refusals = found.filter(({ bearable }) => bearable !== true);
    expect(refusals.map(({ key }) => key)).to.deep.equal(wrong.map(([{ key }]) => key));
    expect(
      found.filter(({ bearable }) => bearable === true).map(({ because }) => because),
      'what is still to come is told',
    ).to.deep.equal(['there is no collection "not_yet_there"; until there is, permissions on it say nothing.']);
    for (const [sample, why] of wrong) {
      const refusal = refusals.find(({ key }) => key === sample.key);
      expect(refusal?.because, sample.key).to.match(why);
      expect(refusal?.remedy, sample.key).to.be.a('string').and.not.equal('');
    }
  });

  it('a permission on a collection whose name is one slip away from one that is there is refused, and told which was meant', async () => {
    await using driver = bench.driver();
    await raw().ask('POST', '/collections', { collection: 'invoices', schema: {}, meta: {} });
    try {
      const on = (collection: string): Sample =>
        role(`On ${collection}`, { permissions: [{ on: 'data', collection, verbs: ['read'] }] });
      const steps = ['invocies', 'Invoice', 'invoices', 'notices'].map((name) => stepFor('create', on(name), driver));
      const found = (await driver.preflight?.(steps, never)) ?? [];
      const refusals = found.filter(({ bearable }) => bearable !== true);
      expect(refusals.map(({ key }) => key)).to.deep.equal(['AccessRole/on invocies', 'AccessRole/on invoice']);
      for (const { because, remedy } of refusals) {
        expect(because).to.match(/no collection "(invocies|Invoice)"/);
        expect(remedy).to.include('Did you mean "invoices"?').and.include('make it first');
      }
    } finally {
      await raw().ask('DELETE', '/collections/invoices');
    }
  });

  it('a user who has another role keeps it, and the grant says why it is refused', async () => {
    await using driver = bench.driver();
    const other = (await raw().ask('POST', '/roles', { name: 'Visitors' })) as Row;
    const dora = raw().people.get('dora@example.com') ?? '';
    await raw().ask('PATCH', `/users/${dora}`, { role: other.id });
    await createAll(driver, [CREW]);
    const [refusal] =
      (await driver.preflight?.([stepFor('create', grant('dora-crew', 'crew', 'dora@example.com'), driver)], never)) ??
      [];
    expect(refusal?.because).to.include('Visitors');
  });
}

function role(title: string, spec: JsonObject): Sample {
  return sampleOf('AccessRole', title, { title, permissions: [], ...spec });
}

function grant(title: string, name: string, user: string): Sample {
  return sampleOf('AccessGrant', title, { title, role: name, subjects: [{ user }] });
}

function grantOn(title: string, scope: JsonObject): Sample {
  return sampleOf('AccessGrant', title, { title, role: 'readers', subjects: [{ user: 'alice@example.com' }], scope });
}

function sampleOf(kind: Kind, title: string, spec: JsonObject): Sample {
  return {
    key: `${kind}/${title.toLowerCase()}`,
    kind,
    title,
    spec,
    changed: spec,
    dependsOn: [],
    secrets: {},
    open: [],
  };
}

const READERS = role('Readers', { permissions: [{ on: 'data', collection: 'directus_files', verbs: ['read'] }] });
const CREW = role('Crew', { native: { role: {} } });
