import { stringify } from 'yaml';
import { reconcilerAlerts } from '../../src/monitor/rules/reconciler.ts';

/** The alerts that the chart carries. */
export function alertsFile(): string {
  return `# Made by "npm run generate" of src/monitor/rules/reconciler.ts. SCOPE stands for the labels that tell this release's series apart.\n${stringify(reconcilerAlerts(), { lineWidth: 0 })}`;
}
