/**
 * Whether an event's type is meant by a pattern as `EventPattern` (fields.ts) allows it: `order.created` is that type alone,
 * `order.*` everything below `order` but not `order` itself, `*` everything. Case counts; linear in the length.
 */
export function matchesEvent(pattern: string, type: string): boolean {
  if (pattern === '*') return type !== '';
  if (!pattern.endsWith('.*')) return pattern === type;
  const above = pattern.slice(0, -1);
  return type.startsWith(above) && type.length > above.length;
}
