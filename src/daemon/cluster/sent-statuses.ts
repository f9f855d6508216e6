interface Sent {
  readonly text: string;
  /** resourceVersion that it was based on, and the one that came of it. */
  readonly base: string | undefined;
  version?: string;
  /** What the watch has shown meanwhile: it may be quicker than the answer to the write. */
  shown?: string;
}

/** Statuses as they were last sent, by object, each until the watch has shown it: from then on the object itself says what there is. */
export class SentStatuses {
  readonly #sent = new Map<string, Sent>();

  /** What was sent and not shown yet. */
  textOf(id: string): string | undefined {
    return this.#sent.get(id)?.text;
  }

  /** The version to base the next write on, of an object that is known in this one. */
  baseOf(id: string, version: string | undefined): string | undefined {
    const sent = this.#sent.get(id);
    return sent?.version !== undefined && isBefore(version, sent) ? sent.version : version;
  }

  /** A write begins. `answered` takes the version that came of it, `failed` says that nothing did. */
  begin(
    id: string,
    text: string,
    base: string | undefined,
  ): { readonly answered: (version: string | undefined) => void; readonly failed: () => void } {
    const sent: Sent = { text, base };
    this.#sent.set(id, sent);
    return {
      answered: (version) => {
        if (version !== undefined) sent.version = version;
        if (sent.shown !== undefined) this.#shown(id, sent, sent.shown);
      },
      failed: () => this.#sent.delete(id),
    };
  }

  /** What is seen now is what counts, not what was sent. */
  seen(id: string, version: string | undefined, gone: boolean): void {
    const sent = this.#sent.get(id);
    if (sent === undefined) return;
    if (gone) this.#sent.delete(id);
    else this.#shown(id, sent, version);
  }

  #shown(id: string, sent: Sent, version: string | undefined): void {
    if (version !== undefined) sent.shown = version;
    const settled = sent.version !== undefined && !isBefore(version, sent);
    if (settled && this.#sent.get(id) === sent) this.#sent.delete(id);
  }
}

/** Whether an object is older than what was sent of it. Versions count up; where they do not, only what it was based on is known to be older. */
function isBefore(version: string | undefined, sent: Sent): boolean {
  const counts = /^\d+$/;
  if (version === undefined || version === sent.base) return true;
  if (sent.version === undefined || !counts.test(version) || !counts.test(sent.version)) return false;
  return BigInt(version) < BigInt(sent.version);
}
