import type { DefinitionFormat, JsonValue } from '../../manifest/manifest.ts';
import { credentialProblems } from './credentials.ts';
import { baseLabelOf } from './labels.ts';
import { placed } from './layout.ts';
import { localDefinition } from './normalize.ts';
import { type RawNode, entriesOf, isRoot, parentOf, roleOf, titleOf } from './raw.ts';
import { type Place, referencesOf } from './references.ts';
import { parseToken } from './tokens.ts';

type Inspection = ReturnType<DefinitionFormat['inspect']>;
type Found = Inspection['problems'][number];
type Reference = Inspection['references'][number];

/** What is wrong in a definition wherever it goes (the server itself checks none of it), and whom it refers to by name. */
export function inspectDefinition(written: JsonValue): Inspection {
  const definition = placed(written);
  const entries = entriesOf(definition);
  if (entries === undefined) {
    return {
      problems: [
        error(
          'The definition is not a list of Node-RED nodes, each with an id and a type.',
          'Export the flow from the editor and keep the list as it is.',
        ),
      ],
      references: [],
    };
  }
  const [root, ...nodes] = localDefinition(definition);
  const known = new Set([root.id, ...nodes.map((node) => node.id)]);
  const problems = [
    ...credentialProblems(entries).map((found) => error(found.message, found.remedy)),
    ...duplicates(entries),
    ...rootProblems(entries),
    ...[root, ...nodes].flatMap((node) => dangling(node, known)),
  ];
  return { problems, references: referencesByName([root, ...nodes]) };
}

/** The objects that entries name, each once. */
function referencesByName(nodes: readonly RawNode[]): readonly Reference[] {
  const found = new Map<string, Reference>();
  for (const node of nodes) {
    for (const { id } of referencesOf(node)) {
      const token = parseToken(id);
      const [first = '', second = ''] = token?.parts ?? [];
      const label = baseLabelOf(node);
      if (token?.kind === 'integration')
        found.set(id, { kind: 'Integration', type: first, title: second, node: label });
      if (token?.kind === 'workflow') found.set(id, { kind: 'Workflow', title: first, node: label });
    }
  }
  return [...found.values()];
}

function duplicates(entries: readonly RawNode[]): readonly Found[] {
  return [...Map.groupBy(entries, (entry) => entry.id)]
    .filter(([, same]) => same.length > 1)
    .map(([id, same]) =>
      error(
        `Two nodes have the id "${id}": ${same.map((node) => `"${titleOf(node)}"`).join(' and ')}.`,
        'Give each node an id of its own; the server keeps only one of them.',
      ),
    );
}

function rootProblems(entries: readonly RawNode[]): readonly Found[] {
  const roots = entries.filter(isRoot);
  const problems: Found[] = [];
  if (roots.length > 1) {
    const titles = roots.map((root) => `"${titleOf(root)}"`).join(', ');
    problems.push(
      error(
        `The definition holds ${roots.length} tabs and subflows (${titles}); a Workflow is one.`,
        'Write one Workflow for each, or put the export itself into the path: it becomes one Workflow per tab and subflow.',
      ),
    );
  }
  for (const entry of entries) {
    if (isRoot(entry) || roleOf(entry) !== 'config' || parentOf(entry) !== undefined) continue;
    problems.push({
      message: `The definition holds the ${entry.type} "${titleOf(entry)}"; only its name is used here, its settings are not written.`,
      remedy: 'Write an Integration for it, or remove it here if it stands on the platform already.',
      severity: 'warning',
    });
  }
  return problems;
}

function dangling(node: RawNode, known: ReadonlySet<string>): readonly Found[] {
  return referencesOf(node).flatMap(({ place, id }): readonly Found[] => {
    if (known.has(id)) return [];
    const who = `The ${node.type} node "${titleOf(node)}" (${node.id})`;
    if (place === 'subflow') {
      if (parseToken(id)?.kind === 'workflow') return [];
      return [
        error(
          `${who} is an instance of a subflow that the definition names only by the id ${id} of another instance.`,
          'Write its type as "subflow:@workflow/TITLE", or export the subflow together with the flow.',
        ),
      ];
    }
    return place === 'node' ? [danglingNode(node, id, who)] : danglingLink(place, id, who);
  });
}

function danglingNode(node: RawNode, id: string, who: string): Found {
  const wired = 'wires' in node || node.type === 'subflow';
  const inWires =
    wired && JSON.stringify([node['wires'], node['in'], node['out'], node['status']]).includes(JSON.stringify(id));
  const message = `${who} refers to the node ${id}, which is not in the definition.`;
  return inWires
    ? error(message, 'Remove the wire, or add the node it leads to.')
    : { message, remedy: 'Remove the id from the group, scope or list that names it.', severity: 'warning' };
}

function danglingLink(place: Place, id: string, who: string): readonly Found[] {
  if (place !== 'link' || parseToken(id)?.kind === 'link') return [];
  return [
    {
      message: `${who} is linked to the node ${id} outside the definition, by an id that only its own instance knows.`,
      remedy: 'Name the other end as "@link/FLOW TITLE/NODE NAME", or remove it.',
      severity: 'warning',
    },
  ];
}

function error(message: string, remedy: string): Found {
  return { message, remedy, severity: 'error' };
}
