import { execute } from '../../src/apply/execute.ts';
import type { Execution } from '../../src/apply/execution.ts';
import type { ArchiveEntry, Settlement } from '../../src/apply/journal.ts';
import type { Outcome, Step } from '../../src/drivers/driver.ts';
import type { Key } from '../../src/manifest/manifest.ts';
import type { Change, Intent, LedgerRecord, Plan } from '../../src/plan/types.ts';
import { owned, there } from '../plan/scene.ts';

/** A journal and a driver that write down what is asked of them, in one list. */
export class Bench implements Execution {
  readonly said: string[] = [];
  readonly settled: Settlement[] = [];
  readonly records: LedgerRecord[] = [];
  readonly intents = new Set<string>();
  readonly archived: ArchiveEntry[] = [];
  readonly journal = {
    intend: (intents: readonly Intent[]) => {
      for (const intent of intents) this.intents.add(intent.id);
      this.said.push(`intend ${intents.map((intent) => intent.key).join(' ')}`);
    },
    settleAll: (settlements: readonly Settlement[]) => {
      for (const { intent } of settlements) this.intents.delete(intent);
      this.settled.push(...settlements);
    },
    archive: (entries: readonly ArchiveEntry[]) => {
      this.archived.push(...entries);
      this.said.push(`archive ${entries.map((entry) => entry.key).join(' ')}`);
      return entries.map((entry) => `copy of ${entry.key}`);
    },
    record: (records: readonly LedgerRecord[]) => {
      this.records.push(...records);
    },
  };
  readonly clock = () => 1;
  readonly driver: Execution['driver'];
  /** Keys that are not on the platform any more. */
  gone: readonly Key[] = [];

  constructor(apply: (steps: readonly Step[]) => Iterable<Outcome>) {
    const { said } = this;
    this.driver = {
      async *apply(steps) {
        said.push(`apply ${steps.map(({ change }) => change.key).join(' ')}`);
        yield* await Promise.resolve(apply(steps));
      },
    };
  }

  desired() {
    return Promise.resolve({});
  }
  secrets() {
    return Promise.resolve({});
  }
  readonly idFor = () => undefined;

  owned(change: Change, remote: string) {
    return owned(change.key, {}, { remote });
  }
  observed(changes: readonly Change[]) {
    const present = changes.filter((change) => !this.gone.includes(change.key));
    return Promise.resolve(new Map(present.map((change) => [change.key, there(change.kind, change.key)])));
  }

  async run(plan: Plan, signal = new AbortController().signal): Promise<string[]> {
    const words: string[] = [];
    for await (const { outcome } of execute(plan, this, signal)) words.push(`${outcome.status} ${outcome.change.key}`);
    return words;
  }
}
