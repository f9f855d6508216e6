/** Number of single-character edits between two words, or `limit + 1` as soon as it is known to be more than `limit`. */
function distance(from: string, to: string, limit: number): number {
  if (Math.abs(from.length - to.length) > limit) return limit + 1;
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    let best = row;
    for (let column = 1; column <= to.length; column++) {
      const substitution = (previous[column - 1] ?? 0) + (from[row - 1] === to[column - 1] ? 0 : 1);
      const value = Math.min(substitution, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1);
      current.push(value);
      best = Math.min(best, value);
    }
    if (best > limit) return limit + 1;
    previous = current;
  }
  return previous[to.length] ?? limit + 1;
}

/** The candidate nearest to a word, ignoring case and `-`/`_`; undefined when none is near enough to be meant. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const plain = fold(word.slice(0, 200));
  // Two letters in the wrong order are two edits.
  const limit = plain.length < 4 ? 1 : Math.max(2, Math.floor(plain.length / 3));
  let best: string | undefined;
  let bestDistance = limit + 1;
  for (const candidate of candidates) {
    if (candidate.length > plain.length * 2 + limit) continue;
    const found = distance(plain, fold(candidate), Math.min(bestDistance, limit));
    // Among equals the first in the alphabet, so that the order of the candidates does not matter.
    if (found < bestDistance || (found === bestDistance && best !== undefined && candidate < best)) {
      best = candidate;
      bestDistance = found;
    }
  }
  return best;
}

/**
 * Whether two names of four letters and more differ by one slip: a letter too many, missing or wrong, two in the wrong order, or
 * only in case and `-`/`_`. Narrow enough to refuse a name by it; names that mean different things are seldom that close.
 */
export function isSlip(one: string, other: string): boolean {
  const [a, b] = [fold(one), fold(other)];
  const shorter = Math.min(a.length, b.length);
  if (shorter < 4) return false;
  let start = 0;
  while (start < shorter && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < shorter - start && a.at(-1 - end) === b.at(-1 - end)) end += 1;
  const [left, right] = [a.slice(start, a.length - end), b.slice(start, b.length - end)];
  const swapped = left.length === 2 && left === `${right[1] ?? ''}${right[0] ?? ''}`;
  return swapped || (left.length <= 1 && right.length <= 1);
}

function fold(word: string): string {
  return word.toLowerCase().replaceAll(/[-_]/g, '');
}

/** `Did you mean "x"?` when something is near, else the given sentence. */
export function didYouMean(word: string, candidates: Iterable<string>, otherwise: string): string {
  const candidate = nearest(word, candidates);
  return candidate === undefined ? otherwise : `Did you mean "${candidate}"?`;
}
