import type { Layers } from './doc.ts';
import type { Origin, Problem } from '../errors.ts';
import { posix } from 'node:path';
import { analyse, baseName, definitionIn } from './definition.ts';
import type { Analysis, Part } from './definition.ts';
import { fileProblem } from './files.ts';
import type { FileContext, FileEntry, JsonFile } from './files.ts';
import type { JsonObject, JsonValue } from './manifest.ts';
import { markedIn } from './output-reference.ts';
import type { LocatedReference } from './output-reference.ts';
import { patchDefinition } from './overlay.ts';
import type { PatchFlaw } from './overlay.ts';
import { valueAt } from './pointer.ts';
import { patchProblem, placeOf } from './resolve.ts';
import type { DefinitionPlan } from './resolve.ts';
import { TextLines } from './text-position.ts';
import { substitute } from './variables.ts';
import type { UndefinedVariable } from './variables.ts';
import { parseTrees } from './yaml-tree.ts';
import { didYouMean } from './suggest.ts';

export type Files = ReadonlyMap<string, FileEntry>;

/** What is known of a definition without reading it: its analysis, that its bytes are needed, or that it cannot be had. */
export type Known =
  | { readonly state: 'known'; readonly analysis: Analysis; readonly part?: Part }
  | { readonly state: 'unread'; readonly part?: Part }
  | { readonly state: 'broken'; readonly problems: readonly Problem[] };

/** What can be said of a Workflow's definition from what earlier reading left behind. */
export function lookUp(layers: Layers, plan: DefinitionPlan, title: string, files: Files): Known {
  const { base } = layers;
  const untouched = plan.patches.length === 0 && !plan.template;
  const { source } = plan;
  if (source === undefined || 'inline' in source) {
    const analysis = untouched ? base.analyses?.get(plan.format.name) : undefined;
    return analysis === undefined ? { state: 'unread' } : { state: 'known', analysis };
  }
  const entry = files.get(source.file);
  const json = entry?.json;
  if (json === undefined) return { state: 'broken', problems: [missing(layers, source.file, entry, files)] };
  if (json.broken !== undefined) {
    const message = `the definition file ${source.file} cannot be used: ${json.broken.message}`;
    const own: Problem = { ...json.broken, key: base.key };
    return {
      state: 'broken',
      problems: [own, { ...whereNamed(layers), message, remedy: json.broken.remedy, severity: 'error', key: base.key }],
    };
  }
  if (json.problems.some(({ severity }) => severity === 'error')) {
    return { state: 'broken', problems: json.problems.map((problem) => ({ ...problem, key: base.key })) };
  }
  const whole = json.format === plan.format.name ? undefined : json.whole?.get(plan.format.name);
  if (json.format !== plan.format.name)
    return whole === undefined || !untouched ? { state: 'unread' } : { state: 'known', analysis: whole };
  const chosen = source.part ?? choosePart(json, title);
  const analysis = json.parts.find(({ kind, part }) => kind === chosen?.kind && part === chosen.part)?.analysis;
  if (chosen === undefined || analysis === undefined) {
    return {
      state: 'broken',
      problems: [{ ...whereNamed(layers), ...unclear(json, source.file), severity: 'error', key: base.key }],
    };
  }
  return untouched ? { state: 'known', analysis, part: chosen } : { state: 'unread', part: chosen };
}

/**
 * Which workflow of an export a manifest means: the only one; else the one with the manifest's title; else the only one
 * that no other part of the export needs (a flow beside its subflows).
 */
function choosePart(json: JsonFile, title: string): Part | undefined {
  const workflows = json.parts.filter(({ kind }) => kind === 'Workflow');
  const [only] = workflows;
  if (workflows.length === 1) return only;
  const main = workflows.find(({ part }) => part === '') ?? workflows.find((one) => one.title === title);
  if (main !== undefined) return main;
  const needed = new Set(json.parts.flatMap(({ needs }) => needs.map(({ kind, part }) => `${kind}/${part}`)));
  const free = workflows.filter(({ kind, part }) => !needed.has(`${kind}/${part}`));
  return free.length === 1 ? free[0] : undefined;
}

function unclear(json: JsonFile, file: string): { message: string; remedy: string } {
  const titles = json.parts.filter(({ kind }) => kind === 'Workflow').map(({ title }) => `"${title}"`);
  if (titles.length === 0)
    return {
      message: `the definition file ${file} holds no workflow.`,
      remedy: 'Export the workflow itself, not only what it uses.',
    };
  const message = `the definition file ${file} holds ${titles.length} workflows, and which one is meant cannot be told.`;
  return { message, remedy: `Set spec.title to one of ${titles.slice(0, 10).join(', ')}, or export them one by one.` };
}

function whereNamed(layers: Layers): Pick<Problem, 'origin'> {
  return { origin: placeOf(layers, ['spec', 'definitionFrom', 'file']) };
}

function missing(layers: Layers, file: string, entry: FileEntry | undefined, files: Files): Problem {
  const common = { ...whereNamed(layers), severity: 'error', key: layers.base.key } as const;
  if (entry !== undefined)
    return {
      ...common,
      message: `the definition file ${file} is a manifest.`,
      remedy: 'Name the file that the platform exported.',
    };
  // Comparing every name with every other would take minutes when a folder of thousands was renamed.
  const base = baseName(file);
  const candidates = [...files.values()].flatMap(({ path, json }) =>
    json !== undefined && near(path, file, base) ? [path] : [],
  );
  const message = `the definition file ${file} does not exist (or lies in an overlay that is not used, or below a name with a leading dot).`;
  return { ...common, message, remedy: didYouMean(file, candidates, 'Add the file, or correct its name.') };
}

