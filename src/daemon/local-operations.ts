import { ReconcilerError } from '../errors.ts';
import type { ArchivedCopy } from '../ledger/archive.ts';
import type { Owned } from '../plan/types.ts';
import { inventoryOf, isoTime } from '../report/status.ts';
import { checkPlatform } from './check.ts';
import { askHolders, tellSuspension } from './holders.ts';
import type { Engine } from './engine.ts';
import { given } from './given.ts';
import { exportPlatform } from './export.ts';
import type { ExportResult } from './export.ts';
import type {
  Arguments,
  CheckResult,
  Operations,
  Queued,
  RestoreResult,
  StatusResult,
  TreeSync,
} from './operations.ts';
import type { IntegrationRunner } from '../integrations/integration-runner.ts';
import { IntegrationOperations } from './integration-operations.ts';
import { passJson } from './pass-json.ts';
import type { PassJson } from './pass-json.ts';
import { restoreCopy } from './restore.ts';
import type { RuleGroup } from '../monitor/rules/rule.ts';
import { rulesOf } from '../monitor/rules/rules.ts';
import { statusesOf } from '../monitor/status.ts';
import type { ServiceLevelStatus } from '../monitor/status.ts';
import type { PassRequest } from './runner.ts';
import type { Target } from './target.ts';

const EXPORT_TIMEOUT = 300_000;
/** Milliseconds that reading an accepted revision may take. */
const ACCEPT_TIMEOUT = 120_000;

/** The operations, carried out by an engine in this process. */
export class LocalOperations extends IntegrationOperations implements Operations {
  readonly #engine: Engine;
  readonly #version: string;
  readonly #signal: AbortSignal;

  /** `signal` ends what is under way: Ctrl-C, or the daemon's stop. */
  constructor(
    engine: Engine,
    { version, signal, integrations }: { version: string; signal: AbortSignal; integrations: IntegrationRunner },
  ) {
    super(engine, integrations, signal);
    this.#engine = engine;
    this.#version = version;
    this.#signal = signal;
  }

