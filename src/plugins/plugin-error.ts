import { ReconcilerError } from '../errors.ts';

/** What can become of a plugin's call; the code of the error that says so. */
export type PluginErrorCode =
  | 'plugin-folder'
  | 'plugin-load'
  | 'plugin-failed'
  | 'plugin-refused'
  | 'plugin-malformed'
  | 'plugin-timeout'
  | 'plugin-memory'
  | 'plugin-output'
  | 'plugin-crashed'
  | 'plugin-busy'
  | 'plugin-stopped';

const REMEDIES: Readonly<Record<PluginErrorCode, string>> = {
  'plugin-folder': 'Correct spec.folder and spec.entry of the Plugin.',
  'plugin-load':
    'Mend the code of the plugin: an ES module that exports execute(context); then reload the configuration.',
  'plugin-failed': 'Mend the code of the plugin; to refuse on purpose it throws an error named ValidationError.',
  'plugin-refused': 'Correct what it refuses.',
  'plugin-malformed': 'Let execute(context) return its context; refusals in it are a list of {message, remedy?, key?}.',
  'plugin-timeout': 'Make it answer sooner, or raise spec.limits.timeout of the Plugin.',
  'plugin-memory': 'Let it use less memory, or raise spec.limits.memory of the Plugin.',
  'plugin-output': 'Let it print and answer less, or raise spec.limits.output of the Plugin.',
  'plugin-crashed': 'Mend the code of the plugin; it may not end its process.',
  'plugin-busy': 'Try again later, or raise spec.limits.processes of the Plugin.',
  'plugin-stopped': 'Try again.',
};

/** Whose code it is: a Plugin's, by its name, or an Integration's, by its key. */
function isIntegration(name: string): boolean {
  return name.startsWith('Integration/');
}

/** What differs where the code is an Integration's, whose limits are its Sync's. */
const INTEGRATION_REMEDIES: Readonly<Partial<Record<PluginErrorCode, string>>> = {
  'plugin-folder': 'Correct what the repository holds, or spec.code.path and spec.code.entry.',
  'plugin-load':
    'Mend the code: an ES module that exports execute(context); then move the lock with "plumbline repin".',
  'plugin-failed': 'Mend the code, and move the lock with "plumbline repin".',
  'plugin-malformed': 'Let execute(context) return its context, as JSON.',
  'plugin-timeout': 'Let a call do less, by smaller pages, or raise spec.code.limits.timeout of the Sync.',
  'plugin-memory': 'Let it use less memory, or raise spec.code.limits.memory of the Sync.',
  'plugin-output': 'Let it print less and yield smaller pages, or raise spec.code.limits.output of the Sync.',
  'plugin-crashed': 'Mend the code; it may not end its process.',
};

/**
 * An error of one plugin; the message begins with whose it is. What was refused on purpose is not worth another try,
 * everything else may pass.
 * @param retryAfter milliseconds until it is asked again at all
 */
export function pluginError(name: string, code: PluginErrorCode, what: string, retryAfter?: number): ReconcilerError {
  const retry = code === 'plugin-refused' || code === 'plugin-folder' ? 'never' : 'backoff';
  const own = isIntegration(name);
  return new ReconcilerError(`${own ? `The code of ${name}` : `The plugin ${name}`} ${what}.`, retry, {
    code,
    remedy: (own ? INTEGRATION_REMEDIES[code] : undefined) ?? REMEDIES[code],
    ...(retryAfter === undefined ? {} : { retryAfter }),
  });
}

/** Characters of a plugin's own words that are passed on. */
const MOST_WORDS = 1000;

/** What a plugin says, fit for a message: without control characters, bounded, and without a full stop at its end. */
export function wordsOf(text: string): string {
  const line = text
    .slice(0, MOST_WORDS * 4)
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim()
    .replace(/\.$/, '');
  return line.length > MOST_WORDS ? `${line.slice(0, MOST_WORDS)}…` : line;
}
