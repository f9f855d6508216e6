import { createHash } from 'node:crypto';

/** Longest DNS label (RFC 1035). */
const MAX_NAME = 63;
const HASH_LENGTH = 8;

/** A DNS label: what `metadata.name` must look like. */
export const NAME_PATTERN = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** One name under case and Unicode compatibility rules: names that fold together are one name (OWNERSHIP.md). */
export function foldName(name: string): string {
  return name.normalize('NFKC').toLowerCase();
}

/**
 * A DNS label made of any text (`Orders/Fulfil ment.v2` → `orders-fulfil-ment-v2`): accents are stripped, everything
 * else becomes `-`. Cut to 63 characters, with a short hash of the whole text when cut or when nothing is left, so that
 * two long texts do not become one name.
 */
export function slug(text: string): string {
  const clean = text
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '');
  return clean !== '' && clean.length <= MAX_NAME ? clean : withHash(clean, text);
}

/** A slug that differs from others of the same spelling: the short hash of `text` is always appended. */
export function hashedSlug(text: string): string {
  return withHash(slug(text), text);
}

function withHash(clean: string, text: string): string {
  const hash = createHash('sha256').update(text).digest('hex').slice(0, HASH_LENGTH);
  const head = clean.slice(0, MAX_NAME - HASH_LENGTH - 1).replaceAll(/-+$/g, '');
  return head === '' ? `x-${hash}` : `${head}-${hash}`;
}
