import { ReconcilerError } from '../errors.ts';
import type { RegisteredIntegration } from '../drivers/integration-register.ts';
import type { IntegrationRunner } from '../integrations/integration-runner.ts';
import type { IntegrationStatus, RunReport } from '../integrations/run-report.ts';
import type { LetterStatus } from '../integrations/letter-replay.ts';
import type { JsonValue } from '../manifest/manifest.ts';
import { didYouMean } from '../manifest/suggest.ts';
import { isoTime } from '../report/status.ts';
import { gitRefOf } from '../integrations/code-store.ts';
import { describeRef } from '../source/git-ref.ts';
import type { Engine } from './engine.ts';
import { ownerOf } from './integration-code.ts';
import type { Arguments, LetterList, LettersDiscarded, LettersTakenUp, Operations, Repinned } from './operations.ts';

/** Milliseconds that looking where a ref leads may take. */
const LOOK_UP_TIMEOUT = 120_000;
/** Dead letters that are shown when nobody says how many. */
const SHOWN = 100;

type Mine = 'integrations' | 'run' | 'repin' | 'letters' | 'replayLetters' | 'discardLetters';

/** What people can ask of Integrations that run code. */
export class IntegrationOperations implements Pick<Operations, Mine> {
  readonly #engine: Engine;
  readonly #runner: IntegrationRunner;
  readonly #signal: AbortSignal;

  constructor(engine: Engine, runner: IntegrationRunner, signal: AbortSignal) {
    this.#engine = engine;
    this.#runner = runner;
    this.#signal = signal;
  }

