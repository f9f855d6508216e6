import { readFileSync, writeFileSync } from 'node:fs';
import { CHART, chartSchema, withValues } from './chart.ts';
import { withTables } from './tables.ts';

// Run by hand after a change of flags, metrics, defaults or values of the chart: `npm run docs`.
const readme = new URL('../../README.md', import.meta.url);
writeFileSync(readme, withTables(readFileSync(readme, 'utf8')));
const chart = new URL('README.md', CHART);
writeFileSync(chart, withValues(readFileSync(chart, 'utf8')));
writeFileSync(new URL('values.schema.json', CHART), chartSchema());
