import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { Key } from '../../src/manifest/manifest.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { SCOPE, stateDirectories } from './samples.ts';

const WRITER = fileURLToPath(new URL('crash-writer.ts', import.meta.url));

/** Runs the writer and kills it with SIGKILL once it has said `lines` lines; it runs on while that is noticed. */
async function writeUntilKilled(directory: string, first: number, lines: number): Promise<readonly string[]> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', WRITER, directory, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.setEncoding('utf8');
  child.stdout.on('data', (chunk: string) => {
    said += chunk;
    if (said.split('\n').length > lines) child.kill('SIGKILL');
  });
  const signal = await new Promise((resolve) => child.once('close', (_, signal) => resolve(signal)));
  expect(signal, 'the writer ends only because it is killed').to.equal('SIGKILL');
  return said.split('\n').slice(0, said.endsWith('\n') ? -1 : undefined);
}

function keysOf(n: number): readonly Key[] {
  return [`Workflow/w${n}-a`, `Workflow/w${n}-b`, `Workflow/w${n}-c`];
}

/** Everything that was said before the kill stands, and every batch stands whole or not at all. */
function verify(ledger: Ledger, said: readonly string[], { from, until }: { from: number; until: number }): void {
  const view = ledger.view(SCOPE);
  const open = new Set(view.intents.map((intent) => intent.key));
  for (let n = from; n <= until; n++) {
    const opened = keysOf(n).filter((key) => open.has(key)).length;
    const settled = keysOf(n).filter((key) => view.owned.has(key)).length;
    expect([opened, settled], `batch ${n} is whole`).to.deep.be.oneOf([
      [0, 0],
      [3, 0],
      [0, 3],
    ]);
    if (said.includes(`intended ${n}`)) expect(opened + settled, `intents of batch ${n} are there`).to.equal(3);
    if (said.includes(`settled ${n}`)) expect(settled, `ownership of batch ${n} is there`).to.equal(3);
  }
  for (const line of said.filter((line) => line.startsWith('archived'))) {
    const [, n = '', id = ''] = line.split(' ');
    expect(ledger.archived({ id })[0]?.value(), `the copy ${id} is there`).to.include({ n: Number(n) });
  }
}

describe('A writer killed with SIGKILL', () => {
  const stateDirectory = stateDirectories();

  it('leaves every intent, outcome and copy that the ledger had acknowledged, no batch torn, and no lock', async () => {
    const directory = stateDirectory();
    const said: string[] = [];
    let next = 0;
    for (const lines of [2, 3, 4, 5, 17, 120, 333]) {
      said.push(...(await writeUntilKilled(directory, next, lines)));
      using ledger = Ledger.open(directory);
      expect(ledger.recovery, 'a crash is not damage').to.equal(undefined);
      const last = Math.max(next, ...said.map((line) => Number(line.split(' ')[1] ?? 0)));
      verify(ledger, said, { from: next, until: last + 1 });
      // Batches whose outcome is unknown are done, so that the next writer begins with none.
      ledger.journal(SCOPE).record(ledger.view(SCOPE).intents.map(({ id }) => ({ record: 'settled', intent: id })));
      expect(ledger.view(SCOPE).intents).to.deep.equal([]);
      said.splice(0);
      next = last + 2;
    }
  });
});
