import type { JsonValue } from '../../manifest/manifest.ts';
import { type FlowSet, type RawNode, isObject, textOf } from './raw.ts';

/**
 * First segments of the admin API's own writing routes (editor-api and runtime nodes). The admin API comes first where
 * both begin at the same root: a request meant for a flow would deploy, or install, instead.
 */
const ADMIN = new Set(
  'auth context credentials debug flow flows inject library nodes palette plumbline plugins projects settings'.split(
    ' ',
  ),
);

/** Why no address can be made, and what to do. */
export interface NoAddress {
  readonly because: string;
  readonly remedy: string;
}

/** An address: a path in encoded form. */
export interface Address {
  readonly path: string;
}

/** The path of an http in node's endpoint below httpNodeRoot, with its parameters filled from the input. */
export function addressOf(url: string, input: JsonValue): Address | NoAddress {
  if (/[*?+()$#\\%]/.test(url) || !url.isWellFormed()) {
    return {
      because: `its url ${url} is a pattern or a variable, which has no single address`,
      remedy: 'Give the http in node a plain url (/orders, or /orders/:id).',
    };
  }
  const path: string[] = [];
  for (const segment of `/${url}`
    .replace(/\/{2,}/g, '/')
    .slice(1)
    .split('/')) {
    const parts = segment.split(/(:\w+)/);
    let filled = '';
    for (const part of parts) {
      const value = /^:\w+$/.test(part) ? valueOf(input, part.slice(1)) : encodeURI(part);
      if (value === undefined) {
        return {
          because: `its url ${url} needs the field "${part.slice(1)}" of the input, as text or number`,
          remedy: `Send an input with "${part.slice(1)}" at its top level.`,
        };
      }
      filled += value;
    }
    if (filled === '.' || filled === '..') {
      return {
        because: `its url ${url} would lead to another path with this input`,
        remedy: 'Send another value; "." and ".." cannot be part of a path.',
      };
    }
    path.push(filled);
  }
  return { path: `/${path.join('/')}` };
}

/** The URL of an endpoint of a flow, beside an admin API at `base`; `path` as `addressOf` makes it. */
export function endpointUrl(
  base: string,
  roots: { readonly httpNodeRoot: string; readonly httpAdminRoot?: string | false | undefined },
  path: string,
): URL {
  const url = new URL(base);
  const admin = url.pathname.replace(/\/+$/, '');
  // Credentials in the URL are for the admin API.
  [url.username, url.password, url.search, url.hash] = ['', '', '', ''];
  url.pathname = `${proxyPrefix(admin, roots.httpAdminRoot)}${roots.httpNodeRoot.replace(/\/+$/, '')}${path}`;
  return url;
}

/** What stands before Node-RED's own root in the URL (a proxy's path), where the add-on tells that root. */
function proxyPrefix(admin: string, root: string | false | undefined): string {
  if (typeof root !== 'string') return '';
  const own = root.replace(/\/+$/, '');
  return admin.endsWith(own) ? admin.slice(0, admin.length - own.length) : '';
}

/** Whether a path is a writing route of the admin API, whose root is `adminRoot` (no slash at its end). */
export function isAdminPath(path: string, adminRoot: string): boolean {
  // Routes of Express match without regard to case.
  const [at, root] = [path.toLowerCase(), `${adminRoot.toLowerCase()}/`];
  return at.startsWith(root) && ADMIN.has(at.slice(root.length).split('/')[0] ?? '');
}

/** Another http in node that this request could reach instead: whichever was started first gets it. */
export function rivalOf(set: FlowSet, own: RawNode, path: string): RawNode | undefined {
  return set.entries.find((node) => {
    if (node.type !== 'http in' || node.id === own.id || node['d'] === true || node['method'] !== own['method'])
      return false;
    const url = textOf(node, 'url');
    if (url === undefined || set.byId.get(textOf(node, 'z') ?? '')?.['disabled'] === true) return false;
    return patternOf(url).test(path);
  });
}

/** What a route of Express matches, as far as http in nodes use it: parameters and stars. */
function patternOf(url: string): RegExp {
  const parts = `/${url}`
    .replace(/\/{2,}/g, '/')
    .replace(/\/$/, '')
    .split(/(:\w+|\*)/);
  const source = parts.map((part) => {
    if (part === '*') return '.*';
    return part.startsWith(':') ? '[^/]+?' : encodeURI(part).replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  });
  return new RegExp(`^${source.join('')}/?$`, 'i');
}

function valueOf(input: JsonValue, name: string): string | undefined {
  const value = isObject(input) && Object.hasOwn(input, name) ? input[name] : undefined;
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value !== '' && value.isWellFormed() ? encodeURIComponent(value) : undefined;
}
