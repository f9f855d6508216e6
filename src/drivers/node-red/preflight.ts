import type { JsonObject } from '../../manifest/manifest.ts';
import type { Refusal, Step } from '../driver.ts';
import type { NodeTypes, Snapshot } from './client.ts';
import { inspectDefinition } from './inspect.ts';
import { Directory } from './names.ts';
import { localDefinition } from './normalize.ts';
import { isKnownType } from './observe.ts';
import { type RawNode, isRoot, parentOf, roleOf, textOf, titleOf } from './raw.ts';
import { referencesOf, subflowOf } from './references.ts';
import { type Token, describeToken, parseToken } from './tokens.ts';

export interface Ground {
  readonly snapshot: Snapshot;
  readonly types: NodeTypes;
}
type Obstacle = Omit<Refusal, 'key'>;

/** A step and what it wants, read once. */
interface Wanted {
  readonly step: Step;
  readonly spec: JsonObject;
  readonly entries: readonly RawNode[];
}

/**
 * What Node-RED would take and could not survive, or would lose without a word, found before the first write: the server
 * checks neither types nor references, and one unknown type stops every flow, also those of others.
 */
export async function preflightFlows(steps: readonly Step[], ground: Ground): Promise<readonly Refusal[]> {
  const writes = steps.filter(({ change }) => change.verb !== 'delete' && change.verb !== 'release');
  const wanted = await Promise.all(
    writes.map(async (step): Promise<Wanted> => {
      const spec = await step.desired();
      const isFlow = step.change.kind === 'Workflow';
      return { step, spec, entries: isFlow ? localDefinition(spec['definition'] ?? [], textOf(spec, 'title')) : [] };
    }),
  );
  const landscape = new Landscape(ground, steps, wanted);
  return wanted.flatMap((want) =>
    [...obstaclesOf(want, ground, landscape)]
      .slice(0, 1)
      .map((obstacle) => ({ key: want.step.change.key, ...obstacle })),
  );
}

function* obstaclesOf(want: Wanted, ground: Ground, landscape: Landscape): Generator<Obstacle> {
  const { step, spec, entries } = want;
  if (step.change.kind === 'Integration') {
    yield* typeObstacle(textOf(spec, 'type') ?? '', `The type of Integration "${step.change.title}"`, ground.types);
    yield* referenceObstacles(integrationEntry(spec), landscape);
    return;
  }
  if (step.change.kind !== 'Workflow') return;
  for (const problem of inspectDefinition(spec['definition'] ?? []).problems) {
    if (problem.severity === 'error') yield { because: problem.message, remedy: problem.remedy };
  }
  if (entries[0]?.type === 'subflow' && spec['active'] !== undefined) {
    yield { because: 'a subflow cannot be active or not', remedy: 'Remove spec.active.' };
  }
  for (const node of entries) {
    if (subflowOf(node) === undefined) yield* typeObstacle(node.type, `Node "${titleOf(node)}"`, ground.types);
    yield* referenceObstacles(node, landscape);
  }
  const circle = landscape.circleFrom(step.change.title);
  if (entries[0]?.type === 'subflow' && circle !== undefined) {
    yield {
      because: `subflows contain each other: ${circle.join(' → ')}`,
      remedy: 'Take one of them out of the other.',
    };
  }
}

function* typeObstacle(type: string, who: string, types: NodeTypes): Generator<Obstacle> {
  if (isKnownType(type, types.usable)) return;
  const fault = types.broken.get(type);
  const effect = 'an unknown type stops every flow on the platform';
  if (fault !== undefined) {
    yield {
      because: `${who} is of type ${type}, which is installed but does not work (${fault}); ${effect}`,
      remedy: 'Enable or repair that module in the palette manager of the editor.',
    };
    return;
  }
  yield {
    because: `${who} is of type ${type}, which is not installed there; ${effect}`,
    remedy: `Install the module that brings ${type} (palette manager, or npm in the user directory), then try again.`,
  };
}

