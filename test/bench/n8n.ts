import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { parseArgs } from 'node:util';
import type { JsonObject, JsonValue } from '../../src/manifest/manifest.ts';
import type { PassReport } from '../../src/report/pass-report.ts';
import { N8nClient } from '../drivers/n8n/client.ts';
import { N8nDesk, changesIn, troubles } from '../drivers/n8n/desk.ts';
import { startN8n } from '../drivers/n8n/server.ts';
import { load, median, rested } from './measure.ts';
import { importByCommand } from './n8n-import.ts';
import type { Imported } from './n8n-import.ts';

/** Turns in which each is measured once, the order turning round; the first does not count, of the others the median does. */
const TURNS = 5;
const BOUND = 1.15;
/** Ways in which the same workflows are created. */
const WAYS = ['bare', 'applying', 'inPackages'] as const;

/** Milliseconds on an empty server at rest: a hand-written client, four at a time; a first pass; one that may use packages. */
type Turn = Readonly<Record<(typeof WAYS)[number], number>>;

/** What became of one file of the corpus. */
interface Row {
  readonly file: string;
  readonly accepted: boolean;
  readonly warnings: number;
  readonly why: string;
}

/** Figures of a run over a corpus. */
export interface CorpusFigures {
  readonly files: number;
  readonly accepted: number;
  /** Changes that a second plan finds; none is what law 1 wants. */
  readonly left: readonly string[];
  readonly turns: readonly Turn[];
  /** Milliseconds and requests of a pass that finds nothing to do. */
  readonly quiet: number;
  readonly quietRequests: readonly string[];
  /** The same by n8n's own `import:workflow`: the files as they are, and as n8n takes them. */
  readonly command: { readonly raw: Imported; readonly cleaned: Imported };
}

/**
 * Applies a folder of raw n8n exports to a real n8n, plans again, and tells file by file what became of it. Then the same creates by
 * bare requests. `--corpus FOLDER` names the folder.
 */
export async function benchN8n(args: readonly string[]): Promise<CorpusFigures> {
  const { values } = parseArgs({ args: [...args], options: { corpus: { type: 'string' } } });
  const { corpus } = values;
  if (corpus === undefined) throw new Error('Name a folder of n8n exports: npm run bench -- n8n --corpus FOLDER');
  const files = readdirSync(corpus, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith('.json'));
  console.error(`n8n: ${files.length} files of ${corpus}`);
  await using server = await startN8n();
  const requests: string[] = [];
  const client = new N8nClient(server.url, server.apiKey);
  const deskAt = (beta: readonly string[] = []): N8nDesk =>
    new N8nDesk(server, {
      folder: corpus,
      beta,
      onRequest: ({ method, route }) => void requests.push(`${method} ${route}`),
    });
  await using desk = deskAt();
  const first = await desk.pass();
  const rows = files.map((file) => rowOf(file, first));
  for (const row of rows.toSorted((a, b) => (a.file < b.file ? -1 : 1))) print(row);
  const left = changesIn(await desk.pass('plan'));
  requests.length = 0;
  const begin = performance.now();
  await desk.pass();
  const quiet = performance.now() - begin;
  const quietRequests = [...requests];
  const bodies = (await client.list('workflows')).map(bodyOf);
  const applied = async (beta: readonly string[]): Promise<number> => {
    await using one = deskAt(beta);
    const { startedAt, endedAt, result } = await one.pass();
    if (result === 'failed') throw new Error('a pass failed');
    return endedAt - startedAt;
  };
  const measures = {
    bare: () => createBare(client, bodies),
    applying: () => applied([]),
    inPackages: () => applied(['package-import']),
  };
  const turns: Turn[] = [];
  for (let turn = 0; turn < TURNS; turn++) {
    const took: Partial<Record<keyof Turn, number>> = {};
    for (const way of turn % 2 === 0 ? WAYS : WAYS.toReversed()) {
      emptied(server.folder);
      await rested(server.pid);
      took[way] = await measures[way]();
    }
    const { bare = 0, applying = 0, inPackages = 0 } = took;
    turns.push({ bare, applying, inPackages });
  }
  const command = await importByCommand(resolve(corpus), bodies);
  const figures: CorpusFigures = {
    files: files.length,
    accepted: rows.filter(({ accepted }) => accepted).length,
    left,
    turns,
    quiet,
    quietRequests,
    command,
  };
  report(figures);
  return figures;
}

