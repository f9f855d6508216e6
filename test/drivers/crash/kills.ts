import { expect } from 'chai';
import { messageOf } from '../../../src/errors.ts';
import { KillMatrix } from './matrix.ts';
import type { Boundary } from './matrix.ts';
import type { Connect, Terrain } from './terrain.ts';

/** Enough to see what they have in common. */
const MOST_FAILURES = 10;
const POINTS = ['before', 'sent', 'answer'] as const;

interface Kills {
  readonly start: () => Promise<Terrain>;
  readonly connect: Connect;
  /** How many boundaries; all of them when absent. */
  readonly kills?: number;
}

/** Law 6 and law 7, with SIGKILL: at every request boundary of a pass of 50 changes, or at some spread over all of it. */
export function describeKills(name: string, { start, connect, kills }: Kills): void {
  describe(`A pass of 50 changes on ${name}, killed`, function () {
    this.timeout(3_600_000);
    let terrain: Terrain | undefined;
    let matrix: KillMatrix | undefined;
    before(async () => {
      terrain = await start();
      matrix = await KillMatrix.prepare(terrain, connect);
    });
    after(async () => {
      await matrix?.[Symbol.asyncDispose]();
      await terrain?.[Symbol.asyncDispose]();
    });

    it(`at ${kills === undefined ? 'every' : `${kills} of its`} request boundaries, is made whole by the next: nothing lost, nothing twice, nothing written without need`, async () => {
      if (matrix === undefined) throw new Error('the matrix is not prepared');
      const failures: string[] = [];
      for (const boundary of boundaries(matrix.requests, kills)) {
        await matrix.kill(boundary).catch((error: unknown) => failures.push(messageOf(error)));
        if (failures.length >= MOST_FAILURES) break;
      }
      expect(failures).to.deep.equal([]);
    });
  });
}

/** All three points of every request, or some of both in turn. */
function boundaries(requests: number, kills: number | undefined): readonly Boundary[] {
  const all = Array.from({ length: requests }, (_, index) => POINTS.map((at) => ({ request: index + 1, at }))).flat();
  if (kills === undefined) return all;
  const step = all.length / kills;
  return Array.from({ length: kills }, (_, index) => {
    const at = Math.floor((index + 0.5) * step);
    return all[at];
  }).filter((boundary) => boundary !== undefined);
}
