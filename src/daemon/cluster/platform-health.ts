import { messageOf, sentences } from '../../errors.ts';
import type { ReconcilerError } from '../../errors.ts';
import type { PassReport } from '../../report/pass-report.ts';
import { checkPlatform } from '../check.ts';
import type { Platforms } from '../platforms.ts';
import type { Stand } from './conditions.ts';

/** Codes of errors that are about the platform or the way to it, and not about what a Sync wants there. */
const OF_PLATFORM =
  /^(platform-|timeout|connection-lost|unauthorized|forbidden|credentials-|secret-|bad-url|not-json|redirected|login-)/;

/**
 * How the Platforms stand: asked once when they come into force or what they refer to changes, and seen from then on by what passes on
 * them meet. Nothing is asked at rest.
 */
export class PlatformHealth {
  readonly #platforms: Platforms;
  readonly #stands = new Map<string, Stand>();
  readonly #signal: AbortSignal;

  constructor(platforms: Platforms, signal: AbortSignal) {
    this.#platforms = platforms;
    this.#signal = signal;
  }

  standOf(name: string): Stand {
    return this.#stands.get(name) ?? { state: 'unknown', reason: 'Progressing', message: 'It is being asked.' };
  }

  /** Whether it has been asked, or a pass has met it. */
  knows(name: string): boolean {
    return this.#stands.has(name);
  }

  forget(name: string): void {
    this.#stands.delete(name);
  }

  /** Connects and asks what it is. Never throws. */
  async ask(name: string): Promise<void> {
    try {
      // No connection is tried: that would send its secrets to where it leads.
      const asked = { platforms: this.#platforms, owned: () => [], redact: (text: string) => text };
      const found = await checkPlatform(asked, name, this.#signal);
      if (found.error === undefined) this.#reached(name, `It answers, and is version ${found.version ?? 'unknown'}.`);
      else {
        const { code, retry } = found.error;
        this.#stands.set(name, stand(code, sentences(found.error), retry));
      }
    } catch (error) {
      if (!this.#signal.aborted) this.#stands.set(name, stand(undefined, messageOf(error), 'backoff'));
    }
  }

  /** What a pass met. @returns whether the platform stands differently now. */
  met({ platform, error, plan }: PassReport): boolean {
    const before = this.#stands.get(platform);
    // What has not been told yet is being asked, and that answer says more.
    if (plan !== undefined && before !== undefined && before.state !== 'ready') this.#reached(platform, 'It answers.');
    else if (error !== undefined && isOfPlatform(error)) {
      this.#stands.set(platform, stand(error.code, `${messageOf(error)} ${error.remedy ?? ''}`.trim(), error.retry));
    }
    const after = this.#stands.get(platform);
    return before?.state !== after?.state || before?.message !== after?.message;
  }

  #reached(name: string, message: string): void {
    this.#stands.set(name, { state: 'ready', reason: 'Reachable', message });
  }
}

function isOfPlatform({ code }: ReconcilerError): boolean {
  return code !== undefined && OF_PLATFORM.test(code);
}

function stand(code: string | undefined, message: string, retry: string): Stand {
  const reason = (code ?? 'unreachable').replaceAll(/(?:^|-)([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  return { state: retry === 'never' ? 'stalled' : 'going-on', reason, message };
}
