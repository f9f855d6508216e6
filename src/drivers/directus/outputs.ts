import type { JsonObject, Kind } from '../../manifest/manifest.ts';
import type { OutputNames, Outputs } from '../../manifest/output-reference.ts';

import type { Connection } from '../driver.ts';
import { below } from '../outputs.ts';
import { objectOf } from './json.ts';

export const OUTPUTS = {
  Workflow: {
    id: "Directus' id of the flow",
    url: 'where it is edited',
    webhookUrl: 'URL that sets it off, where its trigger is a webhook',
  },
} satisfies OutputNames;

/** What others may use of a flow with this content. */
export function outputsOf(kind: Kind, content: JsonObject, { url, publicUrl = url }: Connection): Outputs {
  if (kind !== 'Workflow') return {};
  const isCalled = objectOf(content['definition'])['trigger'] === 'webhook';
  return {
    id: ['', ''],
    url: [below(publicUrl, 'admin/settings/flows/'), ''],
    ...(isCalled ? { webhookUrl: [below(publicUrl, 'flows/trigger/'), ''] as const } : {}),
  };
}
