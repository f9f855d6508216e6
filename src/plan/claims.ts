import type { Kind } from '../manifest/manifest.ts';
import type { Observed } from './types.ts';

/** An object that says whose it is. */
export type Claim = Observed & { readonly marker: NonNullable<Observed['marker']> };

export function isClaim(observed: Observed): observed is Claim {
  return observed.marker !== undefined;
}

/** Whether its marker was written on another object: a maker copied it, marker included. */
export function isCopied({ marker, remote }: Claim): boolean {
  return marker.remote !== undefined && marker.remote !== remote;
}

/** Titles that differ in case or in how Unicode composes them are one name on some platforms, so they are one here. */
export function titleKey({ kind, title }: { readonly kind: Kind; readonly title: string }): string {
  return `${kind}:${title.normalize('NFKC').toLowerCase()}`;
}

/** The one that was there first, if two carry the same marker: the other is a copy of it. */
export function oldest(claims: readonly Claim[]): Claim | undefined {
  return claims.toSorted(
    (a, b) => (a.createdAt ?? Number.MAX_VALUE) - (b.createdAt ?? Number.MAX_VALUE) || (a.remote < b.remote ? -1 : 1),
  )[0];
}
