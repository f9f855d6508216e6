import { withWebhooks } from '../../../src/drivers/webhooks.ts';
import type { DriverHarness, RunningPlatform, Sample } from '../contract-harness.ts';
import { describeDriverContract } from '../contract.ts';
import { mintHarness } from '../mint/harness.ts';
import { textOf } from '../mint/normal-form.ts';
import { Registry } from './register.ts';

const PLATFORM = 'mint';

interface Details {
  readonly changed: Sample['changed'];
  readonly secret?: string;
}

function webhook(title: string, spec: Sample['spec'], { changed, secret }: Details): Sample {
  const whole = { title, active: true, signed: secret !== undefined, ...spec };
  return {
    key: `Webhook/${title.toLowerCase().replaceAll(/\W/g, '-')}`,
    kind: 'Webhook',
    title,
    spec: whole,
    changed: { ...whole, ...changed },
    dependsOn: [],
    secrets: secret === undefined ? {} : { secret },
    open: [],
  };
}

const WEBHOOKS: readonly Sample[] = [
  webhook('Bare', { event: '*', url: 'https://one.example' }, { changed: { url: 'https://two.example/hook?to=a' } }),
  webhook(
    'Über 通知 😀',
    { event: 'workflow.failed', url: 'https://chat.example/räume/通知', active: false },
    { changed: { event: 'reconcile.*', active: true }, secret: 'whsec_c2VjcmV0' },
  ),
];

/** Mint, which has no webhooks, and the register beside it. A few of Mint's own kinds show that they pass untouched. */
const harness: DriverHarness = {
  ...mintHarness,
  samples: [...mintHarness.samples.filter(({ key }) => /^(Application|Integration|Workflow)\//.test(key)), ...WEBHOOKS],
  start: async () => {
    const mint = await mintHarness.start();
    const registry = new Registry();
    const { webhooks } = registry.ledger;
    const { hands } = mint;
    const beside: RunningPlatform = {
      url: mint.url,
      connect: (options) => withWebhooks(mint.connect(options), webhooks, PLATFORM),
      clear: async () => {
        for (const { id } of webhooks.list()) webhooks.remove(id);
        await mint.clear();
      },
      truth: async (kind) => (kind === 'Webhook' ? webhooks.list().map(({ title }) => title) : mint.truth(kind)),
      hands: {
        kinds: [...hands.kinds, 'Webhook'],
        make: async (sample) => {
          if (sample.kind !== 'Webhook') return hands.make(sample);
          const [event, url] = [textOf(sample.spec['event']), textOf(sample.spec['url'])];
          return webhooks.create({ platform: PLATFORM, title: sample.title, event, url, active: true, by: 'ann' }).id;
        },
        edit: async (kind, remote) => {
          const found = kind === 'Webhook' ? webhooks.get(remote) : undefined;
          if (found === undefined) await hands.edit(kind, remote);
          else webhooks.update(remote, { ...found, url: `${found.url}/edited`, by: 'ann' });
        },
        copy: (kind, remote) => hands.copy(kind, remote),
      },
      [Symbol.asyncDispose]: async () => {
        registry[Symbol.dispose]();
        await mint[Symbol.asyncDispose]();
      },
    };
    // What poisons Mint is Mint's own.
    return Object.assign(Object.create(mint) as RunningPlatform, beside);
  },
};

describeDriverContract('Mint with webhooks', harness);
