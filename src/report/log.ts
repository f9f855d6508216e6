import winston from 'winston';
import { ReconcilerError } from '../errors.ts';
import { namesCredential } from '../secrets/credentials.ts';
import { PLACEHOLDER } from '../secrets/value.ts';

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';
export type LogFormat = 'json' | 'pretty';

/** Data of one log entry. Values may be anything: they are bounded, made plain and redacted before they are written. */
type Fields = Readonly<Record<string, unknown>>;

/** Messages are constants; what varies goes into `fields`. */
export interface Log {
  error(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  debug(message: string, fields?: Fields): void;
  /** The same log with fields that every entry carries. */
  with(fields: Fields): Log;
}

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Takes every secret value out of a text (`Secrets.redact`). Every string that is written goes through it. */
  readonly redact: (text: string) => string;
  /** Where entries go; standard error when absent, because standard output belongs to results. */
  readonly stream?: NodeJS.WritableStream;
}

/** Where winston keeps the level that its filter reads. */
const LEVEL = Symbol.for('level');
/** Characters of one string that are kept, and levels of nesting: a log line is for reading. */
const MAX_TEXT = 4000;
const MAX_DEPTH = 6;
const MAX_ITEMS = 100;

/** A log that writes to one stream. No entry can carry a secret: there is no way to the stream but through `redact`. */
export function createLog(options: LogOptions): Log {
  const clean = winston.format((info) => {
    const { level, message, ...fields } = info;
    const plain = plainFields(fields, options.redact);
    return { ...plain, level, message: boundText(String(message), options.redact), [LEVEL]: level };
  });
  const logger = winston.createLogger({
    level: options.level,
    levels: { error: 0, warn: 1, info: 2, debug: 3 },
    format: winston.format.combine(clean(), options.format === 'json' ? jsonFormat() : prettyFormat()),
    transports: [new winston.transports.Stream({ stream: options.stream ?? process.stderr })],
  });
  return wrap((level, message, fields) => logger.log({ level, message, ...fields }), {});
}

type Write = (level: LogLevel, message: string, fields: Fields) => void;

function wrap(write: Write, own: Fields): Log {
  const at =
    (level: LogLevel) =>
    (message: string, fields: Fields = {}): void =>
      write(level, message, { ...own, ...fields });
  return {
    error: at('error'),
    warn: at('warn'),
    info: at('info'),
    debug: at('debug'),
    with: (fields) => wrap(write, { ...own, ...fields }),
  };
}

function plainFields(fields: Fields, redact: (text: string) => string): Record<string, unknown> {
  const plain: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    // `level`, `message` and `time` are the entry's own.
    const safe = name === 'time' ? 'at' : redact(name);
    plain[safe] = namesCredential(name) ? PLACEHOLDER : plainValue(value, redact, 0);
  }
  return plain;
}

function plainValue(value: unknown, redact: (text: string) => string, depth: number): unknown {
  if (value === null || typeof value === 'boolean' || typeof value === 'undefined') return value;
  if (typeof value === 'number') return redactNumber(value, redact);
  if (typeof value === 'function' || typeof value === 'symbol') return `[${typeof value}]`;
  if (typeof value !== 'object') return boundText(`${value as string | bigint}`, redact);
  if (depth >= MAX_DEPTH) return '[deeper]';
  if (value instanceof Error) return plainError(value, redact, depth);
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Map) return plainValue(Object.fromEntries(value), redact, depth);
  if (Array.isArray(value) || value instanceof Set) {
    const items = [...value];
    const kept = items.slice(0, MAX_ITEMS).map((item) => plainValue(item, redact, depth + 1));
    return items.length > MAX_ITEMS ? [...kept, `… ${items.length - MAX_ITEMS} more`] : kept;
  }
  const plain: Record<string, unknown> = {};
  for (const [name, item] of Object.entries(value).slice(0, MAX_ITEMS)) {
    plain[redact(name)] = namesCredential(name) ? PLACEHOLDER : plainValue(item, redact, depth + 1);
  }
  return plain;
}

/** A PIN is a secret too, and may arrive as a number. */
function redactNumber(value: number, redact: (text: string) => string): unknown {
  const text = String(value);
  const redacted = redact(text);
  return redacted === text ? value : redacted;
}

function plainError(error: Error, redact: (text: string) => string, depth: number): unknown {
  const details =
    error instanceof ReconcilerError
      ? { code: error.code, retry: error.retry, remedy: error.remedy }
      : { stack: error.stack };
  const plain: Record<string, unknown> = { message: boundText(error.message, redact) };
  for (const [name, value] of Object.entries(details)) {
    if (value !== undefined) plain[name] = plainValue(value, redact, depth + 1);
  }
  if (error.cause !== undefined) plain['cause'] = plainValue(error.cause, redact, depth + 1);
  return plain;
}

/** Redaction comes first: a cut through a secret would leave a part of it that nothing recognizes. */
function boundText(text: string, redact: (text: string) => string): string {
  const redacted = redact(text);
  return redacted.length <= MAX_TEXT
    ? redacted
    : `${redacted.slice(0, MAX_TEXT)}… (${redacted.length - MAX_TEXT} more)`;
}

function jsonFormat(): winston.Logform.Format {
  return winston.format.printf((info) => {
    const { level, message, ...fields } = info;
    return JSON.stringify({ time: new Date().toISOString(), level, message, ...fields });
  });
}

function prettyFormat(): winston.Logform.Format {
  return winston.format.printf((info) => {
    const { level, message, ...fields } = info;
    const data = Object.entries(fields)
      .filter(([, value]) => value !== undefined)
      .map(
        ([name, value]) =>
          `${name}=${visible(typeof value === 'string' ? quoteWhenNeeded(value) : JSON.stringify(value))}`,
      );
    const time = new Date().toISOString().slice(11, 19);
    return [time, level.toUpperCase().padEnd(5), visible(String(message)), ...data].join(' ');
  });
}

function quoteWhenNeeded(text: string): string {
  return /^[^\s"=]+$/.test(text) ? text : JSON.stringify(text);
}

/** Nothing in an entry may move a terminal's cursor or pretend to be an entry of its own. */
function visible(text: string): string {
  return text.replace(/\p{Cc}/gu, (control) => `\\x${control.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
