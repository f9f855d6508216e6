// A process of its own for the crash tests: writes intents and outcomes as fast as it can, and says each step on
// stdout after the ledger has returned. Runs until it is killed.
import { writeSync } from 'node:fs';
import { Ledger } from '../../src/ledger/ledger.ts';
import { copy, intent, owned, SCOPE } from './samples.ts';

const [directory = '', first = '0'] = process.argv.slice(2);
const ledger = Ledger.open(directory);
const journal = ledger.journal(SCOPE);
const say = (line: string): void => {
  writeSync(1, `${line}\n`);
};
say('open');
for (let n = Number(first); ; n++) {
  const keys = [`Workflow/w${n}-a`, `Workflow/w${n}-b`, `Workflow/w${n}-c`] as const;
  journal.intend(keys.map((key) => intent(key, { key })));
  say(`intended ${n}`);
  const [id] = journal.archive([copy(keys[0], { n, text: 'x'.repeat(2000) })]);
  say(`archived ${n} ${id}`);
  journal.settleAll(keys.map((key) => ({ intent: key, result: { owned: owned(key) } })));
  say(`settled ${n}`);
}
