import { readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { JsonObject, JsonValue } from '../../src/manifest/manifest.ts';
import type { PassReport } from '../../src/report/pass-report.ts';
import { N8nClient } from '../drivers/n8n/client.ts';
import { N8nDesk, changesIn, troubles } from '../drivers/n8n/desk.ts';
import { startN8n } from '../drivers/n8n/server.ts';
import { importByCommand } from './n8n-import.ts';
import type { Imported } from './n8n-import.ts';

/** How often applying and bare requests are compared. */
const TURNS = 3;

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
  /** Milliseconds that applying took on an empty server, and a hand-written client for the same creates, four at a time. */
  readonly turns: readonly { readonly applying: number; readonly bare: number }[];
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
  const deskAt = (): N8nDesk =>
    new N8nDesk(server, {
      folder: corpus,
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
  // The first creates after a start take longer than all later ones: they are not compared. Then turn by turn, others use the machine too.
  const turns: { readonly applying: number; readonly bare: number }[] = [];
  for (let turn = 0; turn < TURNS; turn++) {
    await client.clear();
    const bare = await createBare(client, bodies);
    await client.clear();
    await using again = deskAt();
    turns.push({ bare, applying: (await again.pass()).durations['apply'] ?? 0 });
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
  for (const { applying, bare } of turns)
    console.log(`applying ${ms(applying)}, bare requests ${ms(bare)}: ${(applying / bare).toFixed(2)} x`);
  console.log(`quiet pass ${ms(quiet)}, requests: ${quietRequests.join(', ')}`);
  const line = (tool: string, of: object): void => console.log(JSON.stringify({ bench: 'n8n', tool, files, ...of }));
  const best = (of: 'applying' | 'bare'): number => Math.round(Math.min(...turns.map((turn) => turn[of])));
  line('plumbline', { accepted, milliseconds: best('applying') });
  line('bare requests, four at a time', { accepted, milliseconds: best('bare') });
  for (const [what, { imported, took, said }] of Object.entries(command))
    line(`n8n import:workflow, ${what} files`, {
      accepted: imported,
      milliseconds: Math.round(took),
      ...(said === undefined ? {} : { said }),
    });
}
