import { cpuOf } from './targets.ts';
import type { Figures, Target } from './targets.ts';

/** What a person reads: one line per kind of pass. */
export function passTable(figures: Figures): string {
  const rows = Object.values(figures.answers).flatMap(({ measured, peak }) =>
    measured.map(({ pass, requests, cost, bare }) => [
      pass,
      String(requests),
      ms(cost.wall),
      ms(bare.wall),
      ms(cpuOf(cost)),
      ms(cost.children),
      ms(cpuOf(bare)),
      peak.toFixed(0),
    ]),
  );
  const head = ['pass', 'requests', 'wall ms', 'bare', 'CPU ms', 'of it git', 'bare', 'peak MB'];
  return `\n${figures.platform}, ${figures.objects} objects\n${aligned([head, ...rows])}`;
}

export function targetTable(targets: readonly Target[]): string {
  const rows = targets.map(({ target, limit, measured, unit, met }) => [
    met ? 'met' : 'MISSED',
    target,
    `${measured} ${unit}`,
    `at most ${limit} ${unit}`,
  ]);
  return `${aligned(rows)}\n`;
}

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd())
    .join('\n');
}

function ms(value: number): string {
  return value < 10 ? value.toFixed(1) : value.toFixed(0);
}
