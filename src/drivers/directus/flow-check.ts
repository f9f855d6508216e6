import type { DefinitionFormat, JsonObject, JsonValue } from '../../manifest/manifest.ts';
import { type Labelled, inReverse, labelled, linksTo, normalizeDefinition } from './flow-definition.ts';
import { isUuid } from './ids.ts';
import { isObject, objectsOf, textOf, wordOf } from './json.ts';
import { flowOf, titleIn } from './references.ts';

type Inspection = ReturnType<DefinitionFormat['inspect']>;
type Found = Inspection['problems'][number];

/** Columns of a flow that are compared, and those that belong to an instance. */
const FLOW_FIELDS = new Set(
  (
    'accountability color description icon operation operations options trigger ' +
    'id name status date_created user_created folder group sort'
  ).split(' '),
);
const OPERATION_FIELDS = new Set(
  'key label name type position_x position_y options resolve reject id flow date_created user_created'.split(' '),
);
const TRIGGERS: readonly string[] = ['event', 'webhook', 'operation', 'schedule', 'manual'];
const ACCOUNTABILITY: readonly JsonValue[] = ['all', 'activity'];
/** Both columns are UNIQUE in the database. */
const LINKS = ['resolve', 'reject'] as const;

/** What is wrong in a flow wherever it goes (the server checks next to nothing of it), and which flows it runs. */
export function inspectFlow(definition: JsonValue): Inspection {
  if (!isObject(definition)) {
    const remedy = 'Export it with GET /flows?fields=*,operations.* and keep the object as it is.';
    return { problems: [error('The definition is not a Directus flow.', remedy)], references: [] };
  }
  const flow = normalizeDefinition(definition);
  const operations = objectsOf(flow['operations']);
  const problems = [
    ...unknownFields(definition),
    ...flowProblems(definition),
    ...labelled(definition['operations']).flatMap(operationProblems),
    ...duplicates(operations),
    ...danglingLinks(definition),
    ...sharedLinks(operations),
    ...circles(operations),
    ...instanceIds(operations),
  ];
  return { problems, references: referencesOf(operations) };
}

function unknownFields(flow: JsonObject): readonly Found[] {
  const wrong = Object.keys(flow).filter((name) => !FLOW_FIELDS.has(name));
  const inOperations = objectsOf(flow['operations']).flatMap((operation) =>
    Object.keys(operation)
      .filter((name) => !OPERATION_FIELDS.has(name))
      .map((name) => `${textOf(operation['key']) ?? '?'}.${name}`),
  );
  return [...wrong, ...inOperations].map((name) =>
    error(`Directus knows no field "${name}" here and would ignore it.`, 'Remove it, or correct its name.'),
  );
}

function flowProblems(flow: JsonObject): readonly Found[] {
  const found: Found[] = [];
  const { trigger, accountability, operations, options } = flow;
  if (trigger !== undefined && trigger !== null && !TRIGGERS.includes(wordOf(trigger)))
    found.push(error(`Directus knows no trigger "${wordOf(trigger)}".`, `Use one of ${TRIGGERS.join(', ')}.`));
  if (accountability !== undefined && accountability !== null && !ACCOUNTABILITY.includes(accountability))
    found.push(
      error('The accountability of a flow is all, activity or null.', 'Correct it, or leave it out for "all".'),
    );
  if (operations !== undefined && operations !== null && !(Array.isArray(operations) && operations.every(isObject)))
    found.push(
      error(
        'The operations of the flow are not a list of operations.',
        'Export the flow with fields=*,operations.*, so that its operations are in it.',
      ),
    );
  if (options !== undefined && options !== null && !isObject(options))
    found.push(error('The options of the flow are not an object.', 'Write them as {…}.'));
  return found;
}

