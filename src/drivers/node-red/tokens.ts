import { createHash } from 'node:crypto';

/**
 * How one object names another without an id of an instance. The sign at the front and the slash are what no id, topic
 * or property of a node begins with, so that ordinary text is not taken for a name.
 *
 *     @integration/mqtt-broker/Main broker        a config node, by type and title
 *     @link/Orders/to stock                       a link node on another tab, by tab and label
 *     subflow:@workflow/Retry                     an instance of a subflow, by title (in `type`)
 *
 * `/` and `%` inside a part are percent-encoded; a config node that shares type and title with another is followed by
 * `#` and its id, because only that tells them apart.
 */
export interface Token {
  readonly kind: 'integration' | 'link' | 'workflow';
  /** Type and title; tab and label; title. */
  readonly parts: readonly string[];
}

const PARTS = { integration: 2, link: 2, workflow: 1 } as const;

export function formatToken(kind: Token['kind'], ...parts: readonly string[]): string {
  return `@${kind}/${parts.map((part) => part.replace(/[%/]/g, encode)).join('/')}`;
}

/** Reads a token; undefined for any other text. */
export function parseToken(text: string): Token | undefined {
  const match = /^@(integration|link|workflow)\/(.+)$/s.exec(text);
  const kind = match?.[1] as Token['kind'] | undefined;
  const parts = match?.[2]?.split('/');
  if (kind === undefined || parts === undefined || parts.length !== PARTS[kind]) return undefined;
  return { kind, parts: parts.map((part) => part.replace(/%(25|2F)/gi, (code) => decodeURIComponent(code))) };
}

/** What a person calls the thing behind a token. */
export function describeToken(token: Token): string {
  const [first = '', second = ''] = token.parts;
  if (token.kind === 'integration') return `the ${first} "${second}"`;
  if (token.kind === 'link') return `the link node "${second}" of flow "${first}"`;
  return `the subflow "${first}"`;
}

/** A Node-RED id (16 hexadecimal digits) that is equal for equal parts: the first half of a UUIDv5 (RFC 9562). */
export function stableId(namespace: string, name: string): string {
  const space = createHash('sha1').update(`plumbline.dev/node-red/${namespace}`).digest().subarray(0, 16);
  const hash = createHash('sha1').update(space).update(name).digest();
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x50;
  return hash.toString('hex', 0, 8);
}

function encode(sign: string): string {
  return sign === '/' ? '%2F' : '%25';
}
