import { canonicalJson } from '../../manifest/canonical.ts';
import type { JsonObject, JsonValue } from '../../manifest/manifest.ts';
import { compare, given, isObject, objectsOf, textOf, textsOf, wordOf } from './json.ts';

/** One row of `directus_permissions` without what only its instance knows; empty conditions are null. */
export interface Rule {
  readonly collection: string;
  readonly action: string;
  readonly where: JsonObject | null;
  readonly validation: JsonObject | null;
  readonly presets: JsonObject | null;
  /** `['*']` for all, sorted. */
  readonly fields: readonly string[];
}

export const ACTIONS: readonly string[] = ['read', 'create', 'update', 'delete', 'share'];
/** Verbs that mean on records what Directus' actions mean. */
const DATA_VERBS: readonly string[] = ['read', 'create', 'update', 'delete'];
/** Who may do something with workflows may do it with flows and their operations. */
const WORKFLOW = ['directus_flows', 'directus_operations'] as const;
const ALL = ['*'];

/** The two ways in which a role says what its holders may do; `other` is what Directus cannot enforce. */
export interface Said {
  readonly portable: readonly JsonObject[];
  readonly native: readonly JsonObject[];
}

/** What a role's permissions come down to, each rule once, in one order. */
export function rulesOf({ portable, native }: Said): readonly Rule[] {
  const rules = [
    ...portable.filter((one) => obstacleOf(one) === undefined).flatMap(portableRules),
    ...native.map(ruleOf),
  ];
  const distinct = new Map(rules.map((rule) => [keyOf(rule), rule]));
  return [...distinct].toSorted(([one], [other]) => compare(one, other)).map(([, rule]) => rule);
}

/** The form in which permissions are compared: portable as far as that reaches, merged and sorted. */
export function normalizePermissions(said: Said): {
  readonly permissions: readonly JsonObject[];
  readonly native: readonly JsonObject[];
} {
  const refused = said.portable.filter((one) => obstacleOf(one) !== undefined);
  const { permissions, native } = permissionsFor(rulesOf(said));
  return { permissions: sorted([...permissions, ...refused]), native };
}

/** What rules say in portable terms, and those that go beyond them. */
function permissionsFor(rules: readonly Rule[]): {
  readonly permissions: readonly JsonObject[];
  readonly native: readonly JsonObject[];
} {
  const isPortable = (rule: Rule): boolean =>
    rule.validation === null &&
    rule.presets === null &&
    DATA_VERBS.includes(rule.action) &&
    (rule.where === null || rule.action !== 'create');
  const portable = rules.filter(isPortable);
  const workflow = DATA_VERBS.filter((verb) =>
    WORKFLOW.every((collection) =>
      portable.some((rule) => isWhole(rule) && rule.collection === collection && rule.action === verb),
    ),
  );
  const isWorkflow = (rule: Rule): boolean =>
    isWhole(rule) && workflow.includes(rule.action) && WORKFLOW.some((collection) => collection === rule.collection);
  const data = Map.groupBy(
    portable.filter((rule) => !isWorkflow(rule)),
    ({ collection, fields, where }) => canonicalJson([collection, fields, where]),
  );
  const permissions = [...data.values()].flatMap((same): JsonObject[] => {
    const [rule] = same;
    if (rule === undefined) return [];
    const fields = isAll(rule.fields) ? {} : { fields: rule.fields };
    const where = rule.where === null ? {} : { where: rule.where };
    const verbs = [...new Set(same.map(({ action }) => action))].toSorted();
    return [{ on: 'data', collection: rule.collection, verbs, ...fields, ...where }];
  });
  const flows: JsonObject[] = workflow.length === 0 ? [] : [{ on: 'workflow', verbs: workflow.toSorted() }];
  return {
    permissions: sorted([...flows, ...permissions]),
    native: sorted(rules.filter((rule) => !isPortable(rule)).map(nativeOf)),
  };
}

/** A rule as a row of the table. */
export function rowOf(rule: Rule): JsonObject {
  const { collection, action, where, validation, presets, fields } = rule;
  return { collection, action, permissions: where ?? {}, validation, presets, fields };
}