function rowOf(file: string, pass: PassReport): Row {
  const problems = pass.problems.filter(({ origin }) => origin.file === file);
  const errors = problems.filter(({ severity }) => severity === 'error');
  const own = (origin: { readonly file: string } | undefined): boolean => origin?.file === file;
  const withheld = (pass.plan?.withheld ?? []).filter(({ change }) => own(change.origin));
  const outcomes = pass.outcomes.filter(({ change }) => own(change.origin));
  const why = [
    ...errors.map(({ message }) => message),
    ...withheld.map(({ because }) => because),
    ...outcomes.flatMap((outcome) =>
      outcome.status === 'failed' ? [outcome.error.message] : outcome.status === 'skipped' ? [outcome.because] : [],
    ),
  ];
  const accepted = why.length === 0 && outcomes.some(({ status }) => status === 'applied');
  const first = problems[0]?.message ?? '';
  const told = accepted ? first : why.join(' | ') || troubles(pass)[0] || 'nothing became of it';
  return { file, accepted, warnings: problems.length - errors.length, why: told };
}

function print({ file, accepted, warnings, why }: Row): void {
  const mended = warnings === 0 ? '' : `${warnings} mended, the first: `;
  console.log(`${accepted ? 'accepted' : 'REFUSED '} ${file}${why === '' ? '' : `: ${accepted ? mended : ''}${why}`}`);
}

function bodyOf({ name, nodes, connections, settings }: JsonObject): JsonObject {
  return { name: name ?? '', nodes: nodes ?? [], connections: connections ?? {}, settings: settings ?? {} };
}

/** Takes all workflows out of n8n's database: by its API that would take longer than what is measured. */
function emptied(folder: string): void {
  const database = new DatabaseSync(join(folder, '.n8n', 'database.sqlite'), { timeout: 10_000 });
  try {
    database.exec('PRAGMA foreign_keys = ON; DELETE FROM workflow_entity;');
  } finally {
    database.close();
  }
}

async function createBare(client: N8nClient, bodies: readonly JsonValue[]): Promise<number> {
  const queue = [...bodies];
  const begin = performance.now();
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      for (let body = queue.shift(); body !== undefined; body = queue.shift())
        await client.call('POST', '/workflows', body);
    }),
  );
  return performance.now() - begin;
}

function report(figures: CorpusFigures): void {
  const { files, accepted, left, turns, quiet, quietRequests, command } = figures;
  const ms = (value: number): string => `${value.toFixed(0)} ms`;
  const found = left.length === 0 ? 'nothing to do' : left.slice(0, 5).join(', ');
  console.log(`\n${accepted} of ${files} accepted; a second plan finds ${found}`);
  const counted = turns.slice(1);
  for (const turn of turns)
    console.log(WAYS.map((way) => `${way} ${ms(turn[way])} (${(turn[way] / turn.bare).toFixed(2)} x)`).join(', '));
  const ratio = (way: keyof Turn): number => median(counted.map((turn) => turn[way] / turn.bare));
  const [one, packages] = [ratio('applying'), ratio('inPackages')];
  console.log(
    `a first pass takes ${one.toFixed(2)} x what bare requests take (bound ${BOUND} ${one <= BOUND ? 'met' : 'MISSED'}), in packages ${packages.toFixed(2)} x (${packages < 1 ? 'ahead' : 'NOT ahead'}); load ${load()}`,
  );
  console.log(`quiet pass ${ms(quiet)}, requests: ${quietRequests.join(', ')}`);
  const line = (tool: string, of: object): void => console.log(JSON.stringify({ bench: 'n8n', tool, files, ...of }));
  const typical = (of: keyof Turn): number => Math.round(median(counted.map((turn) => turn[of])));
  line('plumbline', { accepted, milliseconds: typical('applying') });
  line('plumbline, in packages', { accepted, milliseconds: typical('inPackages') });
  line('bare requests, four at a time', { accepted, milliseconds: typical('bare') });
  for (const [what, { imported, took, said }] of Object.entries(command))
    line(`n8n import:workflow, ${what} files`, {
      accepted: imported,
      milliseconds: Math.round(took),
      ...(said === undefined ? {} : { said }),
    });
}
