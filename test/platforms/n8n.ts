import { describeDriverContract } from '../drivers/contract.ts';
import { describeKills } from '../drivers/crash/kills.ts';
import { connectToN8n, startN8nTerrain } from '../drivers/crash/n8n-terrain.ts';
import { n8nHarness } from '../drivers/n8n/harness.ts';
import { describeN8n } from '../drivers/n8n/own.ts';

/** A kill and its repairs take some seconds here: a sample, or every request of the pass for whoever has an hour. */
const KILLS = process.env['PLUMBLINE_KILL_EVERYWHERE'] === '1' ? {} : { kills: 2 };

describeDriverContract('n8n', n8nHarness);
describeN8n();
describeKills('a real n8n, which makes its own ids', { start: startN8nTerrain, connect: connectToN8n, ...KILLS });
