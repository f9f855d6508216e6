import { expect } from 'chai';
import { killAgainAndAgain } from '../../bench/events-kill.ts';

describe('The bus in a process that is killed', () => {
  it('hands on every event that it acknowledged, in order of each subject, and what comes twice is known by its id', async () => {
    // Few objects and a receiver that takes its time: two events of one object at once would come out of order.
    const crowd = { senders: 16, subjectsEach: 1 };
    const figures = await killAgainAndAgain({ events: 2000, kills: 2, patience: 90_000, crowd, jitter: 4 });
    expect(figures).to.deep.include({ lost: 0, wrong: [], kills: 2 });
    expect(figures.lives, 'it was killed as often as it should').to.have.lengthOf(3);
  }).timeout(150_000);
});
