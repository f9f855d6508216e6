// Copies what the compiler leaves behind into dist: code that other programs load as it is, and the files of the demo.
import { cpSync, globSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const assets = ['src/**/addon/*.{cjs,js,json,html}', 'src/plugins/child/*.mjs', 'src/cli/demo-assets/**/*.*'].flatMap(
  (pattern) => globSync(pattern, { cwd: root }),
);
if (assets.length === 0) throw new Error('No assets found: run this from the repository that has src/.');
for (const asset of assets) cpSync(join(root, asset), join(root, 'dist', relative('src', asset)));
