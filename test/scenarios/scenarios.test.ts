import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import pc from 'picocolors';
import { parse, stringify } from 'yaml';
import { planText } from '../../src/cli/plan-text.ts';
import { openWorkshop, type Workshop } from '../../src/daemon/workshop.ts';
import { call, startOperatorNodeRed, type OperatorNodeRed } from '../drivers/node-red/operator-node-red.ts';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const SCENARIOS = readdirSync(HERE).filter((name) => /^\d{3}-/.test(name));
const COLOURS = pc.createColors(false);

interface Scenario {
  /** The law, as a sentence. */
  readonly about: string;
  /** Terms of the Sync beyond the defaults. */
  readonly sync?: object;
}

/**
 * Each folder is a scenario: `before/` is applied to an empty Node-RED, `after/` is planned, and the plan has to be the text
 * in `plan.txt`. A scenario without one gets what the program says, to be read and committed.
 */
describe('scenarios on a real Node-RED', function () {
  this.timeout(60_000);
  let nodeRed: OperatorNodeRed;
  let folder = '';

  before(async () => {
    nodeRed = await startOperatorNodeRed('{}');
  });
  beforeEach(async () => {
    await call(nodeRed.url, undefined, ['POST', '/flows', []]);
    folder = mkdtempSync(join(tmpdir(), 'plumbline-scenario-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  after(async () => {
    await nodeRed?.stop();
  });

  for (const name of SCENARIOS) {
    const scenario = parse(readFileSync(join(HERE, name, 'scenario.yaml'), 'utf8')) as Scenario;
    it(`${name}: ${scenario.about}`, async () => {
      await using workshop = await open(folder, nodeRed.url, scenario);
      lay(folder, join(HERE, name, 'before'));
      const [applied] = await workshop.operations.apply({ sync: 'scenario' });
      expect(applied?.result, JSON.stringify(applied?.error ?? applied?.problems)).to.equal('applied');

      lay(folder, join(HERE, name, 'after'));
      const [planned] = await workshop.operations.plan({ sync: 'scenario' });
      if (planned === undefined) throw new Error('nothing was planned');
      const text = `${timeless(planText(planned, COLOURS))}\n`;
      const file = join(HERE, name, 'plan.txt');
      if (!existsSync(file)) {
        writeFileSync(file, text);
        throw new Error(`${file} was missing and has been written: read it, and commit it when it is right`);
      }
      expect(text).to.equal(readFileSync(file, 'utf8'));
      await converges(workshop);
    });
  }
});

/** What can be applied is applied, and then there is nothing left to do but what waits for a person. */
async function converges({ operations }: Workshop): Promise<void> {
  const [applied] = await operations.apply({ sync: 'scenario' });
  expect(applied?.outcomes.map(({ status }) => status)).to.not.include('failed');
  const [again] = await operations.plan({ sync: 'scenario' });
  expect(again?.plan?.stages).to.deep.equal([]);
  expect(again?.plan?.withheld.map(({ code }) => code)).to.deep.equal(applied?.plan?.withheld.map(({ code }) => code));
}

function open(folder: string, url: string, { sync = {} }: Scenario): Promise<Workshop> {
  const apiVersion = 'plumbline.dev/v1alpha1';
  const platform = { apiVersion, kind: 'Platform', metadata: { name: 'node-red' }, spec: { driver: 'node-red', url } };
  const terms = { source: { folder: { path: 'source' } }, platform: 'node-red', ...sync };
  const configPath = join(folder, 'plumbline.yaml');
  mkdirSync(join(folder, 'source'));
  writeFileSync(
    configPath,
    `${stringify(platform)}---\n${stringify({ apiVersion, kind: 'Sync', metadata: { name: 'scenario' }, spec: terms })}`,
  );
  return openWorkshop({
    configPath,
    stateDir: join(folder, 'state'),
    installation: 'scenarios',
    version: '0.0.0',
    environment: {},
    logFormat: 'json',
    logLevel: 'error',
  });
}

/** Makes the source hold exactly what a folder holds. */
function lay(folder: string, from: string): void {
  const source = join(folder, 'source');
  for (const name of readdirSync(source)) rmSync(join(source, name), { recursive: true });
  cpSync(from, source, { recursive: true });
}

/** Without what differs from run to run. */
function timeless(text: string): string {
  return text
    .replace(/^(\S+ on \S+ {2})\S+/, '$1REVISION')
    .replaceAll(/(allow-deletions=)\S+(?=")/g, '$1REVISION')
    .replaceAll(/Fingerprint [0-9a-f]+\./g, 'Fingerprint ….');
}
