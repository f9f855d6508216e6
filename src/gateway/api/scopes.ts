import { z } from 'zod';
import { refusal } from '../../manifest/fields.ts';

/** What a token may do: `admin` includes the other two, within its limit. */
export type Right = 'read' | 'trigger' | 'admin';

/** What a call is about: everything, one platform, or one workflow of it. */
export interface Extent {
  readonly platform?: string;
  readonly workflow?: string;
}

const LABEL = '[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?';
/** Platforms that are custom resources have their namespace before the name. */
const NAME = `(${LABEL}\\.)?${LABEL}`;
const SCOPE = new RegExp(`^(read|trigger|admin)(:${NAME}(/${NAME})?)?$`);
/** A name as platforms and workflows have it in manifests. */
const NAME_PATTERN = new RegExp(`^${NAME}$`);

export const Scope = z.string().regex(SCOPE, {
  error: refusal(
    'is not a scope',
    'Write read, trigger or admin, alone or limited: trigger:node-red, trigger:node-red/order-fulfillment.',
  ),
});

export function isName(text: string): boolean {
  return NAME_PATTERN.test(text);
}

/** Whether one of the scopes covers all of the extent. Names count exactly as they are written. */
export function covers(scopes: readonly string[], right: Right, { platform, workflow }: Extent): boolean {
  return scopes.some((scope) => {
    const given = partsOf(scope);
    if (given.right !== right && given.right !== 'admin') return false;
    if (given.platform !== undefined && given.platform !== platform) return false;
    return given.workflow === undefined || given.workflow === workflow;
  });
}

/** Whether one of the scopes covers the platform or something on it: who asks may be told that some part is not there. */
export function touches(scopes: readonly string[], right: Right, platform: string): boolean {
  return scopes.some((scope) => {
    const given = partsOf(scope);
    if (given.right !== right && given.right !== 'admin') return false;
    return given.platform === undefined || given.platform === platform;
  });
}

/** The narrowest scope that a call needs; names that nobody can have are left out, so that nothing odd is repeated. */
export function scopeFor(right: Right, { platform, workflow }: Extent): string {
  if (platform === undefined || !isName(platform)) return right;
  return workflow === undefined || !isName(workflow) ? `${right}:${platform}` : `${right}:${platform}/${workflow}`;
}

function partsOf(scope: string): Extent & { readonly right: string } {
  const [right = '', limit] = scope.split(':', 2);
  if (limit === undefined) return { right };
  const [platform = '', workflow] = limit.split('/', 2);
  return workflow === undefined ? { right, platform } : { right, platform, workflow };
}