function near(path: string, file: string, base: string): boolean {
  return path.endsWith(`/${base}.json`) || path === `${base}.json` || posix.dirname(path) === posix.dirname(file);
}

/** Files whose bytes it takes to build a definition. */
export function filesFor(plan: DefinitionPlan): readonly string[] {
  const files = new Set<string>();
  if (plan.source !== undefined) files.add('file' in plan.source ? plan.source.file : plan.source.inline.file);
  for (const patch of plan.patches) {
    if (patch.definition !== undefined && 'inline' in patch.definition) files.add(patch.definition.inline.file);
  }
  return [...files];
}

export interface Build {
  readonly layers: Layers;
  readonly plan: DefinitionPlan;
  readonly part: Part | undefined;
  readonly context: FileContext;
  /** Texts of `filesFor`. */
  readonly texts: ReadonlyMap<string, string>;
}

/** What was built: a definition, and the outputs that it refers to. */
export interface Built {
  readonly value?: JsonValue;
  readonly problems: readonly Problem[];
  readonly references: readonly LocatedReference[];
}

/** A Workflow's definition: read, variables replaced where asked for, patched. Undefined when there are errors. */
export function build(what: Build): Built {
  const { layers, plan } = what;
  const { base } = layers;
  const problems: Problem[] = [];
  const found: LocatedReference[] = [];
  const raw = baseDefinition(what, problems);
  if (raw === undefined) return { problems, references: [] };
  const home =
    plan.source === undefined || 'inline' in plan.source
      ? placeOf(layers, ['spec', 'definition'])
      : fileProblem(plan.source.file, '', '').origin;
  let value = replaceVariables(raw, what, {
    flaw: (flaw) => problems.push({ ...flaw, origin: home, severity: 'error', key: base.key }),
    reference: (text) => found.push({ text, origin: placeInText(text, home, what) }),
  });
  for (const patch of plan.patches) {
    const inline = inlineOf(patch.definition, what);
    const merge =
      inline === undefined
        ? undefined
        : replaceVariables(inline, what, {
            flaw: (flaw) => problems.push({ ...flaw, origin: patch.origin, severity: 'error', key: base.key }),
            reference: (text) => found.push({ text, origin: placeInText(text, patch.origin, what) }),
          });
    const flaws: PatchFlaw[] = [];
    value = patchDefinition(value, { doc: JSON.parse(patch.json) as JsonObject, merge, format: plan.format }, flaws);
    problems.push(...flaws.map((flaw) => patchProblem(patch, flaw)));
  }
  if (problems.length > 0) return { problems, references: [] };
  // What a patch brought stands in its own document; what a patch took away is used no more.
  const known = [...found, ...plan.patches.flatMap(({ references = [] }) => references)];
  const used = known.length === 0 ? [] : markedIn(value);
  return { value, problems, references: known.filter(({ text }) => used.includes(text)) };
}

function baseDefinition(what: Build, problems: Problem[]): JsonValue | undefined {
  const { layers, plan, part, texts } = what;
  const { source } = plan;
  if (source === undefined) return {};
  if ('inline' in source) return inlineOf(source, what);
  const json = JSON.parse(texts.get(source.file) ?? 'null') as JsonValue;
  const made = definitionIn(plan.format, json, source.file, part);
  if (made.ok) return made.value;
  const message = `the definition file ${source.file} ${made.message}.`;
  problems.push({ ...whereNamed(layers), message, remedy: made.remedy, severity: 'error', key: layers.base.key });
  return undefined;
}

function inlineOf(source: Layers['base']['definition'], what: Build): JsonValue | undefined {
  if (source === undefined || !('inline' in source)) return undefined;
  const { file, index } = source.inline;
  const tree = parseTrees(what.texts.get(file) ?? '', what.context.limits)[index];
  return valueAt(tree?.value, ['spec', 'definition']);
}

function replaceVariables(
  value: JsonValue,
  what: Build,
  on: {
    readonly flaw: (flaw: { message: string; remedy: string }) => void;
    readonly reference: (text: string) => void;
  },
): JsonValue {
  if (!what.plan.template) return value;
  const undefinedVariables: UndefinedVariable[] = [];
  const references: { readonly pointer: string; readonly text: string }[] = [];
  const { variables } = what.context;
  const replaced = substitute(value, { variables, undefinedVariables, references });
  for (const { pointer, message, remedy } of undefinedVariables)
    on.flaw({ message: `the definition ${message} (at ${pointer}).`, remedy });
  for (const { text } of references) on.reference(text);
  return replaced;
}

/** Where a reference is written in the file of a definition; `home` where it is spelled with escapes. */
function placeInText(text: string, home: Origin, { texts }: Build): Origin {
  const { file } = home;
  const whole = texts.get(file);
  if (whole === undefined) return home;
  const lines = new TextLines(whole);
  for (let at = whole.indexOf(`\${ref:${text}}`); at >= 0; at = whole.indexOf(`\${ref:${text}}`, at + 1)) {
    const place = lines.at(at);
    // A document refers to nothing in those before it.
    if (place.line >= home.line) return { file, ...place };
  }
  return home;
}

/** Looks into a built definition and remembers what was found where the bytes alone decide it. */
export function analyseBuilt(what: Build, value: JsonValue, files: Files): Analysis {
  const { plan, layers } = what;
  const analysis = analyse(plan.format, value);
  if (plan.patches.length > 0 || plan.template) return analysis;
  const { source } = plan;
  const found = new Map([[plan.format.name, analysis]]);
  const json = source !== undefined && 'file' in source ? files.get(source.file)?.json : undefined;
  if (json !== undefined) json.whole = new Map([...(json.whole ?? []), ...found]);
  else if (source !== undefined && 'inline' in source)
    layers.base.analyses = new Map([...(layers.base.analyses ?? []), ...found]);
  return analysis;
}
