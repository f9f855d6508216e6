/** Reads lines and counted bytes from a stream of chunks. */
export class ByteReader {
  readonly #chunks: AsyncIterator<Buffer, unknown>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(stream: AsyncIterable<Buffer>) {
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  async line(): Promise<string> {
    let end = this.#rest.indexOf(10);
    while (end < 0) {
      this.#rest = Buffer.concat([this.#rest, await this.#next()]);
      end = this.#rest.indexOf(10);
    }
    const line = this.#rest.subarray(0, end).toString('latin1');
    this.#rest = this.#rest.subarray(end + 1);
    return line;
  }

  /**
   * Mostly a view of what was read, which whoever keeps it for long keeps alive: a copy per file would be garbage outside of the
   * JavaScript heap, which is collected late.
   */
  async take(count: number): Promise<Buffer> {
    if (this.#rest.length >= count) {
      const view = this.#rest.subarray(0, count);
      this.#rest = this.#rest.subarray(count);
      return view;
    }
    const taken = Buffer.allocUnsafeSlow(count);
    let have = 0;
    while (have < count) {
      if (this.#rest.length === 0) this.#rest = await this.#next();
      const copied = this.#rest.copy(taken, have);
      this.#rest = this.#rest.subarray(copied);
      have += copied;
    }
    return taken;
  }

  async skip(count: number): Promise<void> {
    let left = count;
    while (left > this.#rest.length) {
      left -= this.#rest.length;
      this.#rest = await this.#next();
    }
    this.#rest = this.#rest.subarray(left);
  }

  async #next(): Promise<Buffer> {
    const { done, value } = await this.#chunks.next();
    if (done === true) throw new Error('git cat-file ended early');
    return value;
  }
}
