import type { Kind } from '../../manifest/manifest.ts';
import type { Capabilities, Support, Verb } from '../../plan/types.ts';

const VERBS: readonly Verb[] = ['create', 'update', 'adopt', 'release', 'delete'];
const FLOW_TABLES = ['directus_flows', 'directus_operations'];
const CHANGES = ['create', 'read', 'update', 'delete'];

const GROUPS: Support = {
  unsupported:
    'Directus has nothing that carries a group of flows with its owner; which application a flow belongs to is noted on the flow',
};
const INTEGRATION: Support = {
  unsupported:
    'Directus keeps secrets in clear inside operations, where whoever may read a flow reads them; it has no store for them',
};
const WEBHOOK: Support = { unsupported: 'Directus has no register of webhooks; Plumbline delivers them itself' };

/** What an administrator can do. */
export const BEST: Capabilities = capabilitiesOf('manage', 'manage');

/** What this account can do; `rights` as `rightsOf` tells them. */
export function narrowed(rights: readonly string[]): Capabilities {
  const has = (action: string): boolean => FLOW_TABLES.every((table) => rights.includes(`${table}:${action}`));
  const flows: Support = CHANGES.every(has)
    ? 'manage'
    : has('read')
      ? 'observe'
      : { unsupported: 'this account may not read flows', requires: 'read on directus_flows and directus_operations' };
  const access: Support = rights.includes('admin')
    ? 'manage'
    : { unsupported: 'only an administrator sees and changes who may do what', requires: 'a policy with admin_access' };
  return capabilitiesOf(flows, access);
}

/** An account's rights from `/permissions/me`, sorted; a right without conditions counts as one with them, too. */
export function rightsOf(
  permissions: Readonly<Record<string, Readonly<Record<string, string>>>>,
  isAdmin: boolean,
): readonly string[] {
  const rights = Object.entries(permissions).flatMap(([collection, actions]) =>
    Object.entries(actions).flatMap(([action, access]) => {
      const partly = `${collection}:${action}:partly`;
      if (access === 'full') return [`${collection}:${action}`, partly];
      return access === 'partial' ? [partly] : [];
    }),
  );
  return [...(isAdmin ? ['admin'] : []), ...rights].toSorted();
}

function capabilitiesOf(flows: Support, access: Support): Capabilities {
  const every = (support: Support): Readonly<Record<Verb, Support>> =>
    Object.fromEntries(VERBS.map((verb) => [verb, support])) as Record<Verb, Support>;
  const kinds: Record<Kind, Readonly<Record<Verb, Support>>> = {
    Application: every(GROUPS),
    Workflow: every(flows),
    Integration: every(INTEGRATION),
    AccessRole: every(access),
    AccessGrant: every(access),
    Webhook: every(WEBHOOK),
    ServiceLevel: every({ unsupported: 'Directus holds no service levels; Plumbline measures them itself' }),
  };
  return kinds;
}
