import jsonPatch, { JsonPatchError } from 'fast-json-patch';
import type { Operation } from 'fast-json-patch';
import type { DefinitionFormat, JsonObject, JsonValue } from './manifest.ts';
import { mergePatch, replaceAt } from './merge-patch.ts';
import { isObject } from './pointer.ts';
import { didYouMean } from './suggest.ts';

/** Something in a patch that cannot be applied; `path` leads to it inside the patch document. */
export interface PatchFlaw {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly remedy: string;
}

const FIELDS = ['apiVersion', 'kind', 'metadata', 'spec', 'jsonPatch', 'nodes'];
const DEFINITION = '/spec/definition';

/** Whether a document says by itself that it patches another one. */
export function isPatch(doc: JsonObject): boolean {
  return doc['jsonPatch'] !== undefined || doc['nodes'] !== undefined;
}

/** Whether a patch changes the definition, so that the definition has to be read to apply it. */
export function touchesDefinition(patch: JsonObject, hasInline: boolean): boolean {
  return hasInline || patch['nodes'] !== undefined || operationsOf(patch).some(isOnDefinition);
}

/**
 * Applies the parts of a patch document that do not touch the definition: a merge patch of metadata and spec, then its
 * JSON patch (RFC 6902).
 */
export function patchManifest(target: JsonObject, patch: JsonObject, flaws: PatchFlaw[]): JsonObject {
  checkShape(patch, flaws);
  const { metadata, spec } = patch;
  let result: JsonValue = target;
  const merge: Record<string, JsonValue> = {};
  if (isObject(metadata)) merge['metadata'] = metadata;
  if (isObject(spec)) {
    merge['spec'] = spec;
    // Another place for the definition replaces the present one, whichever way it was given.
    if (isObject(spec['definitionFrom']) && spec['definition'] === undefined)
      result = mergePatch(result, { spec: { definition: null } });
  }
  result = mergePatch(result, merge);
  const given = isObject(spec) ? spec : {};
  const present = isObject(target['spec']) ? target['spec'] : {};
  // A patch of the definition is applied to the definition, wherever that is kept.
  if (
    given['definition'] !== undefined &&
    given['definitionFrom'] === undefined &&
    isObject(present['definitionFrom'])
  ) {
    result = mergePatch(result, { spec: { definition: null } });
  }
  const small = operationsOf(patch).filter((entry) => !isOnDefinition(entry));
  const patched = applyOperations(result, small, '', flaws);
  return isObject(patched) ? patched : target;
}

/** Applies the parts of a patch document that touch the definition: merge patch, JSON patch, then nodes by name. */
export function patchDefinition(
  definition: JsonValue,
  patch: { readonly doc: JsonObject; readonly merge: JsonValue | undefined; readonly format: DefinitionFormat },
  flaws: PatchFlaw[],
): JsonValue {
  const { doc, merge, format } = patch;
  let result = merge === undefined ? definition : mergePatch(definition, merge);
  result = applyOperations(result, operationsOf(doc).filter(isOnDefinition), DEFINITION, flaws);
  const { nodes } = doc;
  if (!isObject(nodes)) return result;
  for (const [name, change] of Object.entries(nodes)) result = patchNode(result, { name, change, format }, flaws);
  return result;
}

function patchNode(
  definition: JsonValue,
  patch: { readonly name: string; readonly change: JsonValue; readonly format: DefinitionFormat },
  flaws: PatchFlaw[],
): JsonValue {
  const { name, change, format } = patch;
  const path = ['nodes', name];
  const all = format.nodes(definition);
  const named = all.filter((node) => node.name === name);
  const [only] = named;
  if (only === undefined) {
    const names = [...new Set(all.map((node) => node.name))];
    const otherwise =
      names.length === 0 ? 'The definition has no named nodes.' : `Nodes are ${names.slice(0, 20).join(', ')}.`;
    flaws.push({
      path,
      message: `the definition has no node named "${name}".`,
      remedy: didYouMean(name, names, otherwise),
    });
    return definition;
  }
  if (named.length > 1) {
    const message = `the definition has ${named.length} nodes named "${name}", and which one is meant cannot be told.`;
    flaws.push({ path, message, remedy: 'Give the node a name of its own, or use jsonPatch.' });
    return definition;
  }
  if (!isObject(change)) {
    flaws.push({
      path,
      message: 'the patch of a node is not a mapping.',
      remedy: 'Write the fields of the node that change.',
    });
    return definition;
  }
  return replaceAt(definition, only.pointer, (node) => mergePatch(node, change)) ?? definition;
}

