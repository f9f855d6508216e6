import { createHash } from 'node:crypto';
import type { KnownBy, Situation, Telling } from './situations.ts';
import { occurrencesOf, situationsOf } from './situations.ts';
import type { PassReport } from './pass-report.ts';

/** What was told and still stands, by situation. Plain data, so that it outlives the process. */
export type Told = Readonly<
  Record<string, { readonly digest: string; readonly knownBy: KnownBy; readonly key?: string }>
>;

/**
 * The events of one pass: what happened in it, situations that are new or have changed since they were told, and
 * recoveries. An unchanged situation is told once, however often it is looked at.
 */
export function eventsOf(report: PassReport, told: Told): { readonly events: readonly Telling[]; readonly told: Told } {
  const occurrences = occurrencesOf(report);
  const settled = new Set(occurrences.flatMap(({ key }) => (key === undefined ? [] : [key])));
  const standing = new Map<string, Told[string]>();
  const events: Telling[] = [...occurrences];
  for (const situation of situationsOf(report)) {
    const digest = digestOf(situation);
    const { id, knownBy, key, ...rest } = situation;
    standing.set(id, { digest, knownBy, ...(key === undefined ? {} : { key }) });
    if (told[id]?.digest !== digest) events.push({ ...rest, ...(key === undefined ? {} : { key }) });
  }
  const over: string[] = [];
  for (const [id, before] of Object.entries(told)) {
    if (standing.has(id)) continue;
    if (couldTell(report, before) || (before.key !== undefined && settled.has(before.key as never))) over.push(id);
    else standing.set(id, before);
  }
  events.push(...recoveries(over, standing));
  return { events, told: Object.fromEntries(standing) };
}

/** Whether this pass looked at what the situation is about, so that its absence from the report means that it is over. */
function couldTell(report: PassReport, { knownBy }: Told[string]): boolean {
  if (knownBy === 'pass') return report.error === undefined;
  if (knownBy === 'source') return report.revision !== undefined;
  // Problems are those of the whole source even when a pass looks at a few objects.
  if (knownBy === 'manifest') return report.revision !== undefined && report.error === undefined;
  return report.plan !== undefined && report.look === 'full' && report.error === undefined;
}

function recoveries(over: readonly string[], standing: ReadonlyMap<string, unknown>): readonly Telling[] {
  const events: Telling[] = [];
  if (over.includes('error')) events.push({ type: 'recovered', message: 'Passes run to their end again.' });
  if (over.includes('stale'))
    events.push({ type: 'recovered', message: 'The source is read again; the newest revision is served.' });
  const isProblem = (id: string): boolean => id.startsWith('problem');
  if (over.some(isProblem) && ![...standing.keys()].some(isProblem)) {
    events.push({ type: 'recovered', message: 'The source has no problems any more.' });
  }
  return events;
}

function digestOf({ type, message, paths }: Situation): string {
  return createHash('sha256')
    .update(JSON.stringify([type, message, paths]))
    .digest('base64url')
    .slice(0, 16);
}