function* referenceObstacles(node: RawNode, landscape: Landscape): Generator<Obstacle> {
  for (const { place, id } of referencesOf(node)) {
    const who = `node "${titleOf(node)}" (${node.type})`;
    const token = parseToken(id);
    if (token !== undefined) {
      const count = landscape.count(token);
      if (count === 1) continue;
      const what = describeToken(token);
      yield count === 0
        ? {
            because: `${who} needs ${what}, which is neither there nor in git`,
            remedy: `Write ${what} in git, or create it on the platform.`,
          }
        : { because: `${who} needs ${what}, and ${count} have that name`, remedy: 'Give each a name of its own.' };
    } else if (place === 'config' || place === 'link') {
      const stranger = landscape.strangerBehind(id, place);
      if (stranger === undefined) continue;
      yield {
        because: `${who} names "${titleOf(stranger)}" by ${id}, an id that only this instance knows`,
        remedy:
          place === 'link'
            ? 'Write "@link/FLOW TITLE/NODE NAME" instead.'
            : `Write "@integration/${stranger.type}/${titleOf(stranger)}" instead.`,
      };
    }
  }
}

function integrationEntry(spec: JsonObject): RawNode {
  const settings = spec['settings'];
  return {
    ...(typeof settings === 'object' && settings !== null ? (settings as JsonObject) : {}),
    id: '',
    type: textOf(spec, 'type') ?? '',
  };
}

/** The platform as it will be when all steps are done, by name. */
class Landscape {
  readonly #directory: Directory;
  readonly #ground: Ground;
  readonly #leaving: ReadonlySet<string>;
  readonly #wanted: readonly Wanted[];
  #nesting: ReadonlyMap<string, readonly string[]> | undefined;

  constructor(ground: Ground, steps: readonly Step[], wanted: readonly Wanted[]) {
    this.#ground = ground;
    this.#wanted = wanted;
    this.#directory = new Directory(ground.snapshot.set);
    // What is written anew counts by its new name, what is deleted does not count any more.
    this.#leaving = new Set(
      steps.flatMap(({ change }) => (change.verb === 'create' || change.verb === 'release' ? [] : [change.remote.id])),
    );
  }

  /** How many objects will answer to a token. */
  count(token: Token): number {
    const [first = '', second = ''] = token.parts;
    if (token.kind === 'link') return this.#links(first, second);
    const isIntegration = token.kind === 'integration';
    const there = isIntegration ? this.#directory.integrations(first, second) : this.#directory.subflows(first);
    const coming = this.#wanted.filter(({ step, spec, entries }) =>
      isIntegration
        ? step.change.kind === 'Integration' && spec['type'] === first && step.change.title === second
        : entries[0]?.type === 'subflow' && step.change.title === first,
    );
    return there.filter((entry) => !this.#leaving.has(entry.id)).length + coming.length;
  }

  /** An object of the platform behind a raw id, which another instance would not have. */
  strangerBehind(id: string, place: 'config' | 'link'): RawNode | undefined {
    const target = this.#ground.snapshot.set.byId.get(id);
    if (target === undefined || isRoot(target)) return undefined;
    const fits =
      place === 'link'
        ? target.type.startsWith('link ')
        : roleOf(target) === 'config' && parentOf(target) === undefined;
    return fits ? target : undefined;
  }

  /** The way from a subflow through those it contains back to itself. */
  circleFrom(title: string): readonly string[] | undefined {
    this.#nesting ??= this.#nestings();
    const seen = new Set<string>();
    const walk = (at: string, path: readonly string[]): readonly string[] | undefined => {
      for (const next of this.#nesting?.get(at) ?? []) {
        if (next === title) return [...path, next];
        if (seen.has(next)) continue;
        seen.add(next);
        const found = walk(next, [...path, next]);
        if (found !== undefined) return found;
      }
      return undefined;
    };
    return walk(title, [title]);
  }

  #links(flow: string, label: string): number {
    const coming = this.#wanted.find(({ step }) => step.change.kind === 'Workflow' && step.change.title === flow);
    if (coming !== undefined)
      return coming.entries.some((node) => node.id === label || titleOf(node) === label) ? 1 : 0;
    return this.#directory.link(flow, label) === undefined ? 0 : 1;
  }

  #nestings(): ReadonlyMap<string, readonly string[]> {
    const { set } = this.#ground.snapshot;
    const nesting = new Map<string, readonly string[]>();
    for (const root of set.roots) {
      if (root.type !== 'subflow' || this.#leaving.has(root.id)) continue;
      const inside = set.membersOf(root.id).flatMap((node) => set.byId.get(subflowOf(node) ?? '') ?? []);
      nesting.set(titleOf(root), inside.map(titleOf));
    }
    for (const { step, entries } of this.#wanted) {
      if (entries[0]?.type !== 'subflow') continue;
      const inside = entries.flatMap((node) => parseToken(subflowOf(node) ?? '')?.parts[0] ?? []);
      nesting.set(step.change.title, inside);
    }
    return nesting;
  }
}