interface Entry {
  readonly index: number;
  readonly operation: Readonly<Record<string, JsonValue>>;
}

function operationsOf(patch: JsonObject): readonly Entry[] {
  const operations = patch['jsonPatch'];
  if (!Array.isArray(operations)) return [];
  return operations.flatMap((operation: JsonValue, index) => (isObject(operation) ? [{ index, operation }] : []));
}

function isOnDefinition({ operation }: Entry): boolean {
  const { path } = operation;
  return typeof path === 'string' && (path === DEFINITION || path.startsWith(`${DEFINITION}/`));
}

/** Applies operations whose paths begin with `prefix` to the value that stands there. All of them or none. */
function applyOperations(target: JsonValue, entries: readonly Entry[], prefix: string, flaws: PatchFlaw[]): JsonValue {
  // The library changes what it is given.
  let result = entries.length === 0 ? target : structuredClone<JsonValue>(target);
  for (const { index, operation } of entries) {
    const path = ['jsonPatch', index];
    const { op, path: at, from } = operation;
    if (typeof op !== 'string' || typeof at !== 'string') {
      flaws.push({
        path,
        message: 'an operation needs op and path.',
        remedy: 'Write such as {op: replace, path: /spec/active, value: true}.',
      });
      return target;
    }
    if (
      from !== undefined &&
      (typeof from !== 'string' || !from.startsWith(prefix) || (prefix === '' && from.startsWith(`${DEFINITION}/`)))
    ) {
      flaws.push({
        path,
        message: 'from and path do not lie in the same part of the manifest.',
        remedy: 'Move and copy inside the definition, or outside of it.',
      });
      return target;
    }
    try {
      const moved = {
        ...operation,
        path: at.slice(prefix.length),
        ...(typeof from === 'string' ? { from: from.slice(prefix.length) } : {}),
      };
      result = jsonPatch.applyOperation(result, moved as unknown as Operation, true, true, true).newDocument;
    } catch (error) {
      const code = error instanceof JsonPatchError ? error.name : '';
      const message = `the operation ${op} ${at} cannot be applied: ${REASONS[code] ?? 'it does not fit the manifest'}.`;
      flaws.push({ path, message, remedy: 'Compare its path with the manifest that it patches.' });
      return target;
    }
  }
  return result;
}

function checkShape(patch: JsonObject, flaws: PatchFlaw[]): void {
  for (const name of Object.keys(patch)) {
    if (FIELDS.includes(name)) continue;
    flaws.push({
      path: [name],
      message: `unknown field ${name} of a patch.`,
      remedy: didYouMean(name, FIELDS, `Known here are ${FIELDS.join(', ')}.`),
    });
  }
  const { jsonPatch: operations, nodes, spec } = patch;
  if (operations !== undefined && (!Array.isArray(operations) || !operations.every(isObject))) {
    flaws.push({
      path: ['jsonPatch'],
      message: 'jsonPatch is not a list of operations.',
      remedy: 'Write such as [{op: remove, path: /spec/version}].',
    });
  }
  if (nodes !== undefined && !isObject(nodes)) {
    flaws.push({
      path: ['nodes'],
      message: 'nodes is not a mapping.',
      remedy: 'Write the name of each node, and below it the fields that change.',
    });
  }
  if (nodes !== undefined && patch['kind'] !== 'Workflow') {
    flaws.push({ path: ['nodes'], message: 'only a Workflow has nodes.', remedy: 'Patch spec instead.' });
  }
  if (spec !== undefined && !isObject(spec)) {
    flaws.push({
      path: ['spec'],
      message: 'spec of a patch is not a mapping.',
      remedy: 'Write the fields that change.',
    });
  }
}

const REASONS: Readonly<Record<string, string>> = {
  TEST_OPERATION_FAILED: 'the value there is another one',
  OPERATION_PATH_UNRESOLVABLE: 'there is nothing at its path',
  OPERATION_PATH_CANNOT_ADD: 'there is nothing to add to at its path',
  OPERATION_FROM_UNRESOLVABLE: 'there is nothing at its from',
  OPERATION_OP_INVALID: 'there is no such operation',
  OPERATION_PATH_INVALID: 'its path is not a JSON pointer',
  OPERATION_VALUE_REQUIRED: 'it has no value',
  OPERATION_FROM_REQUIRED: 'it has no from',
};
