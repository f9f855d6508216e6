import { join } from 'node:path';
import { ReconcilerError } from '../errors.ts';
import type { RegisteredIntegration } from '../drivers/integration-register.ts';
import { CodeStore } from '../integrations/code-store.ts';
import type { Permit } from '../integrations/code-run.ts';
import { DeadLetters } from '../integrations/dead-letters.ts';
import { IntegrationRunner } from '../integrations/integration-runner.ts';
import { pinned } from '../integrations/pins.ts';
import { RecordCheck } from '../integrations/record-check.ts';
import { allowedBy } from '../integrations/terms.ts';
import type { CodeTerms } from '../integrations/terms.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Key } from '../manifest/manifest.ts';
import type { Pins } from '../reconcile/pass.ts';
import type { SecretStore } from '../secrets/store.ts';
import type { Engine } from './engine.ts';
import { suspensionOf } from './runner.ts';
import { gitAccessOf } from './sources.ts';
import type { Target } from './target.ts';
import type { Timers } from './timers.ts';

export interface IntegrationCodeParts {
  readonly ledger: Ledger;
  readonly secrets: SecretStore;
  readonly stateDir: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly timers: Timers;
}

/** What Syncs let their Integrations run, as the configuration says. */
export class IntegrationCode {
  readonly #parts: IntegrationCodeParts;
  readonly #store: CodeStore;
  readonly #check = new RecordCheck();
  readonly #letters: DeadLetters;
  #engine: Engine | undefined;

  constructor(parts: IntegrationCodeParts) {
    this.#parts = parts;
    const { stateDir, environment, secrets, timers } = parts;
    const dir = join(stateDir, 'integrations');
    this.#store = new CodeStore({ dir, environment });
    const redact = (text: string): string => secrets.redact(text);
    this.#letters = new DeadLetters(join(dir, 'dead-letters'), { redact, now: () => timers.now() });
  }

  /** What finds the commits that Integrations of a target are locked to. */
  pins(target: Target): Pins {
    const { ledger } = this.#parts;
    const parts = { store: this.#store, register: ledger.integrations, check: this.#check };
    const { sync, platform } = target;
    return {
      pin: ({ name }, spec, signal) =>
        pinned(parts, { sync, platform, terms: this.#termsOf(target) }, { name, spec }, signal),
    };
  }

  /** What runs them, as `engine` is configured. */
  runner(engine: Engine): IntegrationRunner {
    this.#engine = engine;
    const { ledger, log, metrics, timers, state } = engine.parts;
    return new IntegrationRunner({
      ledger,
      metrics,
      log,
      timers,
      monitor: engine.monitor,
      store: this.#store,
      check: this.#check,
      letters: this.#letters,
      redact: (text) => this.#parts.secrets.redact(text),
      permit: (one) => this.#permit(engine, one),
      holds: (platform) => engine.holds(platform),
      ...(state === undefined ? {} : { share: (platform: string) => state.inventory.savePlatform(platform) }),
    });
  }

  /**
   * On which terms code in force may run now: the Sync that owns it is configured, owns it still, runs, and allows the repository.
   * @throws ReconcilerError why it may not
   */
  #permit(engine: Engine, one: RegisteredIntegration): Permit {
    const target = ownerOf(engine, one);
    if (target === undefined) throw blocked(one, 'no Sync owns it', 'Let a Sync take it over, or delete it.');
    const suspended = suspensionOf(target, this.#parts.ledger);
    if (suspended !== undefined)
      throw blocked(one, `its Sync ${target.sync} is suspended: ${suspended}`, 'Resume the Sync.');
    const terms = this.#termsOf(target);
    allowedBy(target.sync, terms, one.runs.code.repository);
    if (terms === undefined) throw blocked(one, 'its Sync lets nothing run', 'Configure spec.code of the Sync.');
    const { secrets } = this.#parts;
    const reveal: Permit['reveal'] = async (ref) => (await secrets.resolve(ref, target.secretScope)).reveal();
    return { sync: target.sync, terms, reveal };
  }

  #termsOf({ sync, code }: Target): CodeTerms | undefined {
    if (code === undefined) return undefined;
    const { secrets } = this.#parts;
    const parts = { secrets, baseDir: this.#engine?.baseDir ?? '.' };
    return {
      limits: code.limits,
      repositories: code.repositories.map((one) => ({ url: one.url, ...gitAccessOf(sync, one, parts) })),
    };
  }
}

/** The target whose pass put it in force, while that still owns it. */
export function ownerOf(engine: Engine, { marker, platform, name }: RegisteredIntegration): Target | undefined {
  if (marker === undefined) return undefined;
  const key: Key = `Integration/${name}`;
  return engine.roster
    .targets()
    .find(
      (target) =>
        target.platform === platform &&
        target.terms.retire === undefined &&
        [target.terms.owner, ...target.terms.previousOwners].includes(marker.owner) &&
        engine.parts.ledger.view(target, [key]).owned.has(key),
    );
}

function blocked({ name }: RegisteredIntegration, because: string, remedy: string): ReconcilerError {
  return new ReconcilerError(`Integration/${name} does not run: ${because}.`, 'never', {
    code: 'not-runnable',
    remedy,
  });
}
