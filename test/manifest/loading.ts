import type { DefinitionFormat, Desired, JsonObject, JsonValue, RawObject } from '../../src/manifest/manifest.ts';
import { ManifestLoader } from '../../src/manifest/load.ts';
import type { LoadOptions } from '../../src/manifest/load.ts';
import { formatProblem } from '../../src/errors.ts';
import { snapshotOf } from './snapshots.ts';

/** A format of the tests' own: `{toy: {flows: [{name, steps, uses}], links: [{type, name, url}]}}`. */
const toyFormat: DefinitionFormat = {
  name: 'toy',
  recognizes: (json) => isRecord(json) && isRecord(json['toy']),
  split(json) {
    const toy = (json as { toy: { flows?: JsonObject[]; links?: JsonObject[] } }).toy;
    const flows = toy.flows ?? [];
    const links = toy.links ?? [];
    const objects: RawObject[] = [
      ...flows.map((flow): RawObject => ({
        kind: 'Workflow',
        part: flows.length === 1 ? '' : textOf(flow['name']),
        title: textOf(flow['name']),
        spec: { active: true, definition: flow },
        needs: (Array.isArray(flow['needs']) ? flow['needs'] : []).map((name: JsonValue) => ({
          kind: 'Workflow' as const,
          part: textOf(name),
        })),
      })),
      ...links.map((link): RawObject => ({
        kind: 'Integration',
        part: links.length === 1 ? '' : textOf(link['name']),
        title: textOf(link['name']),
        spec: { type: textOf(link['type']), settings: { url: link['url'] ?? '' } },
        needs: [],
      })),
    ];
    return { objects, problems: [] };
  },
  nodes: (definition) => {
    const steps =
      isRecord(definition) && Array.isArray(definition['steps']) ? (definition['steps'] as JsonObject[]) : [];
    return steps.map((step, index) => ({ name: textOf(step['name']), pointer: `/steps/${index}` }));
  },
  inspect: (definition) => {
    if (!isRecord(definition))
      return { problems: [{ message: 'is no flow.', remedy: 'Write a flow.', severity: 'error' }], references: [] };
    const uses = Array.isArray(definition['uses']) ? (definition['uses'] as JsonObject[]) : [];
    return {
      problems:
        definition['broken'] === true
          ? [{ message: 'the flow is broken.', remedy: 'Mend it.', severity: 'error' }]
          : [],
      references: uses.map(({ kind, type, title }) => ({
        kind: kind === 'Workflow' ? 'Workflow' : 'Integration',
        title: textOf(title),
        node: 'step',
        ...(type === undefined ? {} : { type: textOf(type) }),
      })),
    };
  },
};

function isRecord(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '';
}

export function loaderWith(options: Partial<LoadOptions> = {}): ManifestLoader {
  return new ManifestLoader({ formats: [toyFormat], defaultFormat: 'toy', ...options });
}

export function signal(): AbortSignal {
  return AbortSignal.timeout(30_000);
}

export function load(
  files: Readonly<Record<string, string | Buffer>>,
  options: Partial<LoadOptions> = {},
): Promise<Desired> {
  return loaderWith(options).load(snapshotOf(files), signal());
}

/** Problems as `file:line:column: severity: message remedy`. */
export function told(desired: Pick<Desired, 'problems'>): string[] {
  return desired.problems.map(formatProblem);
}

export function keys(desired: Desired): string[] {
  return [...desired.manifests.keys()].sort();
}

export async function specOf(desired: Desired, key: string): Promise<JsonObject> {
  const manifest = [...desired.manifests.values()].find((one) => one.key === key);
  if (manifest === undefined)
    throw new Error(`${key} is not among ${keys(desired).join(', ')}: ${told(desired).join(' | ')}`);
  return manifest.spec(signal());
}

/** A manifest as YAML, with the header that all have. */
export function yaml(kind: string, name: string, rest = ''): string {
  return `apiVersion: plumbline.dev/v1alpha1\nkind: ${kind}\nmetadata: {name: ${name}}\n${rest}\n`;
}
