import { stringify } from 'yaml';
import { PERMISSIONS } from '../../src/kube/permissions.ts';

/** What the chart grants, from what the daemon declares that it needs. */
export function permissionsFile(): string {
  return `# Made by "npm run generate" of src/kube/permissions.ts.\n${stringify(PERMISSIONS)}`;
}
