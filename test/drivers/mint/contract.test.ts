import { describeDriverContract } from '../contract.ts';
import { mintHarness } from './harness.ts';

describeDriverContract('Mint', mintHarness);
