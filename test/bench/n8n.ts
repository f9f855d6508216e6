import { readdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { JsonObject, JsonValue } from '../../src/manifest/manifest.ts';
import type { PassReport } from '../../src/report/pass-report.ts';
import { N8nClient } from '../drivers/n8n/client.ts';
import { N8nDesk, changesIn, troubles } from '../drivers/n8n/desk.ts';
import { startN8n } from '../drivers/n8n/server.ts';

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
  /** Milliseconds of the first pass, and of its apply step alone. */
  readonly cold: number;
  readonly applying: number;
  /** Milliseconds that a hand-written client took for the same creates, four at a time. */
  readonly bare: number;
  /** Milliseconds and requests of a pass that finds nothing to do. */
  readonly quiet: number;
  readonly quietRequests: readonly string[];
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
  await using desk = new N8nDesk(server, {
    folder: corpus,
    onRequest: ({ method, route }) => void requests.push(`${method} ${route}`),
  });
  const client = new N8nClient(server.url, server.apiKey);
  const first = await desk.pass();
  const rows = files.map((file) => rowOf(file, first));
  for (const row of rows.toSorted((a, b) => (a.file < b.file ? -1 : 1))) print(row);
  const second = await desk.pass('plan');
  requests.length = 0;
  const begin = performance.now();
  const third = await desk.pass();
  const quiet = performance.now() - begin;
  const left = [...new Set([...changesIn(second), ...changesIn(third)])];
  const bodies = (await client.list('workflows')).map(bodyOf);
  await client.clear();
  const figures: CorpusFigures = {
    files: files.length,
    accepted: rows.filter(({ accepted }) => accepted).length,
    left,
    cold: first.endedAt - first.startedAt,
    applying: first.durations['apply'] ?? 0,
    bare: await createBare(client, bodies),
    quiet,
    quietRequests: requests,
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
  const { files, accepted, left, cold, applying, bare, quiet, quietRequests } = figures;
  const ms = (value: number): string => `${value.toFixed(0)} ms`;
  console.log(
    `\n${accepted} of ${files} accepted; a second plan finds ${left.length} changes ${left.slice(0, 5).join(', ')}`,
  );
  console.log(
    `cold pass ${ms(cold)}, of it applying ${ms(applying)}; bare requests ${ms(bare)} (${(applying / bare).toFixed(2)} x)`,
  );
  console.log(`quiet pass ${ms(quiet)}, requests: ${quietRequests.join(', ')}`);
}
