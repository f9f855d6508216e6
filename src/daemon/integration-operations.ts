import { ReconcilerError } from '../errors.ts';
import type { RegisteredIntegration } from '../drivers/integration-register.ts';
import type { IntegrationRunner } from '../integrations/integration-runner.ts';
import type { IntegrationStatus, RunReport } from '../integrations/run-report.ts';
import type { JsonValue } from '../manifest/manifest.ts';
import { isoTime } from '../report/status.ts';
import { gitRefOf } from '../integrations/code-store.ts';
import { describeRef } from '../source/git-ref.ts';
import type { Engine } from './engine.ts';
import { ownerOf } from './integration-code.ts';
import type { Arguments, Repinned } from './operations.ts';

/** What people can ask of Integrations that run code. */
export class IntegrationOperations {
  readonly #engine: Engine;
  readonly #runner: IntegrationRunner;

  constructor(engine: Engine, runner: IntegrationRunner) {
    this.#engine = engine;
    this.#runner = runner;
  }

  list({ platform }: Arguments<'integrations'>): readonly IntegrationStatus[] {
    return this.#engine.parts.ledger.integrations
      .list(platform)
      .map((one) => this.#statusOf(one))
      .toSorted((a, b) => (`${a.platform}/${a.integration}` < `${b.platform}/${b.integration}` ? -1 : 1));
  }

  /** @throws ReconcilerError `not-found`, `not-holder`, `not-runnable`, `code-…` */
  async run({ integration, platform, input }: Arguments<'run'>, signal: AbortSignal): Promise<RunReport> {
    const one = this.#find(integration, platform);
    this.#engine.parts.shards?.refuse(one.platform);
    const trigger = { by: 'command', ...(input === undefined ? {} : { input: input as JsonValue }) };
    return this.#runner.run(one, trigger, signal);
  }

  /**
   * Looks where the ref leads now, and has the next pass move the lock there.
   * @throws ReconcilerError as `run`, and as a git source
   */
  async repin({ integration, platform }: Arguments<'repin'>, signal: AbortSignal): Promise<Repinned> {
    const one = this.#find(integration, platform);
    this.#engine.parts.shards?.refuse(one.platform);
    const { commit = '' } = one.runs.code;
    const wanted = await this.#runner.newest(one, signal);
    const { ledger, log, timers } = this.#engine.parts;
    if (wanted !== commit || one.wanted !== undefined) {
      ledger.integrations.want(one.id, wanted);
      log.info('lock to be moved', { integration, platform: one.platform, from: commit, to: wanted });
      const message = `The lock of the code is to be moved from ${commit} to ${wanted}.`;
      ledger.addEvent({
        at: timers.now(),
        type: 'repinned',
        platform: one.platform,
        key: `Integration/${one.name}`,
        message,
      });
      const target = ownerOf(this.#engine, one);
      target?.memory.forgetNormal(`Integration/${one.name}`);
      if (target !== undefined) this.#engine.wake(target, 'command');
    }
    return { platform: one.platform, integration: one.name, from: commit, to: wanted };
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
    const known = [...new Set(all.map((each) => each.name))].join(', ');
    const remedy =
      one === undefined ? `Apply its Sync first; in force are: ${known || 'none'}.` : 'Say which with --platform.';
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
