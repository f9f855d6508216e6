import { describeDriverContract } from '../drivers/contract.ts';
import { connectToDirectus, startDirectusTerrain } from '../drivers/crash/directus-terrain.ts';
import { describeKills } from '../drivers/crash/kills.ts';
import { describeBehaviour } from '../drivers/directus/behaviour.ts';
import { directusHarness } from '../drivers/directus/contract-harness.ts';
import { describeTemplates } from '../drivers/directus/corpus.ts';
import { describeLicence } from '../drivers/directus/licence.ts';
import { describeLivedIn } from '../drivers/directus/lived-in.ts';
import { describeSample } from '../drivers/directus/sample.ts';
import { describeWatching } from '../drivers/directus/watching.ts';
import { VERSIONS } from './versions.ts';

/** A kill and its repairs take some seconds here: a sample, or every request of the pass for whoever has an hour. */
const KILLS = process.env['PLUMBLINE_KILL_EVERYWHERE'] === '1' ? {} : { kills: 2 };

describeDriverContract('directus 11', directusHarness(VERSIONS.directusOpen));
describeDriverContract('directus 12', directusHarness(VERSIONS.directus));
describeBehaviour(VERSIONS.directusOpen);
describeLicence(VERSIONS.directus);
describeWatching(VERSIONS.directusOpen);
describeLivedIn(VERSIONS.directusOpen);
describeTemplates(VERSIONS.directusOpen);
describeSample(VERSIONS.directusOpen);
describeKills('a real Directus, which takes arrays', {
  start: startDirectusTerrain,
  connect: connectToDirectus,
  ...KILLS,
});
