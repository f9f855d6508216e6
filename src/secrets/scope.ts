import { isAbsolute, resolve, sep } from 'node:path';
import { ReconcilerError } from '../errors.ts';
import type { SecretScope } from './secrets.ts';

/** Prefix of the daemon's own settings, which no source may read whatever its Sync allows. */
const OWN_PREFIX = 'PLUMBLINE_';

/** Whether `name` matches a pattern in which `*` stands for any characters, none included. Linear in the name's length. */
function matchesPattern(name: string, pattern: string): boolean {
  const [head = '', ...rest] = pattern.split('*');
  const tail = rest.pop();
  if (tail === undefined) return name === pattern;
  if (!name.startsWith(head) || !name.endsWith(tail) || name.length < head.length + tail.length) return false;
  const end = name.length - tail.length;
  let at = head.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}

/**
 * Refuses an environment variable that the scope does not reach, before anything looks whether it exists: the answer is
 * the same for variables that are there and for those that are not.
 * @throws ReconcilerError 'never' (`secret-forbidden`)
 */
export function checkVariable(name: string, scope: SecretScope, reserved: ReadonlySet<string>): void {
  if (scope.kind === 'configuration') return;
  if (scope.kind === 'namespace') throw notOfCluster(`environment variable ${name}`);
  const named = scope.env.includes(name);
  // A pattern never widens to what configuration uses itself; only the full name in the Sync shares that.
  const allowed = named || (!reserved.has(name) && scope.env.some((pattern) => matchesPattern(name, pattern)));
  if (allowed && !name.toUpperCase().startsWith(OWN_PREFIX)) return;
  throw forbidden(
    `The environment variable ${name} is not among those that manifests of this source may refer to (${list(scope.env)}; what plumbline's own configuration uses only by its full name).`,
    `Use a variable that the Sync allows, or let whoever runs plumbline add ${name} to the Sync's \`spec.secrets.env\`.`,
  );
}

/**
 * Where a file reference points, as far as the text alone tells; symbolic links are followed and checked when it is read.
 * @throws ReconcilerError 'never' (`secret-forbidden`) when it leaves the directory of a source's scope.
 */
export function locate(file: string, scope: SecretScope): string {
  if (scope.kind === 'configuration') return resolve(scope.baseDir, file);
  if (scope.kind === 'namespace') throw notOfCluster(`file ${file}`);
  if (scope.dir === undefined) {
    throw forbidden(
      `The file ${file} cannot be referred to: the Sync allows its manifests no secret files.`,
      "Let whoever runs plumbline name a directory in the Sync's `spec.secrets.dir`, or use an environment variable that it allows.",
    );
  }
  const located = isAbsolute(file) ? resolve(file) : resolve(scope.dir, file);
  if (!isBelow(located, resolve(scope.dir)) || file.includes('\0')) throw outside(file, scope.dir);
  return located;
}

/**
 * The namespace in which a Secret is looked for, if the scope reaches it.
 * @throws ReconcilerError 'never' (`secret-forbidden`)
 */
export function namespaceOfSecret(name: string, scope: SecretScope): string {
  if (scope.kind === 'namespace') return scope.namespace;
  if (scope.kind === 'configuration' || scope.cluster === undefined) {
    throw forbidden(
      `The Secret ${name} cannot be referred to from here: Secrets are those of a custom resource's namespace.`,
      'Use valueFrom.env or valueFrom.file, or make the Sync a custom resource in a cluster.',
    );
  }
  const { namespace, names } = scope.cluster;
  if (names.some((pattern) => matchesPattern(name, pattern))) return namespace;
  throw forbidden(
    `The Secret ${name} is not among those that manifests of this source may refer to (${list(names)}).`,
    `Use one that the Sync allows, or add ${name} to the Sync's \`spec.secrets.names\`.`,
  );
}

function notOfCluster(what: string): ReconcilerError {
  return forbidden(
    `The ${what} is the daemon's own, and a custom resource cannot refer to it.`,
    'Use valueFrom.secretKeyRef with a Secret of the same namespace.',
  );
}

/** The refusal of a file that lies outside of what a source may read; the same whether or not it exists. */
export function outside(file: string, dir: string): ReconcilerError {
  return forbidden(
    `The file ${file} is not inside ${dir}, the only directory that manifests of this source may read secrets from.`,
    `Put the secret into a file below ${dir} and refer to it relative to that directory, without symbolic links that leave it.`,
  );
}

/** Whether a normalised path lies below a normalised directory. */
export function isBelow(path: string, directory: string): boolean {
  return path.startsWith(directory.endsWith(sep) ? directory : directory + sep);
}

function forbidden(message: string, remedy: string): ReconcilerError {
  return new ReconcilerError(message, 'never', { code: 'secret-forbidden', remedy });
}

function list(patterns: readonly string[]): string {
  return patterns.length === 0 ? 'none' : patterns.join(', ');
}
