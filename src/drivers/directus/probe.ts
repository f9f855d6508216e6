import { ReconcilerError } from '../../errors.ts';
import type { JsonObject } from '../../manifest/manifest.ts';
import type { Facts } from '../driver.ts';
import { narrowed, rightsOf } from './capabilities.ts';
import type { DirectusClient } from './client.ts';
import { objectOf, textOf } from './json.ts';
import { type Licence, licenceOf } from './licence.ts';

/** The first major version that has a licence, and the oldest whose access control this driver knows. */
const OLDEST = 11;

/** The account that Plumbline uses. */
export interface Account {
  readonly id: string;
  readonly name: string;
}

export interface Probed {
  readonly facts: Facts;
  readonly licence: Licence | undefined;
  readonly account: Account;
}

/** Asks the server what it is and what the account may do there. */
export async function probe(client: DirectusClient, signal: AbortSignal): Promise<Probed> {
  const [info, me, permissions, settings, licence] = await Promise.all([
    client.get('/server/info', {}, signal),
    client.get('/users/me', { fields: 'id,email' }, signal),
    client.get('/permissions/me', {}, signal),
    optional(client.get('/settings', { fields: 'project_id' }, signal)),
    licenceOf(client, signal),
  ]);
  // The version is told to administrators only, and so is what everybody may do with everything.
  const version = textOf(info['version']);
  const rights = rightsOf(accessIn(permissions), version !== undefined);
  const instance = textOf(settings['project_id']);
  const account = accountOf(me);
  return {
    licence,
    account,
    facts: {
      version: version ?? `${OLDEST} or later (told to administrators only)`,
      rights,
      account: account.name,
      capabilities: narrowed(rights, version),
      notes: notes({ info, version, licence, instance }),
      ...(instance === undefined ? {} : { instance }),
      ...(licence === undefined ? {} : { licence: licence.name }),
    },
  };
}

export function accountOf(me: JsonObject): Account {
  const id = textOf(me['id']) ?? '';
  return { id, name: (textOf(me['email']) ?? id).toLowerCase() };
}

function notes(known: {
  readonly info: JsonObject;
  readonly version: string | undefined;
  readonly licence: Licence | undefined;
  readonly instance: string | undefined;
}): readonly string[] {
  const { info, version, licence, instance } = known;
  const major = Number.parseInt(version ?? '', 10);
  const cap = objectOf(info['queryLimit'])['max'];
  return [
    ...(major < OLDEST
      ? [`This driver is made for Directus ${OLDEST} and later; ${version} has other access control.`]
      : []),
    ...(objectOf(info['websocket'])['rest'] === undefined
      ? ['The websocket is off (WEBSOCKETS_ENABLED): changes are seen at the next interval, not at once.']
      : []),
    ...(typeof cap === 'number' && cap > 0
      ? [`The server gives at most ${cap} items at once (QUERY_LIMIT_MAX): listings take several requests.`]
      : []),
    ...(instance === undefined
      ? ['This account may not read the project id: another instance behind this URL would not be noticed.']
      : []),
    ...(licence?.customRules === false
      ? [
          `The licence "${licence.name}" has no custom permission rules: roles with conditions, presets or lists of fields are refused.`,
        ]
      : []),
  ];
}

function accessIn(permissions: JsonObject): Readonly<Record<string, Readonly<Record<string, string>>>> {
  return Object.fromEntries(
    Object.entries(permissions)
      .filter(([collection]) => collection.startsWith('directus_'))
      .map(([collection, actions]) => [
        collection,
        Object.fromEntries(
          Object.entries(objectOf(actions)).map(([action, said]) => [
            action,
            textOf(objectOf(said)['access']) ?? 'none',
          ]),
        ),
      ]),
  );
}

/** What an account that may do less is not told. */
async function optional(asked: Promise<JsonObject>): Promise<JsonObject> {
  return await asked.catch((error: unknown) => {
    if (error instanceof ReconcilerError && error.code === 'forbidden') return {};
    throw error;
  });
}
