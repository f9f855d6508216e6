import { SHORTEST } from './forms.ts';

const BITS = 18;

/**
 * Finds any of many texts in one walk over another. Each is filed under its first four characters: a bitmap rules out
 * most positions with one look, and the rest compare only texts that begin alike, one look-up per distinct length.
 */
export class Needles {
  readonly #bitmap = new Uint8Array(2 ** BITS);
  /** First four characters → length, longest first → texts with the number of their owners. */
  readonly #filed = new Map<string, { lengths: number[]; texts: Map<string, number> }>();

  /** Files a text of at least four characters; the same one may be added several times, and is removed as often. */
  add(text: string): void {
    const start = text.slice(0, SHORTEST);
    const file = this.#filed.get(start) ?? { lengths: [], texts: new Map<string, number>() };
    this.#filed.set(start, file);
    file.texts.set(text, (file.texts.get(text) ?? 0) + 1);
    if (!file.lengths.includes(text.length)) file.lengths = [...file.lengths, text.length].sort((a, b) => b - a);
    this.#bitmap[slot(start, 0)] = 1;
  }

  remove(text: string): void {
    const start = text.slice(0, SHORTEST);
    const file = this.#filed.get(start);
    const owners = file?.texts.get(text);
    if (file === undefined || owners === undefined) return;
    if (owners > 1) file.texts.set(text, owners - 1);
    else file.texts.delete(text);
    // A length or a bit that nobody needs any more costs a look-up, never a wrong answer.
    if (file.texts.size === 0) this.#filed.delete(start);
  }

  /** Replaces every occurrence, overlapping ones together, so that no rest of one sticks out of another. */
  replace(text: string, placeholder: string): string {
    if (this.#filed.size === 0) return text;
    let result = '';
    let copied = 0;
    let from = -1;
    let to = -1;
    for (let at = 0; at <= text.length - SHORTEST; at++) {
      if (this.#bitmap[slot(text, at)] === 0) continue;
      const length = this.#longestAt(text, at);
      if (length === 0) continue;
      if (at >= to) {
        if (from >= 0) {
          result += text.slice(copied, from) + placeholder;
          copied = to;
        }
        from = at;
      }
      to = Math.max(to, at + length);
    }
    return from < 0 ? text : result + text.slice(copied, from) + placeholder + text.slice(to);
  }

  #longestAt(text: string, at: number): number {
    const file = this.#filed.get(text.slice(at, at + SHORTEST));
    if (file === undefined) return 0;
    return file.lengths.find((length) => file.texts.has(text.slice(at, at + length))) ?? 0;
  }
}

/** Place in the bitmap of the four characters from `at` on. */
function slot(text: string, at: number): number {
  let hash = 0;
  for (let index = at; index < at + SHORTEST; index++) hash = Math.imul(hash, 31) + text.charCodeAt(index);
  return (Math.imul(hash, 0x9e3779b1) >>> (32 - BITS)) & (2 ** BITS - 1);
}
