import type { KubeObject } from '../kube/object.ts';
import { clusterName } from './cluster-name.ts';
import type { JsonObject, JsonValue } from './manifest.ts';
import type { Platform } from './platform.ts';
import type { Plugin } from './plugin.ts';
import { check } from './problems.ts';
import type { Flaw } from './problems.ts';
import type { ConfigurationKind } from './schemas.ts';
import { outOfPlace } from './surroundings.ts';
import type { Sync } from './sync.ts';

export type CustomDocument = Platform | Sync | Plugin;

/** A custom resource as it would be written in a file: what the API server adds, and its status, is not part of it. */
export function manifestOf({ apiVersion, kind, metadata, spec }: KubeObject): JsonObject {
  const { name, labels, annotations } = metadata;
  // The API server knows its own annotations, and those of the tools that applied the object.
  const own = Object.fromEntries(Object.entries(annotations ?? {}).filter(([key]) => key !== LAST_APPLIED));
  const about: Record<string, JsonValue> = { name, ...(labels === undefined ? {} : { labels }), annotations: own };
  const body: Record<string, JsonValue> = spec === undefined ? {} : { spec: spec as JsonValue };
  return { apiVersion, kind, metadata: about, ...body };
}

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/**
 * A Platform, Sync or Plugin that is a custom resource, with the names that it has everywhere else (`namespace.name`), or everything
 * that is wrong with it.
 */
export function readCustomObject(
  kind: ConfigurationKind,
  object: KubeObject,
): { readonly document: CustomDocument } | { readonly flaws: readonly Flaw[] } {
  const written = manifestOf(object);
  const checked = check(kind, written);
  const flaws = [...(checked.ok ? [] : checked.flaws), ...outOfPlace(kind, written, 'cluster')];
  if (!checked.ok || flaws.length > 0) return { flaws };
  const document = checked.data as unknown as CustomDocument;
  return { document: renamed(document, object.metadata.namespace ?? 'default') };
}

function renamed(document: CustomDocument, namespace: string): CustomDocument {
  const own = (name: string): string => clusterName(namespace, name);
  const metadata = { ...document.metadata, name: own(document.metadata.name) };
  if (document.kind === 'Platform') return { ...document, metadata };
  if (document.kind === 'Plugin') {
    const { platforms } = document.spec;
    const named = platforms === undefined ? {} : { platforms: platforms.map(own) };
    return { ...document, metadata, spec: { ...document.spec, ...named } };
  }
  const { platform, platformNamespace = namespace, dependsOn, previousNames } = document.spec;
  return {
    ...document,
    metadata,
    spec: {
      ...document.spec,
      ...(platform === undefined ? {} : { platform: clusterName(platformNamespace, platform) }),
      dependsOn: dependsOn.map(own),
      previousNames: previousNames.map(own),
    },
  };
}
