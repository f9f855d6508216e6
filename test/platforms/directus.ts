import { describeDriverContract } from '../drivers/contract.ts';
import { describeBehaviour } from '../drivers/directus/behaviour.ts';
import { directusHarness } from '../drivers/directus/contract-harness.ts';
import { describeTemplates } from '../drivers/directus/corpus.ts';
import { describeLicence } from '../drivers/directus/licence.ts';
import { describeLivedIn } from '../drivers/directus/lived-in.ts';
import { describeWatching } from '../drivers/directus/watching.ts';
import { VERSIONS } from './versions.ts';

describeDriverContract('directus 11', directusHarness(VERSIONS.directusOpen));
describeDriverContract('directus 12', directusHarness(VERSIONS.directus));
describeBehaviour(VERSIONS.directusOpen);
describeLicence(VERSIONS.directus);
describeWatching(VERSIONS.directusOpen);
describeLivedIn(VERSIONS.directusOpen);
describeTemplates(VERSIONS.directusOpen);
