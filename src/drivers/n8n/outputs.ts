import type { JsonObject, Kind } from '../../manifest/manifest.ts';
import type { OutputNames, Outputs } from '../../manifest/output-reference.ts';

import type { Connection } from '../driver.ts';
import { below, webhookNames, webhookUrls } from '../outputs.ts';
import { objectOf, objectsOf, textOf } from './shapes.ts';
import { isWebhook, webhookCall } from './webhook-call.ts';

export const OUTPUTS = {
  Workflow: {
    id: "n8n's id of the workflow",
    url: 'where it is edited',
    ...webhookNames('production URL', 'webhook node'),
  },
} satisfies OutputNames;

/** What others may use of a workflow with this content. */
export function outputsOf(kind: Kind, content: JsonObject, { url, publicUrl = url }: Connection): Outputs {
  if (kind !== 'Workflow') return {};
  const entries = objectsOf(objectOf(content['definition'])['nodes']).flatMap((node) => {
    const call = isWebhook(node) ? webhookCall(node) : undefined;
    if (call === undefined || 'why' in call) return [];
    const parts = Object.values(call.params);
    const path = parts.map(encodeURIComponent).join('/');
    return [{ words: [textOf(node['name']) ?? parts.join('/')], url: below(publicUrl, `webhook/${path}`) }];
  });
  return { id: ['', ''], url: [below(publicUrl, 'workflow/'), ''], ...webhookUrls(entries) };
}
