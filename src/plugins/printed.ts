/** Bytes of what a plugin printed that are kept until they are passed on. */
const MOST_KEPT = 64 * 1024;
/** Lines that are passed on at once, and characters of one. */
const MOST_LINES = 50;
const MOST_CHARACTERS = 2000;
/** Milliseconds of silence after which what was printed is passed on. */
const SILENCE = 100;

export interface PrintedOptions {
  /** Bytes that may be printed between two calls of `reset`. */
  readonly limit: number;
  /** Takes secrets out of a text. It sees what was printed as a whole, so that no secret is missed at a line's end. */
  readonly redact: (text: string) => string;
  readonly onLine: (line: string) => void;
  /** More was printed than is allowed. */
  readonly onExcess: () => void;
}

/** What one process prints: counted, bounded, and passed on line by line without secrets. */
export class Printed {
  readonly #options: PrintedOptions;
  #counted = 0;
  #kept: Buffer[] = [];
  #size = 0;
  #dropped = 0;
  #timer: NodeJS.Timeout | undefined;
  #tail = '';

  constructor(options: PrintedOptions) {
    this.#options = options;
  }

  /** The last that was printed, for recognising why a process died. */
  get tail(): string {
    return this.#tail;
  }

  add(chunk: Buffer): void {
    this.#counted += chunk.length;
    const room = Math.max(0, MOST_KEPT - this.#size);
    // A copy: a slice would keep the whole chunk alive.
    if (room > 0) this.#kept.push(Buffer.from(chunk.subarray(0, room)));
    this.#size += Math.min(room, chunk.length);
    this.#dropped += Math.max(0, chunk.length - room);
    this.#tail = `${this.#tail}${chunk.subarray(-4096).toString('latin1')}`.slice(-4096);
    this.#timer ??= setTimeout(() => this.flush(), SILENCE).unref();
    if (this.#counted > this.#options.limit) this.#options.onExcess();
  }

  /** A call begins: what was printed before does not count against it. */
  reset(): void {
    this.#counted = 0;
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const text = Buffer.concat(this.#kept).toString('utf8');
    const dropped = this.#dropped;
    this.#kept = [];
    this.#size = 0;
    this.#dropped = 0;
    if (text === '') return;
    const { redact, onLine } = this.#options;
    const lines = redact(text)
      .split(/\r?\n/)
      .filter((line) => line.trim() !== '');
    for (const line of lines.slice(0, MOST_LINES)) onLine(shown(line));
    const more = lines.length - MOST_LINES;
    if (more > 0) onLine(`… and ${more} more lines`);
    if (dropped > 0) onLine(`… and ${dropped} more bytes`);
  }
}

function shown(line: string): string {
  const plain = line.replaceAll(/[\p{Cc}\p{Cf}]/gu, ' ');
  return plain.length > MOST_CHARACTERS ? `${plain.slice(0, MOST_CHARACTERS)}…` : plain;
}
