import { labelsOf } from './labels.ts';
import { type FlowSet, type RawNode, isRoot, parentOf, roleOf, titleOf } from './raw.ts';
import { rewriteReferences } from './references.ts';
import { formatToken, parseToken } from './tokens.ts';

/**
 * Gives the objects of one flow file or server their names, and takes a tab or subflow out of it with everything
 * outside named instead of numbered. Labels on other tabs are worked out when a link first asks for them.
 */
export class Names {
  readonly #set: FlowSet;
  readonly #titles = new Map<string, string[]>();
  readonly #labels = new Map<string, ReadonlyMap<string, string>>();

  constructor(set: FlowSet) {
    this.#set = set;
    for (const entry of [...set.roots, ...set.globals]) {
      const key = shared(entry);
      const list = this.#titles.get(key);
      if (list === undefined) this.#titles.set(key, [entry.id]);
      else list.push(entry.id);
    }
  }

  /** Whether another object of the same type has the same title. */
  isAmbiguous(entry: RawNode): boolean {
    return (this.#titles.get(shared(entry))?.length ?? 0) > 1;
  }

  /** A root and what stands on it, ids kept inside and names put in for everything outside. */
  extract(root: RawNode): readonly [RawNode, ...RawNode[]] {
    const local = this.#set.membersOf(root.id);
    return [this.#named(root, root.id), ...local.map((node) => this.#named(node, root.id))];
  }

  /** A global config node with names for the config nodes it refers to. */
  named(entry: RawNode): RawNode {
    return this.#named(entry, '');
  }

  #named(node: RawNode, root: string, withLinks = true): RawNode {
    return rewriteReferences(node, (place, id) => {
      const target = this.#set.byId.get(id);
      if (target === undefined || target.id === root || parentOf(target) === root) return id;
      if (place === 'subflow' && target.type === 'subflow') return formatToken('workflow', this.#title(target));
      if (place === 'config' && roleOf(target) === 'config' && parentOf(target) === undefined) {
        return formatToken('integration', target.type, this.#title(target));
      }
      return place === 'link' && withLinks ? (this.#linkToken(target) ?? id) : id;
    });
  }

  #linkToken(target: RawNode): string | undefined {
    const root = this.#set.byId.get(parentOf(target) ?? '');
    const label = root === undefined ? undefined : this.#labelsOn(root).get(target.id);
    return root === undefined || label === undefined ? undefined : formatToken('link', this.#title(root), label);
  }

  #labelsOn(root: RawNode): ReadonlyMap<string, string> {
    const known = this.#labels.get(root.id);
    if (known !== undefined) return known;
    const nodes = this.#set.membersOf(root.id);
    // Labels do not look at where links lead, so this never comes back here.
    const labels = labelsOf(
      root,
      nodes.map((node) => this.#named(node, root.id, false)),
    );
    this.#labels.set(root.id, labels);
    return labels;
  }

  #title(entry: RawNode): string {
    return this.isAmbiguous(entry) ? `${titleOf(entry)}#${entry.id}` : titleOf(entry);
  }
}

/** Finds on a server what tokens name. */
export class Directory {
  readonly #byName = new Map<string, RawNode[]>();
  readonly #links = new Map<string, string>();
  readonly #set: FlowSet;

  constructor(set: FlowSet) {
    this.#set = set;
    for (const entry of [...set.roots, ...set.globals]) {
      const list = this.#byName.get(shared(entry)) ?? [];
      list.push(entry);
      this.#byName.set(shared(entry), list);
    }
  }

  /** Every config node of that type and title; a title ending in `#id` names exactly one. */
  integrations(type: string, title: string): readonly RawNode[] {
    return this.#find(`config ${type} ${title}`, title, (entry) => entry.type === type);
  }

  subflows(title: string): readonly RawNode[] {
    return this.#find(`subflow ${title}`, title, (entry) => entry.type === 'subflow');
  }

  /** Tabs and subflows with that title: where a link may lead. */
  flows(title: string): readonly RawNode[] {
    const tabs = this.#find(`tab ${title}`, title, (entry) => entry.type === 'tab');
    return [...tabs, ...(tabs.length === 0 ? this.subflows(title) : [])];
  }

  /** The id of a link node by its tab and label; undefined when there is none, or several. */
  link(flow: string, label: string): string | undefined {
    const roots = this.flows(flow);
    const root = roots[0];
    if (root === undefined || roots.length > 1) return undefined;
    const key = `${root.id} ${label}`;
    if (this.#links.size === 0 || !this.#links.has(`${root.id} flow`)) this.#index(root);
    return this.#links.get(key);
  }

  /** The id behind a token, when exactly one object answers to it. */
  resolve(text: string): string | undefined {
    const token = parseToken(text);
    const [first = '', second = ''] = token?.parts ?? [];
    if (token?.kind === 'link') return this.link(first, second);
    const found =
      token === undefined ? [] : token.kind === 'integration' ? this.integrations(first, second) : this.subflows(first);
    return found.length === 1 ? found[0]?.id : undefined;
  }

  #index(root: RawNode): void {
    const [named, ...nodes] = new Names(this.#set).extract(root);
    for (const [id, label] of labelsOf(named, nodes)) this.#links.set(`${root.id} ${label}`, id);
  }

  #find(key: string, title: string, fits: (entry: RawNode) => boolean): readonly RawNode[] {
    const found = this.#byName.get(key);
    if (found !== undefined) return found;
    const id = title.slice(title.lastIndexOf('#') + 1);
    const entry = title.includes('#') ? this.#set.byId.get(id) : undefined;
    return entry !== undefined && fits(entry) && `${titleOf(entry)}#${id}` === title ? [entry] : [];
  }
}

function shared(entry: RawNode): string {
  return isRoot(entry) ? `${entry.type} ${titleOf(entry)}` : `config ${entry.type} ${titleOf(entry)}`;
}
