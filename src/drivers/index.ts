import { ReconcilerError } from '../errors.ts';
import { DirectusDriver } from './directus/directus.ts';
import { directusFormat } from './directus/format.ts';
import type { DriverDefinition } from './driver.ts';
import { OUTPUTS as DIRECTUS_OUTPUTS } from './directus/outputs.ts';
import { n8nFormat } from './n8n/format.ts';
import { N8nDriver } from './n8n/n8n.ts';
import { PACKAGE_IMPORT } from './n8n/packages.ts';
import { OUTPUTS as N8N_OUTPUTS } from './n8n/outputs.ts';
import { nodeRedFormat } from './node-red/format.ts';
import { NodeRedDriver } from './node-red/node-red.ts';
import { OUTPUTS as NODE_RED_OUTPUTS } from './node-red/outputs.ts';

/** Every driver there is: one folder of this room each (tested). Only what composes imports this file. */
export const DRIVERS: readonly DriverDefinition[] = [
  {
    name: 'node-red',
    format: nodeRedFormat,
    outputs: NODE_RED_OUTPUTS,
    auth: [['token'], ['username', 'password'], ['password'], []],
    connect: (connection) => new NodeRedDriver(connection),
  },
  {
    name: 'n8n',
    format: n8nFormat,
    outputs: N8N_OUTPUTS,
    auth: [['token']],
    beta: [PACKAGE_IMPORT],
    connect: (connection) => new N8nDriver(connection),
  },
  {
    name: 'directus',
    format: directusFormat,
    outputs: DIRECTUS_OUTPUTS,
    auth: [['token'], ['username', 'password'], ['password']],
    connect: (connection) => new DirectusDriver(connection),
  },
];

/** The driver of that name. @throws ReconcilerError `unknown-driver` naming those there are. */
export function driverNamed(name: string): DriverDefinition {
  const found = DRIVERS.find((driver) => driver.name === name);
  if (found !== undefined) return found;
  throw new ReconcilerError(`There is no driver "${name}".`, 'never', {
    code: 'unknown-driver',
    remedy: `Write one of these in spec.driver: ${DRIVERS.map((driver) => driver.name).join(', ')}.`,
  });
}
