import { messageOf } from '../errors.ts';
import type { Problem } from '../errors.ts';
import { driverNamed } from '../drivers/index.ts';
import type { Platform } from '../manifest/platform.ts';
import { didYouMean } from '../manifest/suggest.ts';
import type { Sync } from '../manifest/sync.ts';
import type { Entry } from './configuration.ts';
import { platformsOf } from './targets.ts';

/** Adds what is wrong between documents: names that nothing has, drivers that do not exist, Syncs that wait for each other. */
export function crossCheck(
  platforms: ReadonlyMap<string, Entry<Platform>>,
  syncs: ReadonlyMap<string, Entry<Sync>>,
  problems: Problem[],
): void {
  for (const entry of platforms.values()) checkPlatform(entry, problems);
  const documents = new Map([...platforms].map(([name, { document }]) => [name, document]));
  for (const [name, entry] of syncs) {
    checkPlatformOf(entry, documents, problems);
    checkNames(name, entry, syncs, problems);
  }
}

function checkPlatform({ document, problem }: Entry<Platform>, problems: Problem[]): void {
  const { driver, hosted } = document.spec;
  try {
    driverNamed(driver);
  } catch (error) {
    const remedy = error instanceof Error && 'remedy' in error ? String(error.remedy) : '';
    problems.push(problem(['spec', 'driver'], messageOf(error), remedy));
  }
  if (hosted !== undefined && driver !== 'node-red') {
    problems.push(
      problem(
        ['spec', 'hosted'],
        `Plumbline cannot host a ${driver} itself.`,
        'Give spec.url instead, or use the driver node-red.',
      ),
    );
  }
}

function checkPlatformOf(
  { document, problem }: Entry<Sync>,
  platforms: ReadonlyMap<string, Platform>,
  problems: Problem[],
): void {
  const { platform } = document.spec;
  const known = [...platforms.keys()];
  if (platform !== undefined && !platforms.has(platform)) {
    const remedy = didYouMean(
      platform,
      known,
      known.length === 0 ? 'Add a Platform document.' : `There are ${known.join(', ')}.`,
    );
    problems.push(problem(['spec', 'platform'], `there is no Platform named ${platform}.`, remedy));
  } else if (platformsOf(document, platforms).length === 0) {
    problems.push(
      problem(
        ['spec', 'platformSelector'],
        'no Platform has these labels: the Sync does nothing.',
        'Label a Platform so, or correct the selector.',
        'warning',
      ),
    );
  }
}

function checkNames(
  name: string,
  { document, problem }: Entry<Sync>,
  syncs: ReadonlyMap<string, Entry<Sync>>,
  problems: Problem[],
): void {
  for (const [index, needed] of document.spec.dependsOn.entries()) {
    if (syncs.has(needed)) continue;
    problems.push(
      problem(
        ['spec', 'dependsOn', String(index)],
        `there is no Sync named ${needed}.`,
        didYouMean(needed, [...syncs.keys()], 'Correct the name, or remove it.'),
      ),
    );
  }
  const cycle = cycleFrom(name, syncs);
  if (cycle !== undefined) {
    problems.push(
      problem(
        ['spec', 'dependsOn'],
        `Syncs wait for each other: ${cycle.join(' → ')}.`,
        'Remove one of these dependencies.',
      ),
    );
  }
  for (const former of document.spec.previousNames) {
    if (!syncs.has(former)) continue;
    problems.push(
      problem(
        ['spec', 'previousNames'],
        `there is a Sync named ${former} still: both would own the same objects.`,
        `Remove the Sync ${former}, or this former name.`,
      ),
    );
  }
}

/** The way from a Sync back to itself along `dependsOn`, if there is one. */
function cycleFrom(start: string, syncs: ReadonlyMap<string, Entry<Sync>>): readonly string[] | undefined {
  const seen = new Set<string>();
  const ways: (readonly string[])[] = [[start]];
  for (let way = ways.shift(); way !== undefined; way = ways.shift()) {
    for (const next of syncs.get(way.at(-1) ?? '')?.document.spec.dependsOn ?? []) {
      if (next === start) return [...way, next];
      if (seen.has(next)) continue;
      seen.add(next);
      ways.push([...way, next]);
    }
  }
  return undefined;
}
