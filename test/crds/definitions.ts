import { stringify } from 'yaml';
import { DRIVERS } from '../../src/drivers/index.ts';
import { customResourceDefinitions } from '../../src/manifest/custom-resource.ts';

/** Files of the folder `crds`, by name, as they follow from the schemas. */
export function definitionFiles(): ReadonlyMap<string, string> {
  const fields = [...new Set(DRIVERS.flatMap(({ auth }) => auth.flat()))].toSorted();
  return new Map(
    customResourceDefinitions(fields).map((definition) => {
      const { names, group } = definition['spec'] as unknown as { names: { plural: string }; group: string };
      const text = `# Made by "npm run generate" of the schemas in src/manifest.\n${stringify(definition, { lineWidth: 0, aliasDuplicateObjects: false, version: '1.1' })}`;
      return [`${group}_${names.plural}.yaml`, text];
    }),
  );
}
