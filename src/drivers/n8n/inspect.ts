import type { DefinitionFormat, JsonObject, JsonValue } from '../../manifest/manifest.ts';
import { isObject } from '../../manifest/pointer.ts';
import { credentialsOf, locatorsOf, spellings } from './locators.ts';
import { mend } from './mend.ts';
import { isSticky } from './mend-notes.ts';
import { objectOf, objectsOf, textOf } from './shapes.ts';

type Inspection = ReturnType<DefinitionFormat['inspect']>;
type Found = Inspection['problems'][number];
type Reference = Inspection['references'][number];

/** What is wrong in a definition wherever it goes, what is mended for n8n's API, and whom it refers to by name. */
export function inspectDefinition(definition: JsonValue): Inspection {
  const nodes = isObject(definition) ? definition['nodes'] : undefined;
  if (!Array.isArray(nodes)) {
    return {
      problems: [error('The definition has no list of nodes.', 'Download the workflow from n8n again.')],
      references: [],
    };
  }
  const { definition: clean, mends } = mend(definition);
  return {
    problems: [
      ...nodeProblems(objectsOf(nodes).filter((node) => !isSticky(node))),
      ...mends.map((one): Found => ({ ...one, severity: 'warning' })),
      ...bareIds(clean),
      ...untoldRuns(clean),
    ],
    references: referencesIn(clean),
  };
}

/** n8n refuses these: a node is known by its name, and runs by its type. */
function nodeProblems(nodes: readonly JsonObject[]): readonly Found[] {
  const nameless = nodes.filter(({ name }) => textOf(name) === undefined);
  const typeless = nodes.filter(({ type }) => textOf(type) === undefined);
  const twice = [...Map.groupBy(nodes, ({ name }) => textOf(name) ?? '')].filter(
    ([name, same]) => name !== '' && same.length > 1,
  );
  return [
    ...nameless.map(({ type }) =>
      error(`A node of type ${textOf(type) ?? '?'} has no name.`, 'Give it a name; connections lead to names.'),
    ),
    ...typeless.map(({ name }) =>
      error(`The node "${textOf(name) ?? '?'}" has no type.`, 'Download the workflow again.'),
    ),
    ...twice.map(([name, same]) =>
      error(
        `${same.length} nodes are called "${name}", and connections lead to names.`,
        'Give each node a name of its own; n8n refuses the workflow otherwise.',
      ),
    ),
  ];
}

/** Of runs that n8n keeps nothing of its API tells nothing, as if there had been none. */
function untoldRuns(definition: JsonObject): readonly Found[] {
  const settings = objectOf(definition['settings']);
  const kinds = { saveDataSuccessExecution: 'succeed', saveDataErrorExecution: 'fail' };
  return Object.entries(kinds)
    .filter(([name]) => settings[name] === 'none')
    .map(([name, end]) => ({
      message: `The setting "${name}" is "none": runs that ${end} are neither told nor counted, and service levels see the others only.`,
      remedy: 'Set it to "all" if a ServiceLevel selects this workflow.',
      severity: 'warning',
    }));
}

/** References by the id of some other instance lead nowhere, or somewhere wrong: nobody can follow them. */
function bareIds(definition: JsonObject): readonly Found[] {
  return locatorsOf(definition)
    .filter(({ name }) => name === undefined)
    .map(({ target, node, id }): Found => {
      const word = target === 'Workflow' ? 'workflow' : 'data table';
      const who = node === undefined ? 'The setting "errorWorkflow"' : `The node "${node}"`;
      const how =
        node === undefined ? `Write "@workflow/TITLE".` : `Choose the ${word} from the list in n8n and export again.`;
      return {
        message: `${who} names a ${word} only by the id ${id ?? ''} of the instance that it was exported from.`,
        remedy: `${how} Until then it is written as it is.`,
        severity: 'warning',
      };
    });
}

function referencesIn(definition: JsonObject): readonly Reference[] {
  const found = new Map<string, Reference>();
  for (const { type, name, node } of credentialsOf(definition))
    found.set(`${type}\n${name}`, { kind: 'Integration', type, title: name, node });
  for (const { target, name, node = 'settings' } of locatorsOf(definition)) {
    if (target !== 'Workflow' || name === undefined) continue;
    for (const title of spellings(name)) found.set(`\n${title}`, { kind: 'Workflow', title, node });
  }
  return [...found.values()];
}

function error(message: string, remedy: string): Found {
  return { message, remedy, severity: 'error' };
}
