import type { DefinitionFormat, JsonValue, RawObject } from '../../manifest/manifest.ts';
import { isObject } from '../../manifest/pointer.ts';
import { slug } from '../../manifest/slug.ts';
import { inspectDefinition } from './inspect.ts';
import { isExport } from './mend.ts';
import { listOf, objectOf, textOf } from './shapes.ts';

/** n8n's own format: what "Download" in the editor, `n8n export:workflow` and the API give. */
export const n8nFormat: DefinitionFormat = {
  name: 'n8n',
  recognizes: (json) => entriesIn(json).length > 0,
  split,
  nodes: (definition) =>
    listOf(objectOf(definition)['nodes']).flatMap((node, index) =>
      isObject(node) ? [{ name: textOf(node['name']) ?? '', pointer: `/nodes/${index}` }] : [],
    ),
  inspect: inspectDefinition,
};

/** Where n8n's API, and what people make of its answers, put the workflow itself. */
const ENVELOPES = ['data', 'workflow'];
/** n8n's template library wraps twice. */
const MAX_WRAPPING = 3;

/** Entries of one workflow, of the list of them that n8n's command line writes, or of an answer of n8n's API; none in other JSON. */
function entriesIn(json: JsonValue, wrapping = 0): readonly JsonValue[] {
  if (isExport(json)) return [json];
  if (wrapping > MAX_WRAPPING) return [];
  if (Array.isArray(json)) {
    const entries = (json as readonly JsonValue[]).map((entry) => [entry, entriesIn(entry, wrapping + 1)] as const);
    // What is no workflow among workflows must not go unnoticed.
    return entries.some(([, found]) => found.length > 0)
      ? entries.flatMap(([entry, found]) => (found.length > 0 ? found : [entry]))
      : [];
  }
  if (!isObject(json)) return [];
  for (const key of ENVELOPES) {
    const found = entriesIn(json[key] ?? null, wrapping + 1);
    const [first] = found;
    const name = json['name'];
    if (found.length === 1 && isObject(first) && textOf(first['name']) === undefined && name !== undefined)
      return [{ ...first, name }];
    if (found.length > 0) return found;
  }
  return [];
}

function split(json: JsonValue, file: string): ReturnType<DefinitionFormat['split']> {
  const entries = entriesIn(json);
  const found = entries.filter(isExport);
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
  const problems = entries.flatMap((entry, index) =>
    isExport(entry)
      ? []
      : [{ message: `Entry ${index + 1} of the list is no n8n workflow.`, remedy: 'Remove it, or download it again.' }],
  );
  if (entries.length === 0) problems.push({ message: 'This is no n8n workflow.', remedy: 'Download it again.' });
  return { objects, problems };
}

function free(wanted: string, taken: Set<string>): string {
  let part = wanted;
  for (let number = 2; taken.has(part); number++) part = `${wanted}-${number}`;
  taken.add(part);
  return part;
}
