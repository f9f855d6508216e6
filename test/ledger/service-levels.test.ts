import { expect } from 'chai';
import { ReconcilerError } from '../../src/errors.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { level } from '../monitor/levels.ts';
import { stateDirectories } from './samples.ts';

const MINUTE = 60_000;

describe('The register of service levels', () => {
  const directory = stateDirectories();
  let ledger: Ledger;
  let now: number;

  beforeEach(() => {
    now = 1_000;
    ledger = Ledger.open(directory(), { now: () => now });
  });
  afterEach(() => ledger.close());

  const draft = (name: string, platform = 'prod') => ({
    platform,
    name,
    spec: level(name, { objectives: { successRate: '> 99%' } }).spec,
  });
  const create = (name: string, platform?: string) =>
    ledger.serviceLevels.create(draft(name, platform), `id-${platform ?? 'prod'}-${name}`, 'test/orders');
  const codeOf = (work: () => unknown): string | undefined => {
    try {
      work();
    } catch (error) {
      if (error instanceof ReconcilerError) return error.code;
      throw error;
    }
    return undefined;
  };
  const names = (platform?: string) => ledger.serviceLevels.list(platform).map((one) => `${one.platform}/${one.name}`);

  it('changes one only in the version that was looked at, and leaves it as it is otherwise', () => {
    const { id, version } = create('orders');
    now += 1;
    const spec = level('orders', { objectives: { successRate: '> 90%' } }).spec;
    const changed = ledger.serviceLevels.update(id, { ...draft('orders'), spec }, { by: 'test/a', version });
    expect(changed.version).to.not.equal(version);
    expect(changed).to.deep.include({ createdAt: 1_000, changedAt: 1_001, changedBy: 'test/a' });
    const late = () => ledger.serviceLevels.update(id, draft('late'), { by: 'test/b', version });
    expect(codeOf(late)).to.equal('stale');
    expect(ledger.serviceLevels.get(id)).to.deep.equal(changed);
    const absent = () => ledger.serviceLevels.update('nobody', draft('late'), { by: 'test/b', version });
    expect(codeOf(absent)).to.equal('not-found');
  });

  it('removes one only in the version that was looked at', () => {
    const { id, version } = create('orders');
    const { version: newer } = ledger.serviceLevels.update(id, draft('orders'), { by: 'test/a', version });
    expect(codeOf(() => ledger.serviceLevels.remove(id, version))).to.equal('stale');
    expect(names()).to.deep.equal(['prod/orders']);
    expect(ledger.serviceLevels.remove(id, newer)).to.equal(true);
    expect(ledger.serviceLevels.remove(id, newer), 'there is none any more').to.equal(false);
    expect(names()).to.deep.equal([]);
  });

  it('has one of a name on a platform, and one of an id', () => {
    const { id, version } = create('orders');
    create('stock');
    create('orders', 'spare');
    expect(codeOf(() => ledger.serviceLevels.create(draft('orders'), 'another', 'x'))).to.equal('conflict');
    expect(codeOf(() => ledger.serviceLevels.create(draft('other'), id, 'x'))).to.equal('conflict');
    expect(codeOf(() => ledger.serviceLevels.update(id, draft('stock'), { by: 'x', version }))).to.equal('conflict');
    expect(names()).to.have.members(['prod/orders', 'prod/stock', 'spare/orders']);
    expect(names('spare')).to.deep.equal(['spare/orders']);
  });

  it('tells by its generation that somebody has written, and by nothing else', () => {
    const { id, version } = create('orders');
    const before = ledger.serviceLevels.generation;
    ledger.serviceLevels.list();
    ledger.serviceLevels.get(id);
    expect(ledger.serviceLevels.generation).to.equal(before);
    ledger.serviceLevels.update(id, draft('orders'), { by: 'x', version });
    expect(ledger.serviceLevels.generation).to.not.equal(before);
  });

  it('keeps what was counted for one that is renamed, and touches nothing of its namesake on another platform', () => {
    const { id, version } = create('orders');
    create('orders', 'spare');
    const series = (platform: string, name: string) => ({
      platform,
      level: name,
      objective: 'successRate',
      bound: 0,
      object: 'w',
    });
    const { tallies } = ledger;
    tallies.keep([series('prod', 'orders'), series('spare', 'orders')], 0);
    const [one, other] = tallies.all();
    const counts = new Map([
      [one?.id ?? 0, { good: 3, bad: 1, seconds: 0 }],
      [other?.id ?? 0, { good: 5, bad: 0, seconds: 0 }],
    ]);
    tallies.add({ at: MINUTE, counts });
    tallies.judge([{ tally: one?.id ?? 0, state: 'missed', since: MINUTE, revision: 'r1' }]);
    ledger.serviceLevels.update(id, draft('sales'), { by: 'x', version });
    expect(tallies.all().map((tally) => [tally.platform, tally.level, tally.good, tally.bad])).to.deep.equal([
      ['prod', 'sales', 3, 1],
      ['spare', 'orders', 5, 0],
    ]);
    tallies.keep([series('prod', 'sales'), series('spare', 'orders')], 0);
    expect(tallies.since(0).get(one?.id ?? 0), 'and by when').to.deep.include({ good: 3, bad: 1 });
    expect(tallies.verdicts().get(one?.id ?? 0)).to.deep.include({ state: 'missed', revision: 'r1' });
  });
});
