import { expect } from 'chai';
import { messageOf } from '../../../src/errors.ts';
import type { HoldPoint } from '../fault-rules.ts';
import { KillMatrix } from './matrix.ts';
import type { Connect, Terrain } from './terrain.ts';

/** Enough to see what they have in common. */
const MOST_FAILURES = 10;
const POINTS = ['before', 'sent', 'answer'] as const;

interface Kills {
  readonly start: () => Promise<Terrain>;
  readonly connect: Connect;
  /** At how many requests, for each point; at every one when absent. */
  readonly kills?: number;
}

/** Law 6 and law 7, with SIGKILL: at every request boundary of a pass of 50 changes, or at some spread over all of it. */
export function describeKills(name: string, { start, connect, kills }: Kills): void {
  describe(`A pass of many changes on ${name}, killed`, function () {
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

    const which = kills === undefined ? 'every request' : `${kills} of its requests`;
    for (const at of POINTS) {
      it(`${WORDS[at]} (${which}), is made whole by the next: nothing lost, nothing twice, nothing written without need`, async () => {
        if (matrix === undefined) throw new Error('the matrix is not prepared');
        const failures: string[] = [];
        for (const request of requestsOf(matrix.requests, kills, at)) {
          await matrix.kill({ request, at }).catch((error: unknown) => failures.push(messageOf(error)));
          if (failures.length >= MOST_FAILURES) break;
        }
        expect(failures).to.deep.equal([]);
      });
    }
  });
}

const WORDS: Readonly<Record<HoldPoint, string>> = {
  before: 'before a request is sent',
  sent: 'once a request is sent',
  answer: 'before an answer arrives',
};

/** All requests of a pass, or some spread over all of it, others at each point. */
function requestsOf(requests: number, kills: number | undefined, at: HoldPoint): readonly number[] {
  if (kills === undefined) return Array.from({ length: requests }, (_, index) => index + 1);
  const shift = (POINTS.indexOf(at) + 0.5) / POINTS.length;
  return Array.from({ length: kills }, (_, index) => 1 + Math.floor(((index + shift) * requests) / kills));
}
