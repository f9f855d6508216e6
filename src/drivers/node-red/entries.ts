import { ReconcilerError } from '../../errors.ts';
import type { JsonObject, JsonValue } from '../../manifest/manifest.ts';
import type { TriggerRequest } from '../driver.ts';
import { type FlowSet, type RawNode, isList, isObject, textOf, titleOf } from './raw.ts';

/** Methods of http in nodes whose requests have a body. */
const WRITING = ['post', 'put', 'patch'] as const;
type Writing = (typeof WRITING)[number];

/** Where a run of a tab begins. */
export type Entry =
  | { readonly kind: 'http'; readonly node: RawNode; readonly method: Uppercase<Writing>; readonly url: string }
  | { readonly kind: 'inject'; readonly node: RawNode };

/** A workflow that cannot be run on demand: why, and what to add or choose. */
export function notTriggerable(what: string, because: string, remedy: string): ReconcilerError {
  return new ReconcilerError(`${what} cannot be run on demand: ${because}.`, 'never', {
    code: 'not-triggerable',
    remedy,
  });
}

/** How messages name a workflow. */
export function nameOf(set: FlowSet, remote: string): string {
  const root = set.byId.get(remote);
  return `The workflow "${root === undefined ? remote : titleOf(root)}"`;
}

/**
 * The node by which a tab is run: the one the request names; else its only http in node with method post, else its only
 * one with another method that has a body, else its only inject node.
 * @throws ReconcilerError `not-found` or `not-triggerable`.
 */
export function entryOf(set: FlowSet, request: TriggerRequest, platform: string): Entry {
  const root = set.byId.get(request.remote);
  if (root?.type !== 'tab' && root?.type !== 'subflow') {
    throw new ReconcilerError(`There is no tab ${request.remote} on ${platform}.`, 'never', {
      code: 'not-found',
      remedy: 'Look at the platform again: somebody may have deleted it.',
    });
  }
  const what = `${nameOf(set, root.id)} on ${platform}`;
  if (root.type === 'subflow') {
    throw notTriggerable(what, 'it is a subflow, which runs only inside of tabs', 'Run a tab that uses it.');
  }
  if (root['disabled'] === true) {
    throw notTriggerable(what, 'it is not active', 'Set spec.active to true and sync.');
  }
  const nodes = set.membersOf(root.id).filter(({ type }) => type === 'http in' || type === 'inject');
  return request.entry === undefined ? only(nodes, what) : named(nodes, request.entry, what);
}

/** The message an inject node is handed: what a person has set up there, with our input in place of its payload. */
export function injection(node: RawNode, input: JsonValue, correlation: string): JsonObject {
  const legacy: JsonObject = { p: 'topic', vt: 'str' };
  const props = (isList(node['props']) ? node['props'] : [legacy]).flatMap((prop): JsonObject[] => {
    if (!isObject(prop) || /^(payload|plumbline)\b/.test(textOf(prop, 'p') ?? '')) return [];
    const bare = prop['p'] === 'topic' && prop['vt'] === 'str' && prop['v'] === undefined;
    return [bare ? { ...prop, v: node['topic'] ?? '' } : prop];
  });
  return { payload: input, plumbline: { correlation }, __user_inject_props__: props };
}

function named(nodes: readonly RawNode[], name: string, what: string): Entry {
  const [node, ...more] = nodes.filter((one) => textOf(one, 'name') === name);
  if (node === undefined) {
    throw notTriggerable(what, `no http in or inject node of it is named "${name}"`, choose(nodes));
  }
  if (more.length > 0) {
    throw notTriggerable(what, `${more.length + 1} of its nodes are named "${name}"`, 'Give each a name of its own.');
  }
  if (node['d'] === true) throw notTriggerable(what, `its node "${name}" is disabled`, `Enable it. ${choose(nodes)}`);
  const entry = asEntry(node);
  if (entry !== undefined) return entry;
  const remedy = 'Give it a url and method post, or choose another entry.';
  throw notTriggerable(what, `${label(node)} takes no input`, `${remedy} ${choose(nodes)}`);
}

function only(nodes: readonly RawNode[], what: string): Entry {
  const entries = nodes.flatMap((node) => (node['d'] === true ? [] : (asEntry(node) ?? [])));
  const posts = entries.filter((entry) => entry.kind === 'http' && entry.method === 'POST');
  const writing = entries.filter((entry) => entry.kind === 'http');
  const found = [posts, writing, entries].find((list) => list.length > 0) ?? [];
  const [entry, ...more] = found;
  if (entry === undefined) {
    const remedy = 'Add an inject node, or an http in node with method post, to its definition.';
    throw notTriggerable(what, 'it has neither an http in node that takes a body nor an inject node', remedy);
  }
  if (more.length === 0) return entry;
  const list = found.map(({ node }) => node);
  throw notTriggerable(what, `${found.length} of its nodes could begin the run`, choose(list));
}

function asEntry(node: RawNode): Entry | undefined {
  if (node.type === 'inject') return { kind: 'inject', node };
  const method = WRITING.find((one) => one === node['method']);
  const url = textOf(node, 'url');
  if (method === undefined || url === undefined) return undefined;
  return { kind: 'http', node, method: method.toUpperCase() as Uppercase<Writing>, url };
}

/** Which nodes there are to choose from; at most ten. */
function choose(nodes: readonly RawNode[]): string {
  const usable = nodes.filter((node) => node['d'] !== true && asEntry(node) !== undefined);
  if (usable.length === 0) return 'Add an inject node, or an http in node with method post, to its definition.';
  const more = usable.length > 10 ? `, and ${usable.length - 10} more` : '';
  return `Name one as entry (unnamed ones need a name first): ${usable.slice(0, 10).map(label).join(', ')}${more}.`;
}

function label(node: RawNode): string {
  const name = textOf(node, 'name');
  const what =
    node.type === 'inject' ? 'inject' : `http in ${textOf(node, 'method') ?? ''} ${textOf(node, 'url') ?? ''}`;
  return name === undefined ? `an unnamed ${what.trim()}` : `"${name}" (${what.trim()})`;
}
