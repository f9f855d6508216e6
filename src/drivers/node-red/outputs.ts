import type { JsonObject, Kind } from '../../manifest/manifest.ts';
import type { OutputNames, Outputs } from '../../manifest/output-reference.ts';

import type { Connection } from '../driver.ts';
import { below, type NamedUrl, webhookNames, webhookUrls } from '../outputs.ts';
import type { Hello } from './addon-client.ts';
import { addressOf, endpointUrl } from './entry-url.ts';
import { entriesOf, textOf } from './raw.ts';

export const OUTPUTS = {
  Workflow: {
    id: "Node-RED's id of the tab",
    url: 'where it is edited',
    ...webhookNames('URL', 'http in node'),
  },
} satisfies OutputNames;

/** Where endpoints of flows are served; `false` when they are not. */
export interface NodeRoot {
  readonly httpNodeRoot: string | false;
  readonly httpAdminRoot?: string | false;
}

/** The add-on tells it, else the settings that every editor is given. */
export function nodeRootOf(
  hello: Hello | undefined,
  settings: { readonly httpNodeRoot?: string | undefined },
): NodeRoot {
  const { httpAdminRoot } = hello ?? {};
  return {
    httpNodeRoot: hello?.httpNodeRoot ?? settings.httpNodeRoot ?? '/',
    ...(httpAdminRoot === undefined ? {} : { httpAdminRoot }),
  };
}

/** What others may use of a workflow with this content. `rootOf` is asked only where there are endpoints. */
export async function outputsOf(
  kind: Kind,
  content: JsonObject,
  { connection, rootOf }: { readonly connection: Connection; readonly rootOf: () => Promise<NodeRoot> },
): Promise<Outputs> {
  if (kind !== 'Workflow') return {};
  const { url, publicUrl } = connection;
  const entries = (entriesOf(content['definition'] ?? []) ?? []).filter(
    (node) => node.type === 'http in' && node['d'] !== true && textOf(node, 'url') !== undefined,
  );
  const root = entries.length === 0 ? undefined : await rootOf();
  const named = entries.flatMap((node): NamedUrl[] => {
    const route = textOf(node, 'url') ?? '';
    const address = addressOf(route, {});
    if (root === undefined || 'because' in address || root.httpNodeRoot === false) return [];
    const whole =
      publicUrl === undefined
        ? endpointUrl(url, { ...root, httpNodeRoot: root.httpNodeRoot }, address.path).href
        : below(publicUrl, `${root.httpNodeRoot}${address.path}`.replace(/\/{2,}/g, '/').slice(1));
    return [{ words: [textOf(node, 'name') ?? '', route].filter((word) => word !== ''), url: whole }];
  });
  return { id: ['', ''], url: [`${below(publicUrl ?? url, '')}#flow/`, ''], ...webhookUrls(named) };
}