  async status({ sync, platform }: Arguments<'status'>): Promise<StatusResult> {
    const { reporter, configuration, parts } = this.#engine;
    const suspensions = new Map(parts.ledger.suspensions().map((one) => [one.sync, one]));
    const { valid, problems, loadedAt } = configuration;
    const syncs = this.#targets({ sync, platform }).map((target) => {
      const byItself = { sync: target.sync, by: 'configuration', reason: 'spec.suspend is true', since: loadedAt };
      const suspended = suspensions.get(target.sync) ?? (target.suspend ? byItself : undefined);
      return {
        ...reporter.status(target),
        source: target.source.description,
        ...(suspended === undefined ? {} : { suspended }),
      };
    });
    return { version: this.#version, configuration: { valid, problems, loadedAt: isoTime(loadedAt) }, syncs };
  }

  async check({ platform }: Arguments<'check'>): Promise<readonly CheckResult[]> {
    const names = platform === undefined ? this.#engine.platforms.names() : [platform];
    const { platforms, parts, roster } = this.#engine;
    const { ledger, secrets } = parts;
    const targets = roster.targets();
    const owned = (name: string): readonly Owned[] =>
      targets.filter((one) => one.platform === name).flatMap((one) => [...ledger.view(one).owned.values()]);
    const checking = { platforms, owned, redact: (text: string) => secrets.redact(text) };
    return Promise.all(names.map((name) => checkPlatform(checking, name, this.#signal)));
  }

  async plan(args: Arguments<'plan'>): Promise<readonly PassJson[]> {
    return this.#passes(args, { trigger: 'command', mode: 'plan', ...requestOf(args) });
  }

  async apply(args: Arguments<'apply'>): Promise<readonly PassJson[]> {
    const expect = args.expect === undefined ? {} : { expect: args.expect };
    return this.#passes(args, { trigger: 'command', mode: 'apply', ...requestOf(args), ...expect });
  }

  async release({ sync, platform, key }: Arguments<'release'>): Promise<readonly PassJson[]> {
    return this.#passes({ sync, platform }, { trigger: 'command', mode: 'apply', release: [key], only: [key] });
  }

  async reconcile({ sync }: Arguments<'reconcile'>): Promise<readonly Queued[]> {
    const targets = this.#targets({ sync });
    for (const target of targets) this.#engine.wake(target, 'command');
    await Promise.all(targets.map((one) => askHolders(this.#engine, [one.platform], `sync/${one.sync}`)));
    return targets.map(({ sync, platform }) => ({ sync, platform }));
  }

  async accept({ sync, revision }: Arguments<'accept'>) {
    const signal = AbortSignal.any([this.#signal, AbortSignal.timeout(ACCEPT_TIMEOUT)]);
    const [target] = this.#targets({ sync });
    if (target === undefined)
      throw notFound(`There is no Sync ${sync}.`, 'See those there are with `plumbline status`.');
    target.source.accept(revision);
    const read = await target.source.read(signal);
    if (read.stale !== undefined) {
      throw new ReconcilerError(`The newest state of the source was not taken: ${read.stale.reason}`, 'never', {
        code: 'not-accepted',
        remedy: read.stale.remedy,
      });
    }
    const { timers, ledger, log } = this.#engine.parts;
    log.info('revision accepted', { sync, revision: read.revision });
    const message = `Revision ${read.revision} was accepted by a person.`;
    ledger.addEvent({ at: timers.now(), type: 'accepted', sync, message });
    for (const other of this.#targets({ sync })) this.#engine.wake(other, 'command');
    return { sync, revision: read.revision };
  }

  async suspend({ sync, reason, by }: Arguments<'suspend'>) {
    this.#targets({ sync });
    const { ledger, timers, log } = this.#engine.parts;
    ledger.suspend(sync, by ?? 'unknown', reason);
    await tellSuspension(this.#engine, sync);
    this.#engine.showSuspensions();
    log.info('sync suspended', { sync, reason, by });
    ledger.addEvent({
      at: timers.now(),
      type: 'suspended',
      sync,
      message: `The Sync was suspended by ${by ?? 'unknown'}: ${reason}`,
    });
    const suspension = ledger.suspensions().find((one) => one.sync === sync);
    return suspension ?? { sync, by: by ?? 'unknown', reason, since: timers.now() };
  }

  async resume({ sync, platform, key }: Arguments<'resume'>): Promise<{ readonly resumed: boolean }> {
    const targets = this.#targets({ sync, platform });
    const { ledger, timers, log } = this.#engine.parts;
    let resumed = false;
    if (key !== undefined) {
      for (const target of targets)
        resumed = (await this.#letGo(target, ledger.view(target, [key]).owned.get(key))) || resumed;
    } else if (sync !== undefined) {
      resumed = ledger.resume(sync);
      await tellSuspension(this.#engine, sync);
    }
    if (!resumed) return { resumed };
    this.#engine.showSuspensions();
    log.info('resumed', { sync, key });
    ledger.addEvent({
      at: timers.now(),
      type: 'resumed',
      ...(sync === undefined ? {} : { sync }),
      ...(key === undefined ? {} : { key }),
      message: `${key ?? 'The Sync'} was resumed.`,
    });
    for (const target of targets) this.#engine.wake(target, 'command');
    return { resumed };
  }

  async restore({ archiveId }: Arguments<'restore'>): Promise<RestoreResult> {
    const { ledger, timers, log } = this.#engine.parts;
    const [copy] = ledger.archived({ id: archiveId });
    if (copy === undefined)
      throw notFound(`There is no archived copy ${archiveId}.`, 'See those there are with `plumbline restore --list`.');
    const [target] = this.#targets({ sync: copy.sync, platform: copy.platform });
    if (target === undefined)
      throw notFound(
        `The Sync ${copy.sync} on ${copy.platform} is not configured any more.`,
        'Configure it again first.',
      );
    this.#engine.parts.shards?.refuse(target.platform);
    const result = await this.#engine.queue.exclusive(target.place, async (own) => {
      const signal = AbortSignal.any([own, this.#signal, AbortSignal.timeout(target.pace.timeout)]);
      const driver = await this.#engine.platforms.driver(target.platform, signal);
      target.memory.forget();
      return restoreCopy({ copy, target, driver, ledger, clock: () => timers.now() }, signal);
    });
    const { sync, platform, key } = copy;
    log.info('copy restored', { sync, platform, key, archiveId, replaced: result.replaced });
    ledger.addEvent({ at: timers.now(), type: 'restored', sync, platform, key, message: result.message });
    return result;
  }

  async history(args: Arguments<'history'>) {
    return this.#engine.parts.ledger.history(given(args));
  }

  async events(args: Arguments<'events'>) {
    return this.#engine.parts.ledger.events(given(args));
  }

  async serviceLevels({ platform, name }: Arguments<'serviceLevels'>): Promise<readonly ServiceLevelStatus[]> {
    return statusesOf(this.#engine.monitor.standings()).filter(
      (one) => (platform ?? one.platform) === one.platform && (name ?? one.serviceLevel) === one.serviceLevel,
    );
  }

  async rules({ platform }: Arguments<'rules'>): Promise<readonly RuleGroup[]> {
    return rulesOf(this.#engine.monitor.levels.filter((level) => (platform ?? level.platform) === level.platform));
  }

  async tree({ sync }: Arguments<'tree'>): Promise<readonly TreeSync[]> {
    const { ledger } = this.#engine.parts;
    return this.#targets({ sync }).map((target) => {
      const view = ledger.view(target);
      const objects = inventoryOf(view).map((entry) => ({
        ...entry,
        dependsOn: view.owned.get(entry.key as Owned['key'])?.dependsOn ?? [],
      }));
      return { sync: target.sync, platform: target.platform, objects };
    });
  }

  async archived(args: Arguments<'archived'>) {
    return this.#engine.parts.ledger.archived(given(args)).map(withoutValue);
  }

  async export({ platform }: Arguments<'export'>): Promise<ExportResult> {
    const signal = AbortSignal.any([this.#signal, AbortSignal.timeout(EXPORT_TIMEOUT)]);
    return exportPlatform(platform, await this.#engine.platforms.driver(platform, signal), signal);
  }

  async #passes(wanted: Wanted, request: PassRequest): Promise<readonly PassJson[]> {
    const reports = [];
    for (const target of this.#targets(wanted)) reports.push(await this.#engine.pass(target, request, this.#signal));
    return reports.map(passJson);
  }

  /** Targets of that name; all when none is given. @throws ReconcilerError `not-found` when a name is given that nothing has. */
  #targets({ sync, platform }: Wanted): readonly Target[] {
    const all = this.#engine.roster.targets();
    const found = all.filter(
      (target) =>
        (sync === undefined || target.sync === sync) && (platform === undefined || target.platform === platform),
    );
    if (found.length > 0 || (sync === undefined && platform === undefined)) return found;
    const names = [...new Set(all.map((target) => (sync === undefined ? target.platform : target.sync)))];
    const what =
      sync === undefined
        ? `Platform ${platform ?? ''} with a Sync`
        : `Sync ${sync}${platform === undefined ? '' : ` on Platform ${platform}`}`;
    throw notFound(`There is no ${what} in the configuration.`, `Use one of: ${names.join(', ')}.`);
  }

  /** Ends the hold on an object. @returns whether there was one. */
  async #letGo(target: Target, owned: Owned | undefined): Promise<boolean> {
    if (owned?.heldFingerprint === undefined) return false;
    this.#engine.parts.shards?.refuse(target.platform);
    const { heldFingerprint: _held, ...free } = owned;
    const journal = this.#engine.parts.ledger.journalOf(target);
    journal.record([{ record: 'own', owned: free }]);
    await journal.conclude?.();
    target.memory.forget();
    return true;
  }
}

function withoutValue(copy: ArchivedCopy): Omit<ArchivedCopy, 'value'> {
  return Object.fromEntries(Object.entries(copy).filter(([name]) => name !== 'value')) as Omit<ArchivedCopy, 'value'>;
}

interface Wanted {
  readonly sync?: string | undefined;
  readonly platform?: string | undefined;
}

function requestOf({ approvals, only }: Arguments<'plan'>): Pick<PassRequest, 'approvals' | 'only'> {
  return {
    ...(approvals === undefined ? {} : { approvals: given(approvals) }),
    ...(only === undefined ? {} : { only }),
  };
}

function notFound(message: string, remedy: string): ReconcilerError {
  return new ReconcilerError(message, 'never', { code: 'not-found', remedy });
}
