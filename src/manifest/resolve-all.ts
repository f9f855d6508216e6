import type { Snapshot } from '../source/source.ts';
import { analyseBuilt, build, filesFor, lookUp } from './definition-reader.ts';
import type { Files } from './definition-reader.ts';
import type { Part } from './definition.ts';
import { conclude, stillHolds } from './outcome.ts';
import type { Outcome, Resolved, Layers } from './doc.ts';
import type { Problem } from '../errors.ts';
import { prepare } from './resolve.ts';
import type { DefinitionPlan, Prepared, ResolveContext } from './resolve.ts';

export interface Resolving {
  readonly context: ResolveContext;
  readonly snapshot: Snapshot;
  readonly signal: AbortSignal;
}

interface Unread {
  readonly layers: Layers;
  readonly prepared: Prepared;
  readonly plan: DefinitionPlan;
  readonly part: Part | undefined;
}

/** Definitions read at once when patches or variables have to be applied to them. */
const BATCH = 100;

/** Resolves every document whose inputs changed; the result is kept on the document. */
export async function resolveAll(
  groups: readonly ReadonlyMap<string, Layers>[],
  files: Files,
  resolving: Resolving,
): Promise<void> {
  const unread: Unread[] = [];
  for (const group of groups) {
    for (const layers of group.values()) {
      const resolved = layers.base.resolved;
      if (resolved !== undefined && stillHolds(resolved, layers, files)) continue;
      const waiting = resolve(layers, files, resolving.context);
      if (waiting !== undefined) unread.push(waiting);
    }
  }
  for (let start = 0; start < unread.length; start += BATCH)
    await readBatch(unread.slice(start, start + BATCH), files, resolving);
}

/** Resolves what can be resolved without reading; gives back what needs the definition's bytes. */
function resolve(layers: Layers, files: Files, context: ResolveContext): Unread | undefined {
  const { base } = layers;
  // What it depends on is not known before it is read: until then nothing holds.
  delete base.resolved;
  const preparation = prepare(layers, context);
  if (!preparation.ok) {
    keep(layers, preparation.schemaFile, files, preparation);
    return undefined;
  }
  const { prepared } = preparation;
  const { definition: plan } = prepared;
  if (plan === undefined) {
    keep(layers, prepared.schemaFile, files, conclude(layers, prepared, undefined));
    return undefined;
  }
  const known = lookUp(layers, plan, prepared.title, files);
  if (known.state === 'unread') return { layers, prepared, plan, part: known.part };
  keep(layers, fileOf(plan), files, known.state === 'known' ? conclude(layers, prepared, known) : known);
  return undefined;
}

async function readBatch(
  batch: readonly Unread[],
  files: Files,
  { context, snapshot, signal }: Resolving,
): Promise<void> {
  const paths = [...new Set(batch.flatMap(({ plan }) => filesFor(plan)))];
  const texts = await readTexts(snapshot, paths, signal);
  for (const { layers, prepared, plan, part } of batch) {
    const what = { layers, plan, part, context, texts };
    const built = build(what);
    if (built.value === undefined) keep(layers, fileOf(plan), files, built);
    else
      keep(
        layers,
        fileOf(plan),
        files,
        conclude(layers, prepared, {
          analysis: analyseBuilt(what, built.value, files),
          references: built.references,
          ...(part === undefined ? {} : { part }),
        }),
      );
  }
}

/** Texts of files by path. @throws ReconcilerError when a file cannot be read. */
export async function readTexts(
  snapshot: Snapshot,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const texts = new Map<string, string>();
  if (paths.length === 0) return texts;
  for await (const { path, bytes } of snapshot.read(paths, signal)) texts.set(path, new TextDecoder().decode(bytes));
  return texts;
}

function fileOf({ source }: DefinitionPlan): string | undefined {
  return source !== undefined && 'file' in source ? source.file : undefined;
}

/** @param definitionFile the file, beside the document and its patches, that all this depends on */
function keep(
  layers: Layers,
  definitionFile: string | undefined,
  files: Files,
  { problems, outcome }: { readonly problems: readonly Problem[]; readonly outcome?: Outcome },
): void {
  const { base, patches } = layers;
  const resolved: Resolved = {
    patches,
    definitionFile,
    entry: definitionFile === undefined ? undefined : files.get(definitionFile),
    problems,
    ...(outcome === undefined ? {} : { outcome }),
  };
  base.resolved = resolved;
}
