import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import type { JsonObject } from '../../manifest/manifest.ts';
import { isObject } from '../../manifest/pointer.ts';
import { objectOf, objectsOf } from './shapes.ts';

/** A workflow that is to be created: the id it gets, and what POST would be sent. */
export interface Packed {
  readonly id: string;
  readonly body: JsonObject;
}

/** What a package says of a node (spec/serialized/workflow.schema, 2.40.5); n8n drops everything else without a word. */
const NODE: ReadonlySet<string> = new Set(
  (
    'id name type typeVersion position parameters credentials disabled notes notesInFlow continueOnFail retryOnFail ' +
    'maxTries waitBetweenTries alwaysOutputData executeOnce onError webhookId'
  ).split(' '),
);
/** Without one of these a node makes n8n refuse the whole package. */
const NEEDED = ['id', 'name', 'type', 'typeVersion'] as const;

/** Whether nothing of a workflow would be lost in a package, or make n8n refuse it. */
export function fitsPackage({ name, nodes, nodeGroups, pinData }: JsonObject): boolean {
  // It has no place for pinned data, and groups that n8n would refuse it drops.
  const plain = name !== '' && nodeGroups === undefined && pinData === undefined;
  return plain && objectsOf(nodes).every(nodeFits);
}

function nodeFits(node: JsonObject): boolean {
  const whole = Object.keys(node).every((key) => NODE.has(key)) && NEEDED.every((key) => (node[key] ?? '') !== '');
  const credentials = Object.values(objectOf(node['credentials']));
  return (
    whole && credentials.every((one) => isObject(one) && one['id'] !== undefined && typeof one['name'] === 'string')
  );
}

/**
 * A package of new workflows, none of which is published: a tar archive whose first file is the manifest. It requires nothing, so
 * that n8n makes no credentials, tables or tags for it.
 */
export async function packageOf(workflows: readonly Packed[], at: Date): Promise<Buffer> {
  const archive = pack();
  const add = (name: string, content: JsonObject): void => void archive.entry({ name }, JSON.stringify(content));
  add('manifest.json', {
    packageFormatVersion: '1',
    exportedAt: at.toISOString(),
    sourceN8nVersion: 'none',
    sourceId: 'plumbline',
    workflows: workflows.map(({ id, body }) => ({ id, name: body['name'] ?? '', target: folderOf(id) })),
  });
  for (const { id, body } of workflows) {
    add(`${folderOf(id)}/workflow.json`, { ...body, id, versionId: id, parentFolderId: null, isArchived: false });
    add(`${folderOf(id)}/workflow-metadata.json`, { publishedVersionId: null });
  }
  archive.finalize();
  return buffer(archive);
}

function folderOf(id: string): string {
  return `workflows/${id}`;
}
