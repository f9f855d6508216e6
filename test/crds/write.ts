import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { definitionFiles } from './definitions.ts';

// Run by hand after a change of a schema: `npm run generate`.
const folder = new URL('../../crds/', import.meta.url);
const files = definitionFiles();
for (const name of readdirSync(folder)) if (!files.has(name)) rmSync(new URL(name, folder));
for (const [name, text] of files) writeFileSync(new URL(name, folder), text);
