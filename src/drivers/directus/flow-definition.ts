import { contentHash } from '../../manifest/canonical.ts';
import type { JsonObject, JsonValue } from '../../manifest/manifest.ts';
import { compare, given, objectOf, objectsOf, textOf } from './json.ts';
import { readNote } from './note.ts';

/** One step of a flow under the name by which others lead to it: its key, numbered where a flow has it twice. */
export interface Labelled {
  readonly label: string;
  readonly operation: JsonObject;
}

/** What a flow tracks of its runs when nobody says (the column's default). */
const ACCOUNTABILITY = 'all';
/** Where the editor puts the first operation, and how far apart it puts the next. */
const GRID = { first: 19, step: 18, row: 1 };

/**
 * The form in which a flow is compared: operations by key instead of id, in one order, without what only one instance
 * knows and without empty values. Takes a flow as the API, an export or a person writes it. Idempotent.
 */
export function normalizeDefinition(definition: JsonValue | undefined): JsonObject {
  const flow = objectOf(definition);
  const operations = labelled(flow['operations']);
  const link = linksTo(operations);
  return {
    ...given({ accountability: flow['accountability'] === undefined ? ACCOUNTABILITY : flow['accountability'] }),
    // "Not tracked" is null on Directus, and not the same as nothing said.
    ...(flow['accountability'] === null ? { accountability: null } : {}),
    ...given({
      color: flow['color'],
      description: readNote(textOf(flow['description']) ?? '').text,
      icon: flow['icon'],
      operation: link(flow['operation']),
    }),
    operations: operations
      .map(({ label, operation }, index) => normalizeOperation({ label, operation, index, link }))
      .toSorted((one, other) => compare(nameOf(one), nameOf(other))),
    options: flow['options'] ?? {},
    ...given({ trigger: flow['trigger'] }),
  };
}

/** Operations with their labels. Where a key stands twice, content decides who is first, so that ids do not matter. */
export function labelled(operations: JsonValue | undefined): readonly Labelled[] {
  const groups = Map.groupBy(objectsOf(operations), nameOf);
  return [...groups].flatMap(([name, same]) =>
    same.length === 1
      ? same.map((operation) => ({ label: name, operation }))
      : same
          .map((operation) => ({
            operation,
            hash: contentHash([
              operation['type'] ?? null,
              operation['options'] ?? null,
              operation['position_x'] ?? null,
              operation['position_y'] ?? null,
            ]),
          }))
          .toSorted((one, other) => compare(one.hash, other.hash))
          .map(({ operation }, index) => ({ label: index === 0 ? name : `${name} #${index + 1}`, operation })),
  );
}

/** What a link says as a label: from an id of the same flow, or as it is. */
export function linksTo(operations: readonly Labelled[]): (link: JsonValue | undefined) => JsonValue | undefined {
  const byId = new Map(
    operations.flatMap(({ label, operation }) => {
      const id = textOf(operation['id']);
      return id === undefined ? [] : [[id, label] as const];
    }),
  );
  return (link) => (typeof link === 'string' ? (byId.get(link) ?? link) : link);
}

/** The label of an operation in normal form. */
export function nameOf(operation: JsonObject): string {
  return textOf(operation['label']) ?? textOf(operation['key']) ?? '';
}

interface Placed extends Labelled {
  readonly index: number;
  readonly link: (link: JsonValue | undefined) => JsonValue | undefined;
}

function normalizeOperation({ label, operation, index, link }: Placed): JsonObject {
  const key = operation['key'];
  return {
    ...given({ key }),
    ...(label === (key ?? '') ? {} : { label }),
    ...given({ name: operation['name'] }),
    options: operation['options'] ?? {},
    position_x: operation['position_x'] ?? GRID.first + GRID.step * index,
    position_y: operation['position_y'] ?? GRID.row,
    ...given({ reject: link(operation['reject']), resolve: link(operation['resolve']), type: operation['type'] }),
  };
}

/** Operations each after those it leads to; undefined when they lead in a circle, which no Directus survives. */
export function inReverse(operations: readonly JsonObject[]): readonly JsonObject[] | undefined {
  const byLabel = new Map(operations.map((operation) => [nameOf(operation), operation]));
  const state = new Map<JsonObject, 'open' | 'done'>();
  const order: JsonObject[] = [];
  for (const start of operations) {
    // An explicit stack: a chain may be longer than the engine's.
    const stack: { readonly operation: JsonObject; next: number }[] = [{ operation: start, next: 0 }];
    while (stack.length > 0) {
      const top = stack.at(-1);
      if (top === undefined) break;
      const operation: JsonObject = top.operation;
      if (top.next === 0 && state.get(operation) === 'done') {
        stack.pop();
        continue;
      }
      state.set(operation, 'open');
      const targets = successors(operation).flatMap((to) => [byLabel.get(to)].filter((one) => one !== undefined));
      const target = targets[top.next++];
      if (target === undefined) {
        state.set(operation, 'done');
        order.push(operation);
        stack.pop();
      } else if (state.get(target) === 'open') return undefined;
      else if (state.get(target) === undefined) stack.push({ operation: target, next: 0 });
    }
  }
  return order;
}

/** Labels that an operation leads to. */
function successors(operation: JsonObject): readonly string[] {
  return [textOf(operation['resolve']), textOf(operation['reject'])].filter((label) => label !== undefined);
}
