import { describeKills } from './kills.ts';
import { connectMint, startMint } from './mint-terrain.ts';

describeKills('Mint, which writes one by one', { start: startMint, connect: connectMint, kills: 3 });
