import type { z } from 'zod';
import { AccessGrant } from './access-grant.ts';
import { AccessRole } from './access-role.ts';
import { Application } from './application.ts';
import { Integration } from './integration.ts';
import { KINDS } from './manifest.ts';
import type { Kind } from './manifest.ts';
import { Platform } from './platform.ts';
import { Plugin } from './plugin.ts';
import { ServiceLevel } from './service-level.ts';
import { Sync } from './sync.ts';
import { Webhook } from './webhook.ts';
import { Workflow } from './workflow.ts';

/** Schema of each kind of desired state. */
const DESIRED_SCHEMAS = {
  Application,
  AccessRole,
  Integration,
  Workflow,
  AccessGrant,
  Webhook,
  ServiceLevel,
} as const satisfies Record<Kind, z.ZodObject>;

/** Schema of each kind of configuration. */
export const CONFIGURATION_SCHEMAS = { Platform, Sync, Plugin } as const;

export type ConfigurationKind = keyof typeof CONFIGURATION_SCHEMAS;
export type AnyKind = Kind | ConfigurationKind;

/** Schema of every kind that this version reads. */
export const SCHEMAS: Readonly<Record<AnyKind, z.ZodObject>> = { ...DESIRED_SCHEMAS, ...CONFIGURATION_SCHEMAS };

/** Kinds of the contract that this version does not enforce; each is a problem (law 15). */
export const KINDS_NOT_ENFORCED: readonly string[] = ['DataClassification', 'Policy'];

export function isKind(word: unknown): word is Kind {
  return (KINDS as readonly unknown[]).includes(word);
}
