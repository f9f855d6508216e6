import { PLACEHOLDER } from './value.ts';

/**
 * What looks like a credential although nobody resolved it: texts of platforms, git and proxies quote what they were
 * sent. Every quantifier is bounded or ends at a character it excludes, so that no text makes them slow.
 */
const PATTERNS: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  [
    /-----BEGIN ([A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?)-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|$)/g,
    PLACEHOLDER,
  ],
  [
    /(authorization\\{0,3}(?:["']?\s{0,8}[:=]|["']\s{0,8},)\s{0,8}\\{0,3}["']?)(?:([a-z]{3,20})[ \t]{1,8})?[^\s"',;\\]+/gi,
    `$1$2 ${PLACEHOLDER}`,
  ],
  [/\b(bearer)[ \t]{1,8}[\w.~+/-]{16,}={0,2}/gi, `$1 ${PLACEHOLDER}`],
  [/(:\/\/[^\s/?#@:"'<>]{0,512}):[^\s/?#"'<>]{1,4096}@/g, `$1:${PLACEHOLDER}@`],
  [/(\bhttps?:\/\/)[^\s/?#@:"'<>]{1,4096}@/gi, `$1${PLACEHOLDER}@`],
  [
    /([?&](?:access_token|token|api_?key|apikey|password|secret|client_secret|signature|sig)=)[^\s&#"'<>]+/gi,
    `$1${PLACEHOLDER}`,
  ],
  [
    /((?:x-[a-z0-9-]{0,40}(?:key|token|secret)|private-token|cookie)["']?\s{0,8}[:=]\s{0,8}["']?)[^\s"',]+/gi,
    `$1${PLACEHOLDER}`,
  ],
];

/** Names of fields whose value is a credential, whatever it looks like. */
const CREDENTIAL_NAME =
  /^(?:proxy-?)?authorization$|^(?:set-?)?cookie$|^(?:.*[-_])?(?:password|passwd|passphrase|secret|token|api[-_]?key|private[-_]?key|credential)$|(?:Password|Passphrase|Secret|Token|ApiKey|PrivateKey)$|^(?:apiKey|privateKey)$/i;

/** Replaces what looks like a credential. */
export function redactCredentials(text: string): string {
  let redacted = text;
  for (const [pattern, replacement] of PATTERNS) redacted = redacted.replace(pattern, replacement);
  return redacted;
}

/** Whether a field of that name (`authorization`, `apiKey`, `X-Auth-Token`) holds a credential. */
export function namesCredential(name: string): boolean {
  return CREDENTIAL_NAME.test(name);
}
