import { describeDriverContract } from '../drivers/contract.ts';
import { n8nHarness } from '../drivers/n8n/harness.ts';
import { describeN8n } from '../drivers/n8n/own.ts';

describeDriverContract('n8n', n8nHarness);
describeN8n();
