// Runs mocha under the Node that the project pins, whatever Node the shell has: `node .ci/mocha.mjs [files…]`.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const node = join(root, 'node_modules', '.bin', 'node');
const mocha = join(root, 'node_modules', 'mocha', 'bin', 'mocha.js');
const args = process.argv.slice(2);
// All suites share two workers; files named on the command line run one after the other.
const files = args.some((arg) => arg.endsWith('.ts')) ? [] : ['--parallel', '--jobs', '2', 'test/**/*.test.ts'];
const run = spawnSync(node, ['--disable-warning=ExperimentalWarning', mocha, ...args, ...files], {
  cwd: root,
  stdio: 'inherit',
});
process.exit(run.status ?? 1);
