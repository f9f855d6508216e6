import { jsonSchema } from './json-schema.ts';
import type { JsonObject } from './manifest.ts';
import { MIRROR_NAME, MIRROR_SCHEMA, mirrorRules } from './mirror.ts';
import { isObject, valueAt } from './pointer.ts';
import { resourceOf } from './resources.ts';
import { CONFIGURATION_SCHEMAS, SCHEMAS } from './schemas.ts';
import type { AnyKind } from './schemas.ts';
import { NAME_PATTERN } from './slug.ts';
import { statusSchema } from './status-schema.ts';
import { structural } from './structural.ts';

const SHORT_NAMES: Readonly<Partial<Record<AnyKind, string>>> = {
  Application: 'plapp',
  AccessRole: 'plrole',
  AccessGrant: 'plgrant',
  Integration: 'plint',
  Workflow: 'plwf',
  Webhook: 'plhook',
  ServiceLevel: 'plsl',
};

const ABOUT: Readonly<Partial<Record<AnyKind, string>>> = {
  Application: 'A group of workflows that belong together. A Sync with source.cluster applies it.',
  AccessRole: 'What its holders may do on a platform. A Sync with source.cluster applies it.',
  AccessGrant: 'Who holds a role, on what, and until when. A Sync with source.cluster applies it.',
  Integration: 'A connection that workflows use: a credential, a config node. A Sync with source.cluster applies it.',
  Workflow: "A flow, scenario or automation in the platform's own format. A Sync with source.cluster applies it.",
  Webhook: 'Events of a platform, delivered by HTTP to whoever wants to know. A Sync with source.cluster applies it.',
  ServiceLevel: 'Objectives that workflows are held to. A Sync with source.cluster applies it.',
  Platform: 'One instance of a low-code platform: where it is, and how it is spoken to.',
  Sync: 'This source, onto that platform, on these terms. "kubectl describe" tells how it stands and what to do.',
  Plugin:
    "Foreign code that is asked before things are done; counts only in the namespace of Plumbline's own installation.",
};

const READY = condition('Ready');
const AGE = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' };
const SINCE = {
  name: 'Since',
  type: 'date',
  jsonPath: READY('lastTransitionTime'),
  description: 'When Ready changed.',
};
const MESSAGE = { name: 'Message', type: 'string', jsonPath: READY('message'), description: 'Why, and what to do.' };
const IN_SYNC = {
  name: 'Ready',
  type: 'string',
  jsonPath: READY('status'),
  description: 'Whether all is as it is meant.',
};

/** What "kubectl get" shows, by kind: is it in sync, since when, at which revision, why not. */
const COLUMNS: Readonly<Partial<Record<AnyKind, readonly JsonObject[]>>> = {
  Platform: [
    { name: 'Driver', type: 'string', jsonPath: '.spec.driver' },
    { name: 'URL', type: 'string', jsonPath: '.spec.url', priority: 1 },
  ],
  Sync: [
    { name: 'Platform', type: 'string', jsonPath: '.spec.platform', priority: 1 },
    { name: 'Revision', type: 'string', jsonPath: '.status.revision', description: 'What was last read.' },
    { name: 'Owned', type: 'integer', jsonPath: '.status.counts.owned' },
    { name: 'Drifted', type: 'integer', jsonPath: '.status.counts.drifted', priority: 1 },
    { name: 'Suspended', type: 'boolean', jsonPath: '.spec.suspend', priority: 1 },
  ],
  Plugin: [{ name: 'Folder', type: 'string', jsonPath: '.spec.folder', priority: 1 }],
};
const OF_DESIRED: readonly JsonObject[] = [
  { name: 'Sync', type: 'string', jsonPath: '.status.sync' },
  { name: 'Platform', type: 'string', jsonPath: '.status.platform', priority: 1 },
  { name: 'Revision', type: 'string', jsonPath: '.status.revision', priority: 1 },
];

/**
 * The CustomResourceDefinition of every kind that this version reads, made of the schemas that files are checked by.
 * @param authFields names of credentials that the drivers know (`token`, `password`, …)
 */
export function customResourceDefinitions(authFields: readonly string[]): readonly JsonObject[] {
  return (Object.keys(SCHEMAS) as AnyKind[]).map((kind) => definitionOf(kind, authFields));
}

function definitionOf(kind: AnyKind, authFields: readonly string[]): JsonObject {
  const { group, plural, version } = resourceOf(kind);
  const short = SHORT_NAMES[kind] ?? `pl${kind.toLowerCase()}`;
  const own = COLUMNS[kind] ?? (kind in CONFIGURATION_SCHEMAS ? [] : OF_DESIRED);
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: kind.toLowerCase(),
        shortNames: [short],
        categories: ['plumbline'],
      },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: [IN_SYNC, SINCE, ...own, AGE, MESSAGE],
          schema: { openAPIV3Schema: schemaOf(kind, authFields) },
        },
      ],
    },
  };
}

function schemaOf(kind: AnyKind, authFields: readonly string[]): JsonObject {
  const schema = jsonSchema(kind);
  const spec = valueAt(schema, ['properties', 'spec']);
  const described = isObject(spec) ? spec : {};
  const required = schema['required'];
  const needsSpec = Array.isArray(required) && required.includes('spec');
  const isDesired = !(kind in CONFIGURATION_SCHEMAS);
  const label = {
    type: 'string',
    maxLength: 63,
    pattern: NAME_PATTERN.source,
    description: 'A DNS label of at most 63 characters.',
  };
  return {
    type: 'object',
    description: ABOUT[kind] ?? `A ${kind}, as it is meant to stand on a platform.`,
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { type: 'object', properties: { name: isDesired ? MIRROR_NAME : label } },
      spec: structural(described, { 'spec.auth': authFields }, 'spec'),
      ...(isDesired ? { mirror: MIRROR_SCHEMA } : {}),
      status: statusSchema(kind),
    },
    ...(isDesired ? { 'x-kubernetes-validations': mirrorRules(needsSpec) } : needsSpec ? { required: ['spec'] } : {}),
  };
}

function condition(type: string): (field: string) => string {
  return (field) => `.status.conditions[?(@.type=="${type}")].${field}`;
}
