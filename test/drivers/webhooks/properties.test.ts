import { expect } from 'chai';
import { assert, asyncProperty, boolean, constantFrom, option, record, string, webUrl } from 'fast-check';
import { withWebhooks } from '../../../src/drivers/webhooks.ts';
import { fingerprint } from '../../../src/plan/fingerprint.ts';
import { get, stepFor, succeed } from '../contract-steps.ts';
import { Inner, hook } from './inner.ts';
import { Registry } from './register.ts';

const spec = record({
  title: string({ unit: 'binary', minLength: 1, maxLength: 40 }),
  event: constantFrom('*', 'order.created', 'reconcile.*'),
  url: webUrl({ withQueryParameters: true }),
  active: boolean(),
});
const secret = option(string({ unit: 'grapheme', minLength: 1, maxLength: 40 }), { nil: undefined });
const secretsOf = (value: string | undefined) => (value === undefined ? {} : { secret: value });

describe('Whatever a Webhook says,', () => {
  it('it is read as it was written and keeps its secret, through a create, a change and a restart (law 1)', async () => {
    using registry = new Registry();
    const running = () => withWebhooks(new Inner(), registry.ledger.webhooks, 'main');
    await assert(
      asyncProperty(spec, spec, secret, secret, async (before, after, one, two) => {
        const [first, second] = [hook(before, secretsOf(one)), hook(after, secretsOf(two))];
        await succeed(running(), [stepFor('create', first, running())]);
        registry.reopen();
        const made = await get(running(), first);
        expect(fingerprint(made.value, [])).to.equal(fingerprint(running().normalize('Webhook', first.spec), []));
        expect(registry.ledger.webhooks.secretOf(made.remote)?.reveal()).to.equal(one);
        const step = stepFor('update', second, running(), { at: made, secrets: second.secrets });
        const diff = [{ path: '/signed' }] as const;
        await succeed(running(), [{ ...step, change: { ...step.change, diff } as typeof step.change }]);
        const changed = await get(running(), second);
        expect(changed.value).to.deep.equal(running().normalize('Webhook', second.spec));
        const { title, event, active } = after;
        expect(changed.value).to.include({ title, event, active });
        expect(running().normalize('Webhook', changed.value), 'idempotent').to.deep.equal(changed.value);
        expect(registry.ledger.webhooks.secretOf(made.remote)?.reveal()).to.equal(two);
        await succeed(running(), [stepFor('delete', second, running(), { at: changed })]);
        expect(registry.ledger.webhooks.list()).to.deep.equal([]);
      }),
      { numRuns: 40 },
    );
  });
});