/** A row of the table, or an entry of `native.permissions`, as a rule. */
export function ruleOf(row: JsonObject): Rule {
  const fields = row['fields'];
  return {
    collection: textOf(row['collection']) ?? '',
    action: textOf(row['action']) ?? '',
    where: conditionOf(row['permissions']),
    validation: conditionOf(row['validation']),
    presets: conditionOf(row['presets']),
    // Said by nobody it is all of them; null and an empty list, as a row has them, are none.
    fields: 'fields' in row ? fieldsOf(fields) : ALL,
  };
}

/** Equal for equal rules. */
export function keyOf(rule: Rule): string {
  return canonicalJson({ ...rule });
}

/** Whether a licence without custom rules lets a rule through. */
export function isPlain(rule: Rule): boolean {
  return isWhole(rule) && rule.validation === null && rule.presets === null;
}

/** Why Directus cannot enforce a portable permission exactly; undefined when it can. */
export function obstacleOf(permission: JsonObject): { readonly because: string; readonly remedy: string } | undefined {
  const { on, where } = permission;
  const verbs = textsOf(permission['verbs']);
  if (on === 'integration') {
    return {
      because: 'Directus has no integrations to give rights on',
      remedy: 'Remove the permission on integration.',
    };
  }
  if (verbs.includes('run')) {
    return {
      because:
        'Directus has no right to run flows: whoever may read a collection may run the manual flows on it, and whoever knows the address of a webhook may call it',
      remedy: 'Remove run; give read on the collection that the flow is on.',
    };
  }
  if (on === 'data' && where !== undefined && verbs.includes('create')) {
    return {
      because: 'a record that does not exist yet meets no condition; Directus checks what is created in another way',
      remedy: 'Give create a permission of its own, and say the condition as validation in native.permissions.',
    };
  }
  if (on === 'data' || on === 'workflow') return undefined;
  return { because: `Directus knows no permission on ${wordOf(on)}`, remedy: 'Use on: data or on: workflow.' };
}

function portableRules(permission: JsonObject): readonly Rule[] {
  const { on, collection } = permission;
  const verbs = textsOf(permission['verbs']);
  const plain = { validation: null, presets: null };
  if (on === 'workflow') {
    return WORKFLOW.flatMap((name) =>
      verbs.map((action) => ({ ...plain, collection: name, action, where: null, fields: ALL })),
    );
  }
  const fields = permission['fields'] === undefined ? ALL : fieldsOf(permission['fields']);
  const where = conditionOf(permission['where']);
  return verbs.map((action) => ({ ...plain, collection: textOf(collection) ?? '', action, where, fields }));
}

function nativeOf(rule: Rule): JsonObject {
  return {
    collection: rule.collection,
    action: rule.action,
    ...given({ permissions: rule.where, validation: rule.validation, presets: rule.presets }),
    ...(isAll(rule.fields) ? {} : { fields: rule.fields }),
  };
}

function conditionOf(value: JsonValue | undefined): JsonObject | null {
  return isObject(value) && Object.keys(value).length > 0 ? value : null;
}

function fieldsOf(value: JsonValue | undefined): readonly string[] {
  const fields = textsOf(value);
  return fields.includes('*') ? ALL : [...new Set(fields)].toSorted();
}

function isAll(fields: readonly string[]): boolean {
  return fields.length === 1 && fields[0] === '*';
}

function isWhole({ fields, where }: Rule): boolean {
  return isAll(fields) && where === null;
}

function sorted(objects: readonly JsonObject[]): readonly JsonObject[] {
  const distinct = new Map(objects.map((object) => [canonicalJson(object), object]));
  return [...distinct].toSorted(([one], [other]) => compare(one, other)).map(([, object]) => object);
}

/** The permissions of a role's normal form. */
export function saidBy(spec: JsonObject): Said {
  const native = spec['native'];
  return {
    portable: objectsOf(spec['permissions']),
    native: isObject(native) ? objectsOf(native['permissions']) : [],
  };
}
