import { describeDriverContract } from '../contract.ts';
import { nodeRedHarness } from './contract-harness.ts';

describeDriverContract('Node-RED', nodeRedHarness);
