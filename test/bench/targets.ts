import type { Cost } from './measure.ts';
import type { Answer, Measured, Scenario } from './scenario.ts';

/** What was measured of one platform at one size. */
export interface Figures {
  readonly platform: 'memory' | 'node-red';
  readonly objects: number;
  readonly answers: Readonly<Record<Scenario, Answer>>;
}

export interface Target {
  readonly target: string;
  readonly limit: number;
  readonly measured: number;
  readonly unit: string;
  readonly met: boolean;
}

/** All CPU that a pass caused, git included. */
export function cpuOf({ cpu, children }: Cost): number {
  return cpu + children;
}

export function passIn({ answers }: Figures, scenario: Scenario): Measured {
  const found = answers[scenario].measured.find(({ pass }) => pass === scenario);
  if (found === undefined) throw new Error(`there is no ${scenario} pass`);
  return found;
}

/** The targets of one platform; `few` are the figures of a small repository on the same one. */
export function targetsOf(figures: Figures, few: Figures | undefined): readonly Target[] {
  const { objects, answers } = figures;
  const cold = passIn(figures, 'cold');
  const quiet = passIn(figures, 'quiet');
  const peak = Math.max(...Object.values(answers).map((answer) => answer.peak));
  const targets = [
    atMost('CPU that a cold pass adds, per object', 2, (cpuOf(cold.cost) - cpuOf(cold.bare)) / objects, 'ms'),
    atMost('CPU of a quiet pass', 2000, cpuOf(quiet.cost), 'ms'),
    atMost('requests of a quiet pass beyond the listing', 0, quiet.requests - listing(figures), ''),
    atMost('peak memory', 300, peak, 'MB'),
  ];
  if (few === undefined) return targets;
  const [many, one] = [passIn(figures, 'commit').cost, passIn(few, 'commit').cost];
  return [
    ...targets,
    atMost(`CPU of a one-file commit, times that among ${few.objects}`, 3, cpuOf(many) / cpuOf(one), '×'),
    atMost(`wall time of a one-file commit, times that among ${few.objects}`, 3, many.wall / one.wall, '×'),
  ];
}

/** Requests that one listing takes: pages of a hundred and the empty one that ends them, or the one that lists all flows. */
function listing({ platform, objects }: Figures): number {
  return platform === 'memory' ? Math.ceil(objects / 100) + 1 : 1;
}

function atMost(target: string, limit: number, measured: number, unit: string): Target {
  const rounded = Math.round(measured * 100) / 100;
  return { target, limit, measured: rounded, unit, met: rounded <= limit };
}
