import type { Resource } from '../kube/object.ts';
import { API_VERSION } from './metadata.ts';
import type { AnyKind } from './schemas.ts';

const [GROUP = '', VERSION = ''] = API_VERSION.split('/');

/** The resource by which a kind is served in a cluster. */
export function resourceOf(kind: AnyKind): Resource {
  const word = kind.toLowerCase();
  const plural = word.endsWith('y') ? `${word.slice(0, -1)}ies` : `${word}s`;
  return { group: GROUP, version: VERSION, kind, plural, namespaced: true };
}
