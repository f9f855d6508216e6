import ipaddr from 'ipaddr.js';

/**
 * Services that hosts of clouds and containers answer their own machines with credentials under these addresses. They are
 * reached only when named exactly: a network or a host name that covers one does not mean it.
 */
const METADATA = new Set([
  '169.254.169.254',
  '169.254.170.2',
  '169.254.170.23',
  '100.100.100.200',
  '168.63.129.16',
  '192.0.0.192',
  'fd00:ec2::254',
  'fd00:ec2::23',
  'fd20:ce::254',
]);
/** All that is handed out for the public internet (IANA, IPv6 Global Unicast); older and special forms lie outside. */
const GLOBAL_IPV6 = ipaddr.IPv6.parseCIDR('2000::/3');

/** What a platform's `webhooks.allow` names. */
export interface Allowed {
  readonly networks: readonly (readonly [ipaddr.IPv4 | ipaddr.IPv6, number])[];
  readonly addresses: ReadonlySet<string>;
  readonly hosts: ReadonlySet<string>;
}

/** Reads `webhooks.allow`: networks, addresses, host names. */
export function allowedOf(entries: readonly string[]): Allowed {
  const networks: (readonly [ipaddr.IPv4 | ipaddr.IPv6, number])[] = [];
  const addresses = new Set<string>();
  const hosts = new Set<string>();
  for (const entry of entries) {
    const text = entry.trim().replace(/^\[(.*)\]$/, '$1');
    if (ipaddr.isValidCIDR(text)) networks.push(ipaddr.parseCIDR(text));
    else if (isLiteral(text)) addresses.add(canonical(text));
    else hosts.add(hostName(text));
  }
  return { networks, addresses, hosts };
}

/** Whether a host of a URL is an address rather than a name; brackets are taken off before. */
export function isLiteral(host: string): boolean {
  return ipaddr.IPv4.isValidFourPartDecimal(host) || ipaddr.IPv6.isValid(host);
}

/** Host names as they are compared: case does not count, nor does the dot of the root. */
function hostName(host: string): string {
  return host.toLowerCase().replace(/\.$/, '');
}

/**
 * Why no connection may be made to an address; undefined when one may. Public addresses are free, others only when the
 * platform allows the address, its network, or the name that led to it.
 */
export function refusalOfAddress(address: string, host: string, allowed: Allowed): string | undefined {
  if (!isLiteral(address)) return 'is no address';
  const exact = canonical(address);
  if (allowed.addresses.has(exact)) return undefined;
  // Written as IPv6 (::ffff:169.254.169.254), an address of a service is that of the service.
  if (METADATA.has(exact) || METADATA.has(ipaddr.process(address).toString()))
    return 'is an address of a metadata service';
  if (allowed.hosts.has(hostName(host))) return undefined;
  const parsed = ipaddr.parse(address);
  if (allowed.networks.some(([network, bits]) => network.kind() === parsed.kind() && parsed.match(network, bits))) {
    return undefined;
  }
  return isPublic(parsed) ? undefined : `is not a public address (${rangeOf(parsed)})`;
}

function isPublic(address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  if (address.range() !== 'unicast') return false;
  return address instanceof ipaddr.IPv4 || address.match(GLOBAL_IPV6);
}

function rangeOf(address: ipaddr.IPv4 | ipaddr.IPv6): string {
  const range = address.range();
  return range === 'unicast' ? 'reserved' : range;
}

function canonical(address: string): string {
  return ipaddr.parse(address).toString();
}
