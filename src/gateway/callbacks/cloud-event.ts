import type { BusEvent } from '../../ledger/bus-event.ts';
import type { JsonObject } from '../../manifest/manifest.ts';

/** What the body of a delivery is called. */
export const CLOUD_EVENT_TYPE = 'application/cloudevents+json; charset=utf-8';

/** An event as a CloudEvent 1.0 in structured JSON mode; `platform` is an extension attribute. */
export function cloudEventOf(event: BusEvent): Buffer {
  return Buffer.from(JSON.stringify(cloudEventJson(event)));
}

/** As `cloudEventOf`, before it is written down. */
export function cloudEventJson(event: BusEvent): JsonObject {
  const { id, source, type, subject, time, platform, data } = event;
  const named = subject === undefined ? {} : { subject };
  const attributes = { specversion: '1.0', id, source, type, ...named, time: new Date(time).toISOString(), platform };
  return { ...attributes, datacontenttype: 'application/json', data };
}
