import { describeKills } from './kills.ts';
import { connectMint, startMint } from './mint-terrain.ts';
import { connectNodeRed, startNodeRed } from './node-red-terrain.ts';

/** Every boundary: `npm run test:crash`. The tests beside this file kill at some of them only. */
describeKills('Mint, which writes one by one', { start: startMint, connect: connectMint });
describeKills('a real Node-RED, which takes whole sets', { start: startNodeRed, connect: connectNodeRed });
