import { connectMint } from './mint-terrain.ts';
import { loaderFor, runPass } from './pass.ts';
import type { PassSetting } from './pass.ts';
import type { Connect, Reach } from './terrain.ts';

/** What the parent says once: one pass, to be walked until somebody kills this process. */
export interface Order {
  readonly setting: PassSetting;
  readonly reach: Reach;
}

const CONNECT: Readonly<Record<Reach['terrain'], () => Promise<Connect>>> = {
  directus: async () => (await import('./directus-terrain.ts')).connectToDirectus,
  mint: () => Promise.resolve(connectMint),
  n8n: async () => (await import('./n8n-terrain.ts')).connectToN8n,
  'node-red': async () => (await import('./node-red-terrain.ts')).connectNodeRed,
};

process.once('message', (order: Order) => {
  walk(order).then(
    (result) => process.send?.({ result }, () => process.exit(0)),
    (error: unknown) => process.send?.({ result: `threw ${String(error)}` }, () => process.exit(1)),
  );
});

async function walk({ setting, reach }: Order): Promise<string> {
  const connect = await CONNECT[reach.terrain]();
  await using driver = connect(reach);
  if (driver.format === undefined) throw new Error('the driver has no format of definitions');
  return (await runPass(setting, driver, loaderFor(driver.format))).result;
}
