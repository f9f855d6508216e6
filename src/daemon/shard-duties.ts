import { randomUUID } from 'node:crypto';
import { ReconcilerError } from '../errors.ts';
import type { IntegrationRunner } from '../integrations/integration-runner.ts';
import type { Engine } from './engine.ts';
import type { SharedState } from './shared-state.ts';
import { SUSPENSIONS } from './shards.ts';
import type { ShardKeeper } from './shards.ts';
import type { Workshop } from './workshop.ts';

/** Milliseconds that a command waits to learn who holds what. */
const GUEST_PATIENCE = 15_000;

/** Milliseconds that what others have told is waited for. */
const HEARING = 5_000;

/** What an engine does about shards that come and go. */
export class ShardDuties implements ShardKeeper {
  readonly #engine: Engine;
  readonly #state: SharedState | undefined;
  readonly #integrations: IntegrationRunner;
  readonly #guest: boolean;

  /** `guest`: for a command, which takes a shard for what it is asked for and runs no pass by itself. */
  constructor(engine: Engine, integrations: IntegrationRunner, { guest = false } = {}) {
    this.#engine = engine;
    this.#integrations = integrations;
    this.#guest = guest;
    this.#state = engine.parts.state;
  }

  timeouts(): ReadonlyMap<string, number> {
    const { platforms } = this.#engine;
    return new Map(platforms.names().map((name) => [name, platforms.get(name)?.spec.limits.timeout ?? 0]));
  }

  async take(isOurs: (platform: string) => boolean): Promise<void> {
    const { platforms, roster } = this.#engine;
    await this.#state?.inventory.load(platforms.names(), isOurs);
    await this.#state?.readSuspensions();
    // Syncs that own something and are configured no more, or under another name, are known only now.
    await this.#engine.shardsChanged();
    await this.#state?.inventory.tidy(isOurs);
    await this.#hearOthers();
    // What was remembered of the platform is from a time when somebody else has written since.
    for (const target of roster.targets()) {
      if (!isOurs(target.platform)) continue;
      target.memory.forget();
      if (target.terms.retire === undefined) target.progress.attempted = false;
    }
  }

  lose(isTheirs: (platform: string) => boolean): void {
    const { queue, platforms, parts } = this.#engine;
    const reason = new ReconcilerError('The Lease of the shard is held no more.', 'backoff', { code: 'not-holder' });
    queue.abort(reason, isTheirs);
    this.#integrations.abort(isTheirs, reason);
    this.#engine.watchSources();
    this.#engine.onHeldChanged();
    void platforms.release(isTheirs).catch((error: unknown) => parts.log.warn('platforms not released', { error }));
  }

  async drain(isTheirs: (platform: string) => boolean): Promise<boolean> {
    // A run of an Integration can last for long, and goes on anywhere: it is not waited for.
    this.#integrations.abort(
      isTheirs,
      new ReconcilerError('The shard is given up.', 'backoff', { code: 'not-holder' }),
    );
    const [ended] = await Promise.all([this.#engine.queue.idle(isTheirs), this.#integrations.idle(isTheirs)]);
    return ended;
  }

  look(what: string): void {
    const [, kind = '', name = ''] = /^(sync|platform|integration)\/(.+)$/.exec(what) ?? [];
    if (kind === 'sync') this.#engine.lookAtSync(name);
    else if (kind === 'platform') this.#engine.lookAtPlatform(name);
    else if (kind === 'integration') wakeIntegration(this.#integrations, name);
    else if (what === SUSPENSIONS) void this.#readSuspensions();
  }

  /** What others have told is waited for where it is used: the first pass would take for missing what is not heard yet. */
  async #hearOthers(): Promise<void> {
    const uses = this.#engine.roster
      .targets()
      .some(({ dependsOn, references }) => dependsOn.length > 0 || references.length > 0);
    if (uses) await this.#state?.neighbours.known(AbortSignal.timeout(HEARING));
  }

  async #readSuspensions(): Promise<void> {
    const { parts } = this.#engine;
    try {
      await this.#state?.readSuspensions();
      this.#engine.showSuspensions();
      if (this.#guest) return;
      for (const target of this.#engine.roster.targets()) this.#engine.wake(target, 'command');
    } catch (error) {
      parts.log.error('suspensions not read', { error });
    }
  }

  ready(isOurs: (platform: string) => boolean): void {
    if (this.#guest) return;
    this.#engine.watchSources();
    for (const target of this.#engine.roster.targets()) if (isOurs(target.platform)) this.#engine.wake(target, 'start');
    this.#engine.onHeldChanged();
    this.#integrations.look();
  }
}

/** An event came to another replica: what it was about stayed there. */
function wakeIntegration(integrations: IntegrationRunner, place: string): void {
  const [platform = '', name = ''] = place.split('/');
  integrations.wish({ platform, name }, randomUUID(), { by: 'event' });
}

/** For a command: takes what is free and waits until it is known who holds the rest. */
export async function joinAsGuest({ engine, shards, integrations }: Workshop): Promise<void> {
  if (shards === undefined) return;
  shards.serve(new ShardDuties(engine, integrations, { guest: true }));
  const patience = AbortSignal.timeout(GUEST_PATIENCE);
  await shards.known(engine.platforms.names(), patience);
  // A command asks once: what others have told has to be known by then.
  await engine.parts.state?.neighbours.known(patience);
}
