import { expect } from 'chai';
import type { Key } from '../../src/manifest/manifest.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { copy, SCOPE, stateDirectories } from './samples.ts';

/** Text that hardly compresses, so that sizes mean something. */
function noise(length: number, seed: number): string {
  let state = seed + 1;
  return Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return String.fromCharCode(33 + ((state >>> 24) % 90));
  }).join('');
}

describe('The archive', () => {
  const stateDirectory = stateDirectories();
  const orders: Key = 'Workflow/orders';

  it('gives back what was kept, found by the id that people type, by object or by Sync, newest first', () => {
    const directory = stateDirectory();
    const ledger = Ledger.open(directory, { now: () => 5000 });
    const entry = copy(orders, { nodes: [{ id: 1, name: 'ünïcode' }] }, { changedBy: 'bob', changedAt: 4000 });
    const ids = ledger.journal(SCOPE).archive([entry, copy('Workflow/b', { b: 1 })]);
    const [elsewhere] = ledger.journal({ ...SCOPE, sync: 'crm' }).archive([copy(orders, { c: 1 })]);
    ledger.close();
    using again = Ledger.open(directory);
    expect([...ids, elsewhere]).to.deep.equal(['a1', 'a2', 'a3']);
    const [found] = again.archived({ id: 'a1' });
    const { value, ...told } = entry;
    expect(found).to.deep.include({ ...told, ...SCOPE, id: 'a1', archivedAt: 5000 });
    expect(found?.value()).to.deep.equal(value);
    const idsOf = (query: Parameters<Ledger['archived']>[0]): unknown => again.archived(query).map(({ id }) => id);
    expect(idsOf({ key: orders })).to.deep.equal(['a3', 'a1']);
    expect(idsOf({ sync: 'orders' })).to.deep.equal(['a2', 'a1']);
    expect(idsOf({ sync: 'orders', key: orders, limit: 1 })).to.deep.equal(['a1']);
    expect([idsOf({ id: 'A2' }), idsOf({ id: 'a9' }), idsOf({ id: 'nonsense' })]).to.deep.equal([['a2'], [], []]);
  });

  it('keeps at least the ten newest copies of each object', () => {
    using ledger = Ledger.open(stateDirectory(), { limits: { archive: { perKey: 3 } } });
    const journal = ledger.journal(SCOPE);
    journal.archive([copy('Workflow/b', { only: 1 })]);
    for (let n = 0; n < 15; n++) journal.archive([copy(orders, { n })]);
    expect(ledger.archived({ key: orders }).map((kept) => kept.value()['n'])).to.deep.equal([
      14, 13, 12, 11, 10, 9, 8, 7, 6, 5,
    ]);
    expect(ledger.archived({ key: 'Workflow/b' })).to.have.length(1);
  });

  it('drops the oldest beyond its size, but never the newest copy of an object', () => {
    using ledger = Ledger.open(stateDirectory(), { limits: { archive: { bytes: 20_000 } } });
    const journal = ledger.journal(SCOPE);
    journal.archive([copy('Workflow/rare', { text: noise(5000, 99) })]);
    for (let n = 0; n < 9; n++) journal.archive([copy(orders, { n, text: noise(5000, n) })]);
    const kept = ledger.archived();
    expect(kept.reduce((sum, { size }) => sum + size, 0)).to.be.within(10_000, 20_000);
    expect(kept[0]?.value()['n'], 'the newest stays').to.equal(8);
    expect(kept.at(-1)?.key, 'the only copy of an object stays, although it is the oldest').to.equal('Workflow/rare');
    journal.archive([copy('Workflow/huge', { text: noise(60_000, 7) })]);
    expect(ledger.archived().map(({ key }) => key)).to.deep.equal(['Workflow/huge', orders, 'Workflow/rare']);
    const [gone] = kept.slice(1);
    expect(() => gone?.value())
      .to.throw('not kept any more')
      .with.property('code', 'archive-gone');
  });

  it('keeps the same content once, so that an edit made over and over does not push others out', () => {
    using ledger = Ledger.open(stateDirectory());
    const journal = ledger.journal(SCOPE);
    journal.archive([copy(orders, { hotfix: true }, { changedBy: 'alice' })]);
    const ids = Array.from(
      { length: 30 },
      () => journal.archive([copy(orders, { loop: true }, { changedBy: 'a script' })])[0],
    );
    expect(new Set(ids).size).to.equal(1);
    expect(ledger.archived({ key: orders }).map(({ changedBy }) => changedBy)).to.deep.equal(['a script', 'alice']);
    const [other] = journal.archive([copy(orders, { loop: true }, { remote: 'r-2' })]);
    expect(other, 'another object of the same content is another copy').to.not.equal(ids[0]);
  });
});
