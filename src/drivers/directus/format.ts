import type { DefinitionFormat, JsonObject, JsonValue, RawObject } from '../../manifest/manifest.ts';
import { slug } from '../../manifest/slug.ts';
import { inspectFlow } from './flow-check.ts';
import { labelled } from './flow-definition.ts';
import { objectOf, objectsOf, textOf, without } from './json.ts';
import { flowOf, flowsIn, renameFlows, tokenFor } from './references.ts';

type Split = ReturnType<DefinitionFormat['split']>;

/** What a raw flow says of its own instance, or what has a field of its own in a manifest. */
const INSTANCE_FIELDS = ['id', 'name', 'status', 'date_created', 'user_created'];

/** A flow with its operations in it, as `GET /flows?fields=*,operations.*` gives it, or with keys instead of ids. */
export const directusFormat: DefinitionFormat = {
  name: 'directus',
  recognizes: (json) => flowsIn(json) !== undefined,
  split,
  nodes,
  inspect: inspectFlow,
};

/** One Workflow per flow. Flows that run each other are named by title, since ids stay behind. */
function split(json: JsonValue): Split {
  const flows = flowsIn(json);
  if (flows === undefined) {
    const remedy = 'Export with GET /flows?fields=*,operations.*.';
    return { objects: [], problems: [{ message: 'This is not a list of Directus flows.', remedy }] };
  }
  const parts = partNames(flows);
  const byId = new Map(flows.map((flow) => [textOf(flow['id']) ?? '', flow]));
  const objects = flows.map((flow): RawObject => {
    const needs: RawObject['needs'][number][] = [];
    const definition = renameFlows(without(flow, INSTANCE_FIELDS), (said) => {
      const target = byId.get(said);
      if (target === undefined) return said;
      if (target !== flow) needs.push({ kind: 'Workflow', part: parts.get(target) ?? '' });
      return tokenFor(titleOf(target));
    });
    return {
      kind: 'Workflow',
      part: parts.get(flow) ?? '',
      title: titleOf(flow),
      spec: { definition },
      needs,
    };
  });
  return { objects, problems: [...incomplete(flows), ...ambiguous(flows)] };
}

function nodes(definition: JsonValue): ReturnType<DefinitionFormat['nodes']> {
  const list = objectOf(definition)['operations'];
  const places = new Map(objectsOf(list).map((operation, index) => [operation, index]));
  return labelled(list).map(({ label, operation }) => ({
    name: label,
    pointer: `/operations/${places.get(operation) ?? 0}`,
  }));
}

/** '' where a flow is alone, else its title as a slug, numbered among equals. */
function partNames(flows: readonly JsonObject[]): ReadonlyMap<JsonObject, string> {
  const taken = new Set<string>();
  return new Map(
    flows.map((flow) => {
      const base = flows.length === 1 ? '' : slug(titleOf(flow));
      let part = base;
      for (let number = 2; taken.has(part); number++) part = `${base}-${number}`;
      taken.add(part);
      return [flow, part];
    }),
  );
}

function titleOf(flow: JsonObject): string {
  return textOf(flow['name']) ?? 'flow';
}

/** Backups often keep the operations in a file of their own. */
function incomplete(flows: readonly JsonObject[]): Split['problems'] {
  return flows
    .filter((flow) => textOf(flow['operation']) !== undefined && objectsOf(flow['operations']).length === 0)
    .map((flow) => ({
      message: `The flow "${titleOf(flow)}" begins with an operation, but holds none.`,
      remedy:
        'Export it with fields=*,operations.*, or put both tables into one file as {"flows": […], "operations": […]}.',
    }));
}

function ambiguous(flows: readonly JsonObject[]): Split['problems'] {
  const used = new Set(flows.flatMap((flow) => objectsOf(flow['operations']).map(flowOf)));
  return [...Map.groupBy(flows, titleOf)]
    .filter(([, same]) => same.length > 1 && same.some((flow) => used.has(textOf(flow['id']))))
    .map(([title]) => ({
      message: `Several flows are called "${title}", and others run one of them.`,
      remedy: 'Give each a name of its own: flows refer to each other by name.',
    }));
}
