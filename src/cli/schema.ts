import { Argument } from 'commander';
import { jsonSchema } from '../manifest/json-schema.ts';
import { SCHEMAS, type AnyKind } from '../manifest/schemas.ts';
import type { Register } from './context.ts';

export const registerSchema: Register = (program, context) => {
  program
    .command('schema')
    .description('print the JSON Schema of manifests, for editors and checks')
    .addArgument(new Argument('[kind]', 'only this kind; all of them when absent').choices(Object.keys(SCHEMAS)))
    .action((kind: AnyKind | undefined) => context.print(JSON.stringify(jsonSchema(kind), undefined, 2)));
};
