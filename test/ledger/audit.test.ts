import { expect } from 'chai';
import { Audit } from '../../src/ledger/audit.ts';
import type { AuditRecord } from '../../src/ledger/audit.ts';
import { connect, Database } from '../../src/ledger/database.ts';
import { join } from 'node:path';
import { stateDirectories } from './samples.ts';

const CALL: AuditRecord = {
  at: 1000,
  refused: false,
  times: 1,
  method: 'GET',
  route: '/status',
  status: 200,
  address: '127.0.0.1',
};
const FULL = { ...CALL, token: 't', name: 'n', platform: 'p', workflow: 'w', correlation: 'c' };

describe('The audit in the ledger', () => {
  const stateDirectory = stateDirectories();
  const open = (): Database => {
    const file = join(stateDirectory(), 'ledger.db');
    return new Database(connect(file), file);
  };

  it('keeps what it was told and gives it back, newest first, by token, platform, outcome and page', () => {
    const database = open();
    const audit = new Audit(database);
    audit.add([FULL, { ...CALL, refused: true, status: 401, times: 7 }]);
    audit.add([{ ...CALL, token: 'u' }]);
    const bare = (query = {}): unknown[] => audit.list(query).map(({ id: _id, ...record }) => record);
    expect(bare()).to.deep.equal([{ ...CALL, token: 'u' }, { ...CALL, refused: true, status: 401, times: 7 }, FULL]);
    expect(bare({ token: 't' })).to.deep.equal([FULL]);
    expect(bare({ platform: 'p' })).to.deep.equal([FULL]);
    expect(bare({ refused: true })).to.have.lengthOf(1);
    const [newest] = audit.list({ limit: 1 });
    expect(bare({ before: newest?.id, limit: 1 })).to.deep.equal([{ ...CALL, refused: true, status: 401, times: 7 }]);
    database.close();
  });

  it('is bounded, and refused calls push out refused calls only', () => {
    const database = open();
    const audit = new Audit(database, { calls: 20, refused: 10 });
    audit.add([FULL]);
    for (let count = 0; count < 50; count += 1) audit.add([{ ...CALL, refused: true, at: count }]);
    expect(audit.list({ limit: 1000 }).map(({ at }) => at)).to.deep.equal([
      49,
      48,
      47,
      46,
      45,
      44,
      43,
      42,
      41,
      40,
      FULL.at,
    ]);
    for (let count = 0; count < 50; count += 1) audit.add([{ ...CALL, at: count }]);
    expect(audit.list({ refused: false, limit: 1000 })).to.have.lengthOf(20);
    expect(audit.list({ refused: true, limit: 1000 })).to.have.lengthOf(10);
    database.close();
  });
});
