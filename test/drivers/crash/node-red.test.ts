import { describeKills } from './kills.ts';
import { connectNodeRed, startNodeRed } from './node-red-terrain.ts';

describeKills('a real Node-RED, which takes whole sets', { start: startNodeRed, connect: connectNodeRed, kills: 2 });
