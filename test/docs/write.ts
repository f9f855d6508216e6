import { readFileSync, writeFileSync } from 'node:fs';
import { withTables } from './tables.ts';

// Run by hand after a change of flags, metrics or defaults: `node test/docs/write.ts`.
const readme = new URL('../../README.md', import.meta.url);
writeFileSync(readme, withTables(readFileSync(readme, 'utf8')));
