import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { alertsFile } from '../docs/alerts.ts';
import { CHART } from '../docs/chart.ts';
import { permissionsFile } from '../docs/permissions.ts';
import { definitionFiles } from './definitions.ts';

// Run by hand after a change of a schema, a permission or an alert: `npm run generate`. Helm reads nothing outside of the chart, so that it has a copy.
for (const folder of [new URL('../../crds/', import.meta.url), new URL('generated/crds/', CHART)]) {
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) rmSync(new URL(name, folder));
  for (const [name, text] of definitionFiles()) writeFileSync(new URL(name, folder), text);
}
writeFileSync(new URL('generated/permissions.yaml', CHART), permissionsFile());
writeFileSync(new URL('generated/alerts.yaml', CHART), alertsFile());
