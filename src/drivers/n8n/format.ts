import type { DefinitionFormat, JsonObject, JsonValue, RawObject } from '../../manifest/manifest.ts';
import { isObject } from '../../manifest/pointer.ts';
import { slug } from '../../manifest/slug.ts';
import { inspectDefinition } from './inspect.ts';
import { isExport } from './mend.ts';
import { objectOf, objectsOf, textOf } from './shapes.ts';

/** n8n's own format: what "Download" in the editor, `n8n export:workflow` and the API give. */
export const n8nFormat: DefinitionFormat = {
  name: 'n8n',
  recognizes: (json) => exportsIn(json).length > 0,
  split,
  nodes: (definition) =>
    objectsOf(objectOf(definition)['nodes']).map((node, index) => ({
      name: textOf(node['name']) ?? '',
      pointer: `/nodes/${index}`,
    })),
  inspect: inspectDefinition,
};

/** One workflow, or the list of them that n8n's command line writes. */
function exportsIn(json: JsonValue): readonly JsonObject[] {
  if (isExport(json)) return [json];
  if (!Array.isArray(json)) return [];
  const list = json as readonly JsonValue[];
  return list.every(isExport) ? list : [];
}

function split(json: JsonValue, file: string): ReturnType<DefinitionFormat['split']> {
  const found = exportsIn(json);
  const parts = new Set<string>();
  const objects = found.map((workflow): RawObject => {
    const title = textOf(workflow['name']) ?? file;
    const { name: _name, id: _id, active: _active, ...definition } = workflow;
    return {
      kind: 'Workflow',
      part: found.length === 1 ? '' : free(slug(title), parts),
      title,
      spec: { title, definition },
      needs: [],
    };
  });
  const problems =
    isObject(json) || found.length > 0 ? [] : [{ message: 'This is no n8n workflow.', remedy: 'Download it again.' }];
  return { objects, problems };
}

function free(wanted: string, taken: Set<string>): string {
  let part = wanted;
  for (let number = 2; taken.has(part); number++) part = `${wanted}-${number}`;
  taken.add(part);
  return part;
}
