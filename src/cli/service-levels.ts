import type { ServiceLevelStatus } from '../monitor/status.ts';
import type { Context } from './context.ts';
import { shortRevision } from './plan-text.ts';
import { ago, table } from './table.ts';

/** How the objectives stand, the bad ones first. */
export function levelsText(levels: readonly ServiceLevelStatus[], { colours }: Pick<Context, 'colours'>): string {
  const now = Date.now();
  const colour: Readonly<Record<ServiceLevelStatus['state'], (text: string) => string>> = {
    missed: colours.red,
    burning: colours.red,
    met: colours.green,
    few: colours.dim,
    'no-data': colours.dim,
  };
  const order = Object.keys(colour);
  const rows = levels
    .toSorted((a, b) => order.indexOf(a.state) - order.indexOf(b.state))
    .map((one) => [
      one.serviceLevel,
      one.platform,
      one.object,
      one.objective,
      one.target,
      valueText(one),
      one.budgetLeft === undefined ? '' : percent(one.budgetLeft),
      `${one.bad}/${one.good + one.bad}`,
      colour[one.state](one.state),
      ago(one.since, now),
      one.revision === undefined ? '' : shortRevision(one.revision),
    ]);
  return table(
    [
      'SERVICE LEVEL',
      'PLATFORM',
      'OBJECT',
      'OBJECTIVE',
      'TARGET',
      'NOW',
      'BUDGET LEFT',
      'BAD',
      'STATE',
      'SINCE',
      'COMMIT',
    ],
    rows,
  );
}

function valueText({ now, unit }: ServiceLevelStatus): string {
  if (now === undefined) return '';
  return unit === 'share' ? percent(now) : `${Number(now.toPrecision(3))}s`;
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(4))}%`;
}
