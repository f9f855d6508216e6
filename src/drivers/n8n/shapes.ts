import type { JsonObject, JsonValue } from '../../manifest/manifest.ts';
import { isObject } from '../../manifest/pointer.ts';

/** A workflow as the API shows it, in listings and alone. */
export interface RawWorkflow {
  readonly id: string;
  readonly name: string;
  readonly active: boolean;
  readonly activeVersionId?: string | null;
  readonly versionId?: string;
  readonly isArchived?: boolean;
  /** Triggers that run now; more than 0 only once they are registered. */
  readonly triggerCount?: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly nodes: readonly JsonObject[];
  readonly connections: JsonObject;
  readonly settings: JsonObject | null;
  readonly nodeGroups?: readonly JsonValue[] | null;
  readonly pinData?: JsonObject | null;
  readonly tags?: readonly RawTag[];
}

export interface RawTag {
  readonly id: string;
  readonly name: string;
  readonly createdAt?: string;
  readonly updatedAt?: string;
}

/** A credential without its data, which n8n shows to nobody. */
export interface RawCredential {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly createdAt: string;
  readonly updatedAt: string;
}

export interface RawDataTable {
  readonly id: string;
  readonly name: string;
}

/** Remote id and version of what was written; nothing for what is gone. */
export type Written = { readonly id: string; readonly version: string } | undefined;

/** The entries of a list; none for what is no list. */
export function listOf(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? (value as readonly JsonValue[]) : [];
}

/** The objects of a list; none for what is no list. */
export function objectsOf(value: JsonValue | undefined): readonly JsonObject[] {
  return listOf(value).filter(isObject);
}

export function objectOf(value: JsonValue | undefined): JsonObject {
  return isObject(value) ? value : {};
}

export function textOf(value: JsonValue | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** A copy without these names. */
export function without(object: JsonObject, names: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)));
}
