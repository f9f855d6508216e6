import { describeDriverContract } from '../drivers/contract.ts';
import { directusHarness } from '../drivers/directus/contract-harness.ts';
import { VERSIONS } from './versions.ts';

describeDriverContract('directus 11', directusHarness(VERSIONS.directusOpen));
