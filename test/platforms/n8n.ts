import { describeDriverContract } from '../drivers/contract.ts';
import { n8nHarness } from '../drivers/n8n/harness.ts';

describeDriverContract('n8n', n8nHarness);
