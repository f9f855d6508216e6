import type { Kind } from '../../manifest/manifest.ts';
import type { Capabilities, Support, Verb } from '../../plan/types.ts';
import type { Hello } from './addon-client.ts';

const VERBS: readonly Verb[] = ['create', 'update', 'adopt', 'release', 'delete'];

/** What Node-RED can do with the add-on and every right. */
export const BEST: Capabilities = capabilitiesOf('manage', 'manage');

/** What this server can do: flows as far as the account may write them, access as far as the add-on keeps it. */
export function narrowed(rights: readonly string[], addon: Hello | undefined): Capabilities {
  return capabilitiesOf(may(rights, 'flows.write') ? 'manage' : 'observe', accessSupport(rights, addon));
}

/** Node-RED's own rule (editor-api/lib/auth/permissions.js): `*`, the permission itself, or `read`/`write` for all of them. */
function may(rights: readonly string[], permission: string): boolean {
  const scope = permission.slice(permission.lastIndexOf('.') + 1);
  const area = permission.slice(0, permission.lastIndexOf('.'));
  return ['*', permission, `*.${scope}`, scope, `${area}.*`].some((right) => rights.includes(right));
}

function accessSupport(rights: readonly string[], addon: Hello | undefined): Support {
  if (addon === undefined) {
    return {
      unsupported: "Node-RED keeps its users in settings.js; managing access needs Plumbline's add-on, two lines there",
      requires: "the Plumbline add-on in the server's settings.js",
    };
  }
  if (!addon.accessControl) {
    return {
      unsupported: 'this Node-RED runs without access control, everybody may do everything',
      requires: 'adminAuth in settings.js',
    };
  }
  return rights.includes('*') ? 'manage' : { unsupported: 'only an account with the permission "*" may manage access' };
}

function capabilitiesOf(flows: Support, access: Support): Capabilities {
  const every = (support: Support): Readonly<Record<Verb, Support>> =>
    Object.fromEntries(VERBS.map((verb) => [verb, support])) as Record<Verb, Support>;
  const kinds: Record<Kind, Readonly<Record<Verb, Support>>> = {
    Application: every(flows),
    Workflow: every(flows),
    Integration: every(flows),
    AccessRole: every(access),
    AccessGrant: every(access),
    Webhook: every({ unsupported: 'Node-RED has no register of webhooks; Plumbline delivers them itself' }),
    ServiceLevel: every({ unsupported: 'Node-RED holds no service levels; Plumbline measures them itself' }),
  };
  return kinds;
}
