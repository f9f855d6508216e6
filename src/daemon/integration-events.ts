import { createHash } from 'node:crypto';
import type { RegisteredIntegration } from '../drivers/integration-register.ts';
import type { EventHandler } from '../gateway/bus/handler.ts';
import { cloudEventJson } from '../gateway/callbacks/cloud-event.ts';
import type { IntegrationRunner } from '../integrations/integration-runner.ts';
import type { BusEvent } from '../ledger/bus-event.ts';
import { matchesEvent } from '../manifest/event-pattern.ts';
import { askHolders } from './holders.ts';
import type { Engine } from './engine.ts';

/**
 * Integrations that run on events of their platform. An event is handed over once the run that it asks for is written down. Where
 * another replica holds the platform, that one is woken, and what the event says stays here.
 */
export function integrationHandlers(engine: Engine, runner: IntegrationRunner): readonly EventHandler[] {
  return engine.parts.ledger.integrations.list().flatMap((one) => {
    const { events = [] } = one.runs;
    return events.length === 0 ? [] : [handlerOf(one, events, { engine, runner })];
  });
}

function handlerOf(
  { platform, name }: RegisteredIntegration,
  events: readonly string[],
  { engine, runner }: { readonly engine: Engine; readonly runner: IntegrationRunner },
): EventHandler {
  return {
    kind: 'integration',
    name: `${platform}/${name}`,
    wants: (event) => event.platform === platform && events.some((pattern) => matchesEvent(pattern, event.type)),
    handle: async (event) => {
      if (engine.holds(platform)) {
        runner.wish({ platform, name }, wordOf(event), { by: 'event', event: cloudEventJson(event) });
      } else await askHolders(engine, [platform], `integration/${platform}/${name}`);
    },
  };
}

/** The same event, told twice, asks for one run. */
function wordOf({ source, id }: BusEvent): string {
  return createHash('sha256')
    .update(JSON.stringify([source, id]))
    .digest('hex')
    .slice(0, 32);
}
