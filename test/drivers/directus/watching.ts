import { expect } from 'chai';
import { Desk, type Running } from '../../cli/binary.ts';
import { contentFrom } from './desk.ts';
import { RawDirectus } from './raw-directus.ts';
import { ADMIN_TOKEN, type DirectusVersion } from './server.ts';

/** The next look by the clock is an hour away: what happens before was seen through the websocket. */
const configuration = (url: string, dir: string): string =>
  contentFrom(url, `${dir}/flows`, 'interval: 1h, gracePeriod: 0s');
const FLOW = `
apiVersion: plumbline.dev/v1alpha1
kind: Workflow
metadata: {name: greet}
spec:
  title: Greet
  definition:
    trigger: webhook
    icon: bolt
    operation: say
    operations: [{key: say, type: log, options: {message: hello}}]
`;

/** A daemon beside a Directus in which people work. */
export function describeWatching(version: DirectusVersion): void {
  describe(`A daemon beside a real Directus ${version}`, function () {
    this.timeout(300_000);
    let raw: RawDirectus;
    let daemon: Running | undefined;
    const desk = new Desk({ DIRECTUS_TOKEN: ADMIN_TOKEN });
    before(async () => {
      raw = await RawDirectus.start(version);
    });
    after(async () => {
      daemon?.child.kill('SIGTERM');
      await daemon?.exit();
      desk.remove();
      await raw?.[Symbol.asyncDispose]();
    });

    it('sees what they edit at once, and does so again after the server was restarted', async () => {
      desk.write('plumbline.yaml', configuration(raw.url, desk.dir));
      desk.write('flows/greet.yaml', FLOW);
      await desk.commit('flows', 'Greet');
      const running = desk.start('start', '--listen', '127.0.0.1:0', '--listen-hooks', '127.0.0.1:0');
      daemon = running;
      const icon = async (): Promise<unknown> => (await raw.rows('flows'))[0]?.['icon'];
      await running.until('the flow', async () => (await icon()) === 'bolt');
      const [flow] = await raw.rows('flows');
      const edited = async (): Promise<number> => {
        await raw.ask('PATCH', `/flows/${flow?.id ?? ''}`, { icon: 'star' });
        const begin = performance.now();
        await running.until('the edit undone', async () => (await icon()) === 'bolt');
        return Math.round(performance.now() - begin);
      };
      const took = [await edited(), await edited()];
      await raw.server.restart();
      // The first is found by the look that follows a new connection, the second through that connection.
      took.push(await edited(), await edited());
      console.log(
        `      undone after ${took.slice(0, 2).join(' and ')} ms; after a restart ${took.slice(2).join(' and ')} ms`,
      );
      expect((await raw.rows('flows')).length).to.equal(1);
    });
  });
}
