import { N8nClient } from './client.ts';
import { describeInstances } from './instances.ts';
import { describePackages } from './packages.ts';
import { describeReferences } from './references.ts';
import type { Ground } from './references.ts';
import { describeRuns } from './runs.ts';
import { startN8n } from './server.ts';
import type { N8nServer } from './server.ts';
import { describeTrials } from './trials.ts';
import { describeWorkflows } from './workflows.ts';

/** What only n8n has to be held to, in whole passes on one real server. */
export function describeN8n(): void {
  describe('On a real n8n:', function () {
    this.timeout(60_000);
    let server: N8nServer | undefined;
    let client: N8nClient | undefined;
    before(async function () {
      this.timeout(600_000);
      server = await startN8n();
      client = new N8nClient(server.url, server.apiKey);
    });
    after(() => server?.stop());
    const ground: Ground = { server: () => present(server), client: () => present(client) };
    describe('references', () => describeReferences(ground));
    describe('workflows', () => describeWorkflows(ground));
    describe('packages', () => describePackages(ground));
    describe('runs', () => describeRuns(ground));
    describe('credentials', () => describeTrials(ground));
    describe('instances', () => describeInstances(ground));
  });
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the server did not start');
  return value;
}
