import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import type { PassReport } from '../../../src/report/pass-report.ts';
import { observe } from '../contract-steps.ts';
import { N8nDesk, changesIn, troubles } from './desk.ts';
import type { N8nServer } from './server.ts';

/** Of the exports that people keep, at most this part may be more than can be mended. */
const REFUSABLE = 3 / 248;

/** What is said of JSON that nobody has a use for. */
const NO_EXPORT = /no export that the platform knows/;

/** What became of one file of raw exports. */
export interface Fate {
  readonly file: string;
  /** Why it was refused; empty when it was not. */
  readonly refused: readonly string[];
  /** What was left out or changed so that n8n takes it. */
  readonly mended: readonly string[];
}

/** Exports that people keep, where PLUMBLINE_CORPUS names a folder with them (`n8n/*.json`). */
export function describeCorpus(here: () => N8nServer, there: () => N8nServer): void {
  const folder = join(process.env['PLUMBLINE_CORPUS'] ?? '', 'n8n');
  if (!existsSync(folder)) {
    it.skip('a corpus goes from one instance to another (left out: PLUMBLINE_CORPUS names no folder with n8n/*.json)');
    return;
  }
  it('a corpus of exports, applied here, exported and applied there, is the same (printed file by file)', async function () {
    this.timeout(1_200_000);
    const fates = await carryOver(here(), there(), folder);
    const refused = fates.filter((fate) => fate.refused.length > 0);
    console.log(`        ${fates.length} files of ${folder}: ${fates.length - refused.length} accepted`);
    expect(refused.length / fates.length).to.be.at.most(REFUSABLE);
  });
}

/**
 * Applies a folder of raw exports to one n8n, exports it from there, and applies that to another, which has to be the same then.
 * Both have to be empty. Prints and returns what became of each file; n8n itself must refuse none that Plumbline took.
 */
export async function carryOver(here: N8nServer, there: N8nServer, folder: string): Promise<readonly Fate[]> {
  await using raw = new N8nDesk(here, { folder });
  const first = await raw.pass();
  const fates = fatesOf(folder, first);
  for (const { file, refused, mended } of fates) {
    console.log(`        ${refused.length > 0 ? 'REFUSED ' : mended.length > 0 ? 'mended  ' : 'accepted'} ${file}`);
    for (const line of refused.length > 0 ? refused : mended) console.log(`          ${line}`);
  }
  expect(first.error).to.equal(undefined);
  expect(
    first.outcomes.filter(({ status }) => status !== 'applied').map(({ change }) => change.key),
    'n8n takes all that Plumbline does',
  ).to.deep.equal([]);
  expect(first.outcomes.length, 'every file that is not refused is written').to.be.at.least(
    fates.filter(({ refused }) => refused.length === 0).length,
  );
  expect(changesIn(await raw.pass('plan')), 'planned again').to.deep.equal([]);

  await using origin = new N8nDesk(here);
  const written = await origin.export();
  await using copy = new N8nDesk(there);
  for (const file of written) copy.write(file, origin.read(file));
  expect(troubles(await copy.pass()), 'applied to the second').to.deep.equal([]);
  expect(changesIn(await copy.pass('plan')), 'planned again there').to.deep.equal([]);
  const [one, other] = [await contents(raw), await contents(copy)];
  expect([...other.keys()]).to.have.members([...one.keys()]);
  for (const [key, value] of one) expect(other.get(key), key).to.deep.equal(value);
  await using again = new N8nDesk(there);
  expect((await again.export()).toSorted()).to.deep.equal(written.toSorted());
  for (const file of written) expect(again.read(file), file).to.equal(origin.read(file));
  return fates;
}

/** Everything that is on an n8n, as it is compared, by kind and name. */
async function contents({ driver }: N8nDesk): Promise<ReadonlyMap<string, unknown>> {
  const { objects } = await observe(driver);
  return new Map(objects.map(({ kind, title, marker, value }) => [marker?.key ?? `${kind} "${title}"`, value]));
}

function fatesOf(folder: string, { problems, plan, outcomes }: PassReport): readonly Fate[] {
  const files = readdirSync(folder, { recursive: true }).map(String);
  const why = [
    ...problems
      .filter(({ severity, message }) => severity === 'error' || NO_EXPORT.test(message))
      .map(({ origin, message, remedy }) => ({ file: origin.file, line: `${message} ${remedy}` })),
    ...(plan?.withheld ?? []).map(({ change, because }) => ({ file: change.origin?.file, line: because })),
    ...outcomes.flatMap((outcome) => {
      if (outcome.status === 'applied') return [];
      const line = outcome.status === 'failed' ? outcome.error.message : outcome.because;
      return [{ file: outcome.change.origin?.file, line }];
    }),
  ];
  return files
    .filter((file) => file.endsWith('.json'))
    .toSorted()
    .map((file) => ({
      file,
      refused: why.filter((one) => one.file === file).map(({ line }) => line),
      mended: problems
        .filter(({ origin, severity }) => origin.file === file && severity === 'warning')
        .map(({ message }) => message),
    }));
}
