// Copies what the compiler leaves behind into dist: the add-on that Node-RED loads is plain JavaScript.
import { cpSync, globSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const assets = globSync('src/**/addon/*.{cjs,js,json,html}', { cwd: root });
if (assets.length === 0) throw new Error('No assets found: run this from the repository that has src/.');
for (const asset of assets) cpSync(join(root, asset), join(root, 'dist', relative('src', asset)));
