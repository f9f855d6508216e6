import type { Kind } from '../../manifest/manifest.ts';
import type { Capabilities, Support, Verb } from '../../plan/types.ts';

const VERBS: readonly Verb[] = ['create', 'update', 'adopt', 'release', 'delete'];

/** Scopes of an API key that managing a kind takes. */
const NEEDS = {
  Application: ['tag:list', 'tag:read', 'tag:create', 'tag:update', 'tag:delete'],
  Integration: ['credential:list', 'credential:read', 'credential:create', 'credential:update', 'credential:delete'],
  Workflow: [
    'workflow:list',
    'workflow:read',
    'workflow:create',
    'workflow:update',
    'workflow:delete',
    'workflow:activate',
    'workflow:deactivate',
    'workflowTags:update',
    'credential:list',
  ],
} as const satisfies Partial<Record<Kind, readonly string[]>>;

const ROLES: Support = {
  unsupported: 'the roles of n8n are its own; others, and changing the role of a user, take a licence',
  requires: 'an n8n licence with custom roles (advancedPermissions)',
};
const GRANTS: Support = {
  unsupported:
    'n8n gives a user a role only with an invitation, undone only by deleting the user and what is theirs; all else takes a licence',
  requires: 'an n8n licence with advancedPermissions',
};
const WEBHOOKS: Support = { unsupported: 'n8n has no register of webhooks; Plumbline delivers them itself' };

/** What n8n's free edition can do with a key that has every scope. */
export const BEST: Capabilities = capabilitiesWith(() => 'manage');

/** What a key with these scopes can do. */
export function narrowed(scopes: readonly string[]): Capabilities {
  return capabilitiesWith((needs) => {
    const missing = needs.filter((scope) => !scopes.includes(scope));
    if (missing.length === 0) return 'manage';
    if (missing.every((scope) => !/:(list|read)$/.test(scope))) return 'observe';
    return {
      unsupported: `the API key lacks ${missing.map((scope) => `"${scope}"`).join(', ')}`,
      requires: 'an API key with these scopes',
    };
  });
}

function capabilitiesWith(support: (needs: readonly string[]) => Support): Capabilities {
  const kinds: Record<Kind, Readonly<Record<Verb, Support>>> = {
    Application: every(support(NEEDS.Application)),
    AccessRole: every(ROLES),
    Integration: every(support(NEEDS.Integration)),
    Workflow: every(support(NEEDS.Workflow)),
    AccessGrant: every(GRANTS),
    Webhook: every(WEBHOOKS),
    ServiceLevel: every({ unsupported: 'n8n holds no service levels; Plumbline measures them itself' }),
  };
  return kinds;
}

function every(support: Support): Readonly<Record<Verb, Support>> {
  return Object.fromEntries(VERBS.map((verb) => [verb, support])) as Record<Verb, Support>;
}
