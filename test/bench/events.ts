import { parseArgs } from 'node:util';
import { killAgainAndAgain } from './events-kill.ts';
import { SECRET, send, Service } from './events-run.ts';

/**
 * Measures the event bus: `node test/bench/events.ts [--events 100000] [--kills 10]`. Prints one line of JSON; ends with 1
 * when an acknowledged event was lost, or came out of order.
 */
async function main(events: number, kills: number): Promise<void> {
  const barePerSecond = await bare(Math.max(1000, Math.floor(events / 5)));
  const undisturbed = await killAgainAndAgain({
    events: Math.max(1000, Math.floor(events / 5)),
    kills: 0,
    patience: 600_000,
  });
  const figures = await killAgainAndAgain({ events, kills, patience: 600_000 });
  const ratio = Math.round((undisturbed.acceptedPerSecond / barePerSecond) * 100) / 100;
  const rates = {
    barePerSecond,
    undisturbedAcceptedPerSecond: undisturbed.acceptedPerSecond,
    undisturbedHandledPerSecond: undisturbed.handledPerSecond,
    ratio,
  };
  console.log(JSON.stringify({ benchmark: 'events', ...rates, ...figures, wrong: figures.wrong.length }));
  if (figures.lost > 0 || figures.wrong.length > 0) process.exitCode = 1;
}

/** Requests a second that an HTTP server answers to the same senders when it does nothing. */
async function bare(events: number): Promise<number> {
  await using service = new Service({ kind: 'bare', directory: '', port: 0, secret: SECRET, callback: '' });
  await service.start();
  const begin = performance.now();
  await send(events, () => service.port);
  return Math.round((events / (performance.now() - begin)) * 1000);
}

const { values } = parseArgs({
  options: { events: { type: 'string', default: '100000' }, kills: { type: 'string', default: '10' } },
});
await main(Number(values.events), Number(values.kills));
