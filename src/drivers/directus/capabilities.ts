import type { Kind } from '../../manifest/manifest.ts';
import type { Capabilities, Support, Verb } from '../../plan/types.ts';

const VERBS: readonly Verb[] = ['create', 'update', 'adopt', 'release', 'delete'];
const FLOW_TABLES = ['directus_flows', 'directus_operations'];
const CHANGES = ['create', 'read', 'update', 'delete'];

/** The first major version whose flows have folders. */
export const FOLDERS_SINCE = 12;

const INTEGRATION: Support = {
  unsupported:
    'Directus keeps secrets in clear inside operations, where whoever may read a flow reads them; it has no store for them',
};
const WEBHOOK: Support = { unsupported: 'Directus has no register of webhooks; Plumbline delivers them itself' };

/** What an administrator can do. */
export const BEST: Capabilities = capabilitiesOf('manage', 'manage', 'manage');

/** What this account can do on this version, as far as it is told; `rights` as `rightsOf` tells them. */
export function narrowed(rights: readonly string[], version: string | undefined): Capabilities {
  const has = (action: string): boolean => FLOW_TABLES.every((table) => rights.includes(`${table}:${action}`));
  const flows: Support = CHANGES.every(has)
    ? 'manage'
    : has('read')
      ? 'observe'
      : { unsupported: 'this account may not read flows', requires: 'read on directus_flows and directus_operations' };
  const access: Support = rights.includes('admin')
    ? 'manage'
    : { unsupported: 'only an administrator sees and changes who may do what', requires: 'a policy with admin_access' };
  return capabilitiesOf(flows, access, foldersOf(rights, version));
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

/** An Application is a folder of flows. Which version it is, is told to administrators only. */
function foldersOf(rights: readonly string[], version: string | undefined): Support {
  const requires = `Directus ${FOLDERS_SINCE} or later`;
  const major = Number.parseInt(version ?? '', 10);
  if (major < FOLDERS_SINCE)
    return {
      unsupported: `an Application is a folder of flows, which Directus ${version ?? ''} does not have; which one a flow belongs to is noted on the flow`,
      requires,
    };
  if (Number.isNaN(major))
    return {
      unsupported: 'an Application is a folder of flows, and this account is not told whether this Directus has them',
      requires: `${requires}, and a policy with admin_access`,
    };
  if (CHANGES.every((action) => rights.includes(`directus_folders:${action}`))) return 'manage';
  return { unsupported: 'this account may not change folders', requires: 'all rights on directus_folders' };
}

function capabilitiesOf(flows: Support, access: Support, folders: Support): Capabilities {
  const every = (support: Support): Readonly<Record<Verb, Support>> =>
    Object.fromEntries(VERBS.map((verb) => [verb, support])) as Record<Verb, Support>;
  const kinds: Record<Kind, Readonly<Record<Verb, Support>>> = {
    Application: every(folders),
    Workflow: every(flows),
    Integration: every(INTEGRATION),
    AccessRole: every(access),
    AccessGrant: every(access),
    Webhook: every(WEBHOOK),
    ServiceLevel: every({ unsupported: 'Directus holds no service levels; Plumbline measures them itself' }),
  };
  return kinds;
}
