import type { DefinitionFormat, JsonValue } from '../../../src/manifest/manifest.ts';
import { object, objects, textOf } from './normal-form.ts';

/** Mint's workflows: `{steps: [{name, type, connection?, …}]}`; a connection is named by its title. */
export const mintFormat: DefinitionFormat = {
  name: 'mint',
  recognizes: () => false,
  split: () => ({ objects: [], problems: [] }),
  nodes: (definition) =>
    steps(definition).map((step, index) => ({ name: textOf(step['name']), pointer: `/steps/${index}` })),
  inspect: (definition) => ({
    problems: Array.isArray(object(definition)['steps'])
      ? []
      : [{ message: 'the definition has no list of steps.', remedy: 'Write {"steps": [...]}.', severity: 'error' }],
    references: steps(definition).flatMap((step) =>
      typeof step['connection'] === 'string'
        ? [{ kind: 'Integration' as const, title: step['connection'], node: textOf(step['name']) }]
        : [],
    ),
  }),
};

function steps(definition: JsonValue): ReturnType<typeof objects> {
  return objects(object(definition)['steps']);
}
