/** 1-based. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Lines of a text. The YAML parser's own counter misses lines that it skips while it recovers from an error. */
export class TextLines {
  readonly #length: number;
  readonly #starts: readonly number[];

  constructor(text: string) {
    const starts = [0];
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', end + 1)) starts.push(end + 1);
    this.#length = text.length;
    this.#starts = starts;
  }

  /** Where an offset stands; offsets beyond the end stand at the end. */
  at(offset: number): Position {
    const inside = Math.max(0, Math.min(offset, this.#length));
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.#starts[middle] ?? 0) <= inside) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: inside - (this.#starts[low] ?? 0) + 1 };
  }
}
