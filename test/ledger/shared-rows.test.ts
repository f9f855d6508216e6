import { expect } from 'chai';
import { Ledger } from '../../src/ledger/ledger.ts';
import { succeededCursor } from '../../src/ledger/shared-rows.ts';
import { toldIn } from '../../src/ledger/told-rows.ts';
import { intent, owned, SCOPE, stateDirectories } from './samples.ts';

const OUTPUTS = { webhookUrl: 'https://orders.example/hook' };
const PLATFORM = { sync: '', platform: SCOPE.platform };

describe('What replicas share of their ledgers', () => {
  const stateDirectory = stateDirectories();

  const written = (): Ledger => {
    const ledger = Ledger.open(stateDirectory());
    ledger.journal(SCOPE).record([
      { record: 'own', owned: owned('Workflow/orders', { outputs: OUTPUTS }) },
      { record: 'own', owned: owned('Integration/crm') },
    ]);
    ledger.journal(SCOPE).intend([intent('i1')]);
    ledger.setCursor(succeededCursor(SCOPE), 'settings');
    ledger.setCursor(succeededCursor({ ...SCOPE, platform: 'automation-2' }), 'elsewhere');
    return ledger;
  };

  it('is all that a successor knows: outputs too, and what has succeeded', () => {
    using ledger = written();
    using successor = Ledger.open(stateDirectory());
    for (const scope of [SCOPE, PLATFORM]) successor.shared.add(JSON.parse(JSON.stringify(ledger.shared.rows(scope))));
    expect(successor.view(SCOPE)).to.deep.equal(ledger.view(SCOPE));
    expect(successor.owners.outputs(SCOPE, 'Workflow/orders')).to.deep.equal(OUTPUTS);
    expect(successor.cursor(succeededCursor(SCOPE))).to.equal('settings');
    expect(successor.cursor(succeededCursor({ ...SCOPE, platform: 'automation-2' }))).to.equal(undefined);
    for (const scope of [SCOPE, PLATFORM])
      expect(successor.shared.rows(scope)).to.deep.equal(ledger.shared.rows(scope));
  });

  it('is told to those who do not write there as far as they use it', () => {
    using ledger = written();
    expect(toldIn(JSON.stringify(ledger.shared.rows(SCOPE)))).to.deep.equal({
      outputs: new Map([['Workflow/orders', OUTPUTS]]),
      succeeded: new Map(),
    });
    expect(toldIn(JSON.stringify(ledger.shared.rows(PLATFORM)))).to.deep.equal({
      outputs: new Map(),
      succeeded: new Map([[SCOPE.sync, 'settings']]),
    });
    expect(toldIn('no rows')).to.deep.equal({ outputs: new Map(), succeeded: new Map() });
  });

  it('is taken over from an older plumbline, which told of no outputs, and by one', () => {
    using ledger = written();
    using successor = Ledger.open(stateDirectory());
    const { output: _, ...older } = ledger.shared.rows(SCOPE);
    successor.shared.add({ ...older, unheardOf: [['a']] });
    expect(successor.owners.outputs(SCOPE, 'Workflow/orders')).to.equal('unknown');
    // Columns that it does not know would have it leave the row out, and with it all that no marker on the platform tells.
    expect(ledger.shared.rows(SCOPE)['owned']?.[0]).to.have.length(14);
  });
});
