import type { JsonObject } from '../../../src/manifest/manifest.ts';
import type { PassReport } from '../../../src/report/pass-report.ts';

/** A secret that must be found nowhere. */
export const CANARY = 'CANARY/whsec+4711';

/** A manifest. */
export function hook(spec: JsonObject = {}, name = 'on-call'): JsonObject {
  const own = { title: 'On call', event: 'workflow.failed', url: 'https://oncall.example/hook', ...spec };
  return { kind: 'Webhook', metadata: { name }, spec: own };
}

export const SECRET = { secret: { valueFrom: { env: 'HOOK_SECRET' } } };
export const WORKFLOW = { kind: 'Workflow', metadata: { name: 'w' }, spec: { definition: { steps: [] } } };
export const BY_HAND = {
  platform: 'mint',
  event: 'workflow.failed',
  url: 'https://oncall.example/hook',
  active: true,
  by: 'token/ci',
};

export const changes = (report: PassReport): string[] =>
  report.outcomes.map(({ status, change }) => `${change.verb} ${change.key} (${change.cause}): ${status}`);
export const withheld = (report: PassReport): string[] =>
  (report.plan?.withheld ?? []).map(({ change, code }) => `${change.verb} ${change.key}: ${code}`);