function operationProblems({ label, operation }: Labelled): readonly Found[] {
  const found: Found[] = [];
  const who = label === '' ? 'An operation' : `Operation "${label}"`;
  if (textOf(operation['key']) === undefined) found.push(error(`${who} has no key.`, 'Give each operation a key.'));
  if (textOf(operation['type']) === undefined)
    found.push(error(`${who} has no type.`, 'Say what it does, such as type: log.'));
  const { options } = operation;
  if (options !== undefined && options !== null && !isObject(options))
    found.push(error(`${who} has options that are not an object.`, 'Write them as {…}.'));
  for (const name of ['position_x', 'position_y']) {
    const value = operation[name];
    if (value !== undefined && value !== null && !Number.isInteger(value))
      found.push(error(`${who} has a ${name} that is not a whole number.`, 'Correct it, or leave it out.'));
  }
  return found;
}

function duplicates(operations: readonly JsonObject[]): readonly Found[] {
  return [...Map.groupBy(operations, (operation) => textOf(operation['key']))]
    .filter(([key, same]) => key !== undefined && same.length > 1)
    .map(([key, same]) =>
      error(
        `${same.length} operations have the key "${key}"; Directus would keep the result of only one of them.`,
        'Give each operation a key of its own.',
      ),
    );
}

function danglingLinks(definition: JsonObject): readonly Found[] {
  const operations = labelled(definition['operations']);
  const link = linksTo(operations);
  const known = new Set(operations.map(({ label }) => label));
  const found: Found[] = [];
  const root = link(definition['operation']);
  if (root !== undefined && root !== null && !(typeof root === 'string' && known.has(root))) {
    const why = operations.length === 0 ? ', and the flow holds none' : '';
    found.push(
      error(
        `The flow begins with operation "${wordOf(root)}", which is not in it${why}.`,
        'Export the flow with fields=*,operations.*, or name an operation that it has.',
      ),
    );
  }
  for (const { label, operation } of operations) {
    for (const name of LINKS) {
      const target = link(operation[name]);
      if (target === undefined || target === null || (typeof target === 'string' && known.has(target))) continue;
      found.push(
        error(
          `Operation "${label}" leads (${name}) to "${wordOf(target)}", which is not in the flow.`,
          'Name an operation of this flow by its key, or remove the link.',
        ),
      );
    }
  }
  return found;
}

function sharedLinks(operations: readonly JsonObject[]): readonly Found[] {
  return LINKS.flatMap((name) =>
    [...Map.groupBy(operations, (operation) => textOf(operation[name]))]
      .filter(([target, from]) => target !== undefined && from.length > 1)
      .map(([target, from]) =>
        error(
          `${from.map(({ key }) => `"${wordOf(key)}"`).join(' and ')} both lead (${name}) to "${target}"; on Directus only one may.`,
          'Let one lead to it, and give the other a step of its own.',
        ),
      ),
  );
}

function circles(operations: readonly JsonObject[]): readonly Found[] {
  if (inReverse(operations) !== undefined) return [];
  return [
    error(
      'The operations lead in a circle; a Directus that runs such a flow dies, and dies again whenever it starts.',
      'Break the circle. To repeat something, let an operation of type trigger run a flow of its own.',
    ),
  ];
}

/** A flow that is named by the id of another instance would run whatever has that id, or nothing. */
function instanceIds(operations: readonly JsonObject[]): readonly Found[] {
  return operations.flatMap((operation) => {
    const said = flowOf(operation);
    if (said === undefined || !isUuid(said)) return [];
    return [
      error(
        `Operation "${wordOf(operation['key'])}" runs the flow ${said}, by an id that only one instance knows.`,
        'Write options.flow as "@workflow/TITLE", or export both flows together.',
      ),
    ];
  });
}

function referencesOf(operations: readonly JsonObject[]): Inspection['references'] {
  return operations.flatMap((operation) => {
    const title = titleIn(flowOf(operation) ?? '');
    return title === undefined ? [] : [{ kind: 'Workflow' as const, title, node: textOf(operation['key']) ?? '' }];
  });
}

function error(message: string, remedy: string): Found {
  return { message, remedy, severity: 'error' };
}
