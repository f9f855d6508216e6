import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { JsonValue } from '../../src/manifest/manifest.ts';

/** Makes the definition of object `index`; `edition` grows with each commit that touches it. */
export type Definition = (index: number, edition: number) => JsonValue;

/** A bare git repository on `main`: one manifest and one definition per object, a hundred objects per folder. */
export async function makeRepository(dir: string, objects: number, definition: Definition): Promise<void> {
  await git(['init', '--quiet', '--bare', '--initial-branch=main', dir], []);
  await fastImport(dir, first(objects, definition));
}

/** Commits one new definition: what a person does who edits one workflow. */
export async function commitOne(dir: string, index: number, definition: JsonValue): Promise<void> {
  const head = [`${commitLine(`Edit ${nameOf(index)}`)}from refs/heads/main^0\n`];
  await fastImport(dir, [...head, ...fileLines(`${pathOf(index)}.json`, text(definition))]);
}

export function nameOf(index: number): string {
  return `workflow-${String(index).padStart(5, '0')}`;
}

function pathOf(index: number): string {
  return `workflows/${String(Math.floor(index / 100)).padStart(3, '0')}/${nameOf(index)}`;
}

function* first(objects: number, definition: Definition): Generator<string, void> {
  yield commitLine('Begin');
  for (let index = 0; index < objects; index += 1) {
    yield* fileLines(`${pathOf(index)}.yaml`, manifest(index));
    yield* fileLines(`${pathOf(index)}.json`, text(definition(index, 0)));
  }
}

function manifest(index: number): string {
  const name = nameOf(index);
  return [
    'apiVersion: plumbline.dev/v1alpha1',
    'kind: Workflow',
    'metadata:',
    `  name: ${name}`,
    '  labels: { team: orders }',
    'spec:',
    `  title: Workflow ${index}`,
    '  version: 1.0.0',
    '  active: true',
    `  definitionFrom: { file: ${name}.json }`,
    '',
  ].join('\n');
}

function text(definition: JsonValue): string {
  return `${JSON.stringify(definition, null, 2)}\n`;
}

function commitLine(message: string): string {
  const who = `Bench <bench@example.com> ${Math.floor(Date.now() / 1000)} +0000`;
  return `commit refs/heads/main\ncommitter ${who}\ndata ${Buffer.byteLength(message)}\n${message}\n`;
}

function* fileLines(path: string, content: string): Generator<string, void> {
  yield `M 100644 inline ${path}\ndata ${Buffer.byteLength(content)}\n${content}\n`;
}

function fastImport(dir: string, lines: Iterable<string>): Promise<void> {
  return git(['--git-dir', dir, 'fast-import', '--quiet', '--done'], lines, 'done\n');
}

async function git(args: readonly string[], input: Iterable<string>, end = ''): Promise<void> {
  const child = spawn('git', args, { stdio: ['pipe', 'ignore', 'pipe'] });
  const closed = once(child, 'close');
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString('utf8')));
  await pipeline(Readable.from(wrapped(input, end)), child.stdin);
  const [code] = (await closed) as [number | null];
  if (code !== 0) throw new Error(`git ${args.join(' ')}: ${said}`);
}

function* wrapped(input: Iterable<string>, end: string): Generator<string, void> {
  yield* input;
  if (end !== '') yield end;
}