  async integrations({ platform }: Arguments<'integrations'>): Promise<readonly IntegrationStatus[]> {
    return this.#engine.parts.ledger.integrations
      .list(platform)
      .map((one) => this.#statusOf(one))
      .toSorted((a, b) => (`${a.platform}/${a.integration}` < `${b.platform}/${b.integration}` ? -1 : 1));
  }

  /** @throws ReconcilerError `not-found`, `not-holder`, `not-runnable`, `code-…` */
  async run({ integration, platform, input }: Arguments<'run'>): Promise<RunReport> {
    const trigger = { by: 'command', ...(input === undefined ? {} : { input: input as JsonValue }) };
    return this.#runner.run(this.#held(integration, platform), trigger, this.#signal);
  }

  /**
   * Looks where the ref leads now, and has the next pass move the lock there.
   * @throws ReconcilerError as `run`, and as a git source
   */
  async repin({ integration, platform }: Arguments<'repin'>): Promise<Repinned> {
    const one = this.#held(integration, platform);
    const { commit = '' } = one.runs.code;
    const signal = AbortSignal.any([this.#signal, AbortSignal.timeout(LOOK_UP_TIMEOUT)]);
    const wanted = await this.#runner.newest(one, signal);
    const { ledger, log } = this.#engine.parts;
    if (wanted !== commit || one.wanted !== undefined) {
      ledger.integrations.want(one.id, wanted);
      log.info('lock to be moved', { integration, platform: one.platform, from: commit, to: wanted });
      this.#tell(one, 'repinned', `The lock of the code is to be moved from ${commit} to ${wanted}.`);
      const target = ownerOf(this.#engine, one);
      target?.memory.forgetNormal(`Integration/${one.name}`);
      if (target !== undefined) this.#engine.wake(target, 'command');
    }
    return { platform: one.platform, integration: one.name, from: commit, to: wanted };
  }

  /** @throws ReconcilerError `not-found`; what the file system says */
  async letters({ integration, platform, limit = SHOWN }: Arguments<'letters'>): Promise<LetterList> {
    const one = this.#find(integration, platform);
    let newest: LetterStatus[] = [];
    let total = 0;
    for await (const letter of this.#runner.letters(one)) {
      total += 1;
      newest.push(letter);
      if (newest.length >= 2 * limit) newest = newest.slice(-limit);
    }
    const letters = newest.slice(-limit).toReversed();
    return { platform: one.platform, integration, letters, total, file: this.#runner.deadLettersOf(one) };
  }

  /** @throws ReconcilerError as `run`, `schema-…`; what the file system says */
  async replayLetters(args: Arguments<'replayLetters'>): Promise<LettersTakenUp> {
    const { integration, platform, ids, keys, overtaken } = args;
    const one = this.#held(integration, platform);
    const replayed = await this.#runner.replay(one, { ids, keys, overtaken }, this.#signal);
    const about = { platform: one.platform, integration };
    if (replayed.replayed === 0) return { ...about, ...replayed };
    this.#engine.parts.log.info('dead letters taken up', { ...about, letters: replayed.replayed });
    this.#tell(one, 'letters-replayed', `${replayed.replayed} dead letter(s) are to be delivered again.`);
    const run = await this.#runner.run(one, { by: 'command' }, this.#signal);
    return { ...about, ...replayed, run };
  }

  /** @throws ReconcilerError `not-found`, `not-holder`; what the file system says */
  async discardLetters({ integration, platform, ids, keys }: Arguments<'discardLetters'>): Promise<LettersDiscarded> {
    const one = this.#held(integration, platform);
    const discarded = await this.#runner.discard(one, { ids, keys });
    const about = { platform: one.platform, integration, discarded };
    if (discarded === 0) return about;
    this.#engine.parts.log.info('dead letters discarded', about);
    this.#tell(one, 'letters-discarded', `${discarded} dead letter(s) were discarded by a person.`);
    return about;
  }

  #tell({ platform, name }: RegisteredIntegration, type: string, message: string): void {
    const { ledger, timers } = this.#engine.parts;
    ledger.addEvent({ at: timers.now(), type, platform, key: `Integration/${name}`, message });
  }

  /** One whose platform is this replica's. @throws ReconcilerError `not-found`, `not-holder` */
  #held(name: string, platform: string | undefined): RegisteredIntegration {
    const one = this.#find(name, platform);
    this.#engine.parts.shards?.refuse(one.platform);
    return one;
  }

  #find(name: string, platform: string | undefined): RegisteredIntegration {
    const all = this.#engine.parts.ledger.integrations.list();
    const found = all.filter((one) => one.name === name && (platform ?? one.platform) === one.platform);
    const [one, other] = found;
    if (one !== undefined && other === undefined) return one;
    const message =
      one === undefined
        ? `No Integration ${name} with code is in force${platform === undefined ? '' : ` on ${platform}`}.`
        : `Integration ${name} runs on ${found.map((each) => each.platform).join(' and ')}.`;
    const names = [...new Set(all.map((each) => each.name))];
    const remedy =
      one === undefined
        ? `${didYouMean(name, names, 'Apply its Sync first.')} In force are: ${names.join(', ') || 'none'}.`
        : 'Say which with --platform.';
    throw new ReconcilerError(message, 'never', { code: 'not-found', remedy });
  }

  #statusOf(one: RegisteredIntegration): IntegrationStatus {
    const { ledger, timers } = this.#engine.parts;
    const { platform, name, runs, wanted, marker } = one;
    const state = ledger.syncs.state(one);
    const blocked = this.#runner.refusal(one);
    const nextRun = blocked === undefined ? this.#runner.nextRun(one) : undefined;
    const because = blocked ?? state.error;
    return {
      sync: marker?.owner.slice(marker.owner.indexOf('/') + 1) ?? '',
      platform,
      integration: name,
      repository: runs.code.repository,
      ref: describeRef(gitRefOf(runs.code.ref)),
      commit: runs.code.commit ?? '',
      ...(wanted === undefined ? {} : { wanted }),
      ...(runs.schedule === undefined ? {} : { schedule: runs.schedule }),
      events: runs.events ?? [],
      state: this.#stateOf(one, { blocked, failing: state.failures > 0 }),
      ...(because === undefined ? {} : { because }),
      ...(state.lastRun === undefined ? {} : { lastRun: isoTime(state.lastRun) }),
      ...(state.lastSuccess === undefined ? {} : { lastSuccess: isoTime(state.lastSuccess) }),
      ...(nextRun === undefined ? {} : { nextRun: isoTime(Math.max(nextRun, timers.now())) }),
      waiting: ledger.syncs.waiting(one).records,
      deadLetters: this.#runner.deadLettersOf(one),
    };
  }

  #stateOf(
    one: RegisteredIntegration,
    { blocked, failing }: { readonly blocked: string | undefined; readonly failing: boolean },
  ): IntegrationStatus['state'] {
    if (!this.#engine.holds(one.platform)) return 'elsewhere';
    if (blocked !== undefined) return 'blocked';
    if (this.#runner.isRunning(one)) return 'running';
    return failing ? 'failing' : 'idle';
  }
}
