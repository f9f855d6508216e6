import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Ledger } from '../../src/ledger/ledger.ts';
import { failed, RUNS } from './counting-life.ts';

describe('runs are counted exactly', function () {
  this.timeout(120_000);
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'plumbline-counting-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** One life, killed after it has shown so many pages; to its end when none is given. */
  const life = async (hours: number, pages?: number): Promise<readonly number[][]> => {
    const child = spawn(
      process.execPath,
      [join(import.meta.dirname, 'counting-life.ts'), 'live', folder, String(hours)],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (pages !== undefined && said.split('\n').length > pages) child.kill('SIGKILL');
    });
    await new Promise((resolve) => child.once('close', resolve));
    return said
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as number[]);
  };

  it(`over ${RUNS} of them, ten kills, and clocks that jump by a year in either direction`, async () => {
    const clocks = [0, 5, -24, 8760, -8760, 1, 0, 400, -3, 26];
    const shown: number[][] = [];
    for (const [index, hours] of clocks.entries()) shown.push(...(await life(hours, 3 + ((index * 11) % 23))));
    shown.push(...(await life(0)));
    const bad = Array.from({ length: RUNS }, (_, index) => index).filter(failed).length;
    expect(shown.at(-1)).to.deep.equal([RUNS - bad, bad, RUNS - bad, bad]);
    for (const [index, counts] of shown.entries()) {
      const before = shown[index - 1] ?? [0, 0, 0, 0];
      // A scraper that sees a counter fall takes all of it for new.
      expect(
        counts.every((count, which) => count >= (before[which] ?? 0)),
        `${before.join()} then ${counts.join()}`,
      ).to.equal(true);
      expect(counts.slice(0, 2), 'both families tell the same').to.deep.equal(counts.slice(2));
    }
    using ledger = Ledger.open(folder);
    const [tally] = ledger.tallies.all();
    expect([tally?.good, tally?.bad]).to.deep.equal([RUNS - bad, bad]);
    expect(ledger.tallies.runs().map(({ result, count }) => [result, count])).to.have.deep.members([
      ['success', RUNS - bad],
      ['error', bad],
    ]);
  });
});
