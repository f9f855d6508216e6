import type { Facts } from '../drivers/driver.ts';
import { given } from './given.ts';
import type { CheckResult } from './operations.ts';
import { errorJson } from '../gateway/api/error-json.ts';
import type { Platforms } from './platforms.ts';

/** Milliseconds that one platform is waited for. */
const TIMEOUT = 60_000;

/**
 * Connects to a platform and asks it what it is; what goes wrong there is the answer.
 * @throws ReconcilerError `not-found` when no Platform of that name is configured.
 */
export async function checkPlatform(platforms: Platforms, name: string, stop: AbortSignal): Promise<CheckResult> {
  const platform = platforms.get(name);
  const about = { platform: name, driver: platform?.spec.driver ?? '' };
  try {
    const signal = AbortSignal.any([stop, AbortSignal.timeout(TIMEOUT)]);
    const driver = await platforms.driver(name, signal);
    const facts = await driver.probe(signal);
    return { ...about, url: (await platforms.url(name)) ?? '', ok: true, ...factsJson(facts) };
  } catch (error) {
    if (platform === undefined) throw error;
    return { ...about, url: platform.spec.url ?? '', ok: false, error: errorJson(error) };
  }
}

function factsJson({ version, instance, licence, account, rights, notes, capabilities }: Facts) {
  const shown = Object.fromEntries(
    Object.entries(capabilities).map(([kind, verbs]) => [
      kind,
      Object.fromEntries(
        Object.entries(verbs).map(([verb, support]) => [
          verb,
          typeof support === 'string' ? support : support.unsupported,
        ]),
      ),
    ]),
  );
  return { version, rights, notes, capabilities: shown, ...given({ instance, licence, account }) };
}
