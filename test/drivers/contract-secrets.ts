import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { expect } from 'chai';
import type { Driver } from '../../src/drivers/driver.ts';
import type { RemoteObject } from '../../src/plan/types.ts';
import type { Sample } from './contract-harness.ts';
import { apply, get, inStages, observe, stepFor, succeed } from './contract-steps.ts';
import type { Bench } from './contract.ts';

/** Secrets go in and never come out: not in what is observed, not in outcomes, not in what requests are called. */
export function describeSecrets({ harness, platform, proxy, law }: Bench): void {
  law('secrets', 'no secret is in anything that the driver says (law 9)', () => listen('cannot take that'));

  law('secret-echo', 'no secret is in what the driver says of a refusal that repeats what was sent (law 9)', () =>
    listen('cannot take'),
  );

  /** All that the driver says while secrets are written, observed, exported and refused with these words. */
  async function listen(words: 'cannot take' | 'cannot take that'): Promise<void> {
    const said: unknown[] = [];
    const { samples, canaries } = withCanaries(harness.samples);
    await using driver = platform().connect({ url: proxy().url, onRequest: (request) => said.push(request) });
    for (const stage of inStages(samples)) {
      said.push(
        await apply(
          driver,
          stage.map((sample) => stepFor('create', sample, driver)),
        ),
      );
    }
    said.push(await observe(driver));
    const secretive = samples.filter(({ secrets }) => Object.keys(secrets).length > 0);
    expect(secretive, 'samples with secrets').to.not.deep.equal([]);
    const objects = await Promise.all(secretive.map((sample) => get(driver, sample)));
    for (const [index, sample] of secretive.entries()) {
      const at = objects[index];
      if (at === undefined) continue;
      said.push(driver.toManifest?.(at));
      said.push(await fail(driver, { sample, at, words }));
    }
    const text = said.map((one) => spell(one)).join('\n');
    for (const canary of canaries) {
      expect(text.includes(canary), 'a secret is in what the driver says').to.equal(false);
    }
  }

  law('secrets', 'a secret is known to be set, and stays set when others are written', async () => {
    await using driver = platform().connect();
    for (const stage of inStages(harness.samples)) {
      await succeed(
        driver,
        stage.map((sample) => stepFor('create', sample, driver)),
      );
    }
    for (const sample of harness.samples.filter(({ secrets }) => Object.keys(secrets).length > 0)) {
      const before = await get(driver, sample);
      await succeed(driver, [stepFor('update', sample, driver, { at: before, spec: sample.changed })]);
      const { secretsSet } = await get(driver, sample);
      if (secretsSet === undefined) continue;
      for (const name of Object.keys(sample.secrets)) expect(secretsSet[name], `${sample.key} ${name}`).to.equal(true);
    }
  });

  /** Writes with rotated secrets that fail in several ways. */
  async function fail(driver: Driver, aim: { sample: Sample; at: RemoteObject; words: string }): Promise<unknown[]> {
    const { sample, at, words } = aim;
    const echo = words === 'cannot take' ? JSON.stringify(sample.secrets) : '';
    const said: unknown[] = [];
    const body = JSON.stringify({ message: `${words} ${echo}` });
    for (const action of [
      { do: 'status', code: 400, body },
      { do: 'status', code: 500, body },
      { do: 'reset', when: 'before' },
    ] as const) {
      proxy().rules.clear();
      proxy().rules.add({ writes: true, action, times: 50 });
      const step = stepFor('update', sample, driver, { at, spec: sample.changed, secrets: sample.secrets });
      said.push(await apply(driver, [step]));
      proxy().rules.clear();
    }
    if (harness.poison !== undefined) {
      harness.poison(platform(), sample);
      said.push(
        await apply(driver, [stepFor('update', sample, driver, { at, spec: sample.changed, secrets: sample.secrets })]),
      );
    }
    return said;
  }
}

function withCanaries(samples: readonly Sample[]): { samples: readonly Sample[]; canaries: readonly string[] } {
  const canaries: string[] = [];
  const canary = (): string => {
    const core = `canary${randomBytes(12).toString('hex')}`;
    // Whatever becomes of the signs around it: the core is found in every spelling but base64.
    const text = `/${core}+"`;
    canaries.push(core, Buffer.from(text).toString('base64'));
    return text;
  };
  const changed = samples.map((sample) => ({
    ...sample,
    secrets: Object.fromEntries(Object.keys(sample.secrets).map((name) => [name, canary()])),
  }));
  return { samples: changed, canaries };
}

/** All that a log could print of a value, causes of errors included. */
function spell(value: unknown): string {
  return inspect(value, { depth: Infinity, maxStringLength: Infinity, maxArrayLength: Infinity, showHidden: true });
}
