import type { Driver, Facts } from '../drivers/driver.ts';
import type { Owned } from '../plan/types.ts';
import { given } from './given.ts';
import type { CheckResult } from './operations.ts';
import { errorJson } from '../gateway/api/error-json.ts';
import type { Platforms } from './platforms.ts';

/** Milliseconds that one platform is waited for. */
const TIMEOUT = 60_000;

/** Characters of what a platform says of a connection that are passed on. */
const LONGEST_MESSAGE = 300;

interface Checking {
  readonly platforms: Platforms;
  /** What Plumbline owns on a platform. */
  readonly owned: (platform: string) => readonly Pick<Owned, 'key' | 'remote'>[];
  readonly redact: (text: string) => string;
}

/**
 * Connects to a platform and asks it what it is; what goes wrong there is the answer.
 * @throws ReconcilerError `not-found` when no Platform of that name is configured.
 */
export async function checkPlatform(
  { platforms, owned, redact }: Checking,
  name: string,
  stop: AbortSignal,
): Promise<CheckResult> {
  const platform = platforms.get(name);
  const about = { platform: name, driver: platform?.spec.driver ?? '' };
  try {
    const signal = AbortSignal.any([stop, AbortSignal.timeout(TIMEOUT)]);
    const driver = await platforms.driver(name, signal);
    const facts = await driver.probe(signal);
    const connections = await connectionsOf(driver, owned(name), signal);
    const tried = connections.map((one) => ({ ...one, message: redact(one.message).slice(0, LONGEST_MESSAGE) }));
    return {
      ...about,
      url: (await platforms.url(name)) ?? '',
      ok: true,
      ...factsJson(facts),
      ...(tried.length === 0 ? {} : { connections: tried }),
    };
  } catch (error) {
    if (platform === undefined) throw error;
    return { ...about, url: platform.spec.url ?? '', ok: false, error: errorJson(error) };
  }
}

/** Only what is ours is tried: a trial sends the secrets of a connection to where it leads. */
async function connectionsOf(
  driver: Driver,
  owned: ReturnType<Checking['owned']>,
  signal: AbortSignal,
): Promise<NonNullable<CheckResult['connections']>> {
  const found: { key: string; works: boolean; message: string }[] = [];
  for (const { key, remote } of owned.filter((one) => one.key.startsWith('Integration/'))) {
    const trial = await driver.tryConnection?.(remote, signal);
    if (trial !== undefined) found.push({ key, ...trial });
  }
  return found;
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
