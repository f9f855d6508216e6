import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { wordOf } from '../../../src/drivers/directus/json.ts';
import { Desk } from '../../cli/binary.ts';
import { RawDirectus, type Row } from './raw-directus.ts';
import { ADMIN_TOKEN, type DirectusVersion } from './server.ts';

const README = readFileSync(fileURLToPath(new URL('../../../README.md', import.meta.url)), 'utf8');
const BOB = 'token-of-bob-for-the-sample';

/** The sample of the README, word for word, on a real server. */
export function describeSample(version: DirectusVersion): void {
  describe(`The README's sample on a real Directus ${version}`, function () {
    this.timeout(300_000);
    let raw: RawDirectus;
    const desk = new Desk({ DIRECTUS_TOKEN: ADMIN_TOKEN });
    before(async () => {
      raw = await RawDirectus.start(version);
      await makeOrders(raw);
    });
    after(async () => {
      desk.remove();
      await raw?.[Symbol.asyncDispose]();
    });

    it('makes what it shows, tells who changed it, reverts that, and reports what people grant', async () => {
      const configuration = block('directus-configuration')
        .replace('https://directus.example.com', raw.url)
        .replace('https://git.example.com/content.git', `file://${desk.dir}/content`);
      desk.write('plumbline.yaml', configuration);
      desk.write('content/orders.yaml', block('directus-manifests'));
      await desk.commit('content', 'Orders of the EU');
      const first = await goesWell(desk, 'apply', '--yes');
      expect(first).to.match(/content on content: applied; 4 applied, 0 failed, 0 skipped, 0 withheld\./);
      expect(await regionsSeenBy(raw, BOB), 'the filter holds').to.deep.equal(['EU']);
      await raw.ask('POST', '/items/orders', { region: 'EU' });
      expect(await goesWell(desk, 'plan', '--detailed-exitcode')).to.include('Nothing to do: 4 object(s)');

      const [permission] = await raw.rows('permissions', 'filter[action][_eq]=read&filter[collection][_eq]=orders');
      await raw.ask('PATCH', `/permissions/${permission?.id ?? ''}`, { permissions: {} });
      const [policy] = (await raw.rows('policies')).filter(({ name }) => name === 'Order desk');
      await raw.ask('POST', '/access', { policy: policy?.id, user: raw.people.get('alice@example.com') });
      expect(await regionsSeenBy(raw, BOB)).to.deep.equal(['EU', 'EU', 'US']);
      const plan = (await desk.run('plan')).out;
      expect(plan)
        .to.match(/update AccessRole\/order-desk "Order desk" {2}changed on the platform by admin@example\.com/)
        .and.include(`i notice AccessGrant "alice-example-com-has-order-desk"`);
      await goesWell(desk, 'apply', '--yes');
      expect(await regionsSeenBy(raw, BOB)).to.deep.equal(['EU', 'EU']);
      expect(
        (await raw.made('access')).filter((row) => row['user'] === raw.people.get('alice@example.com')),
        'what people attached by hand stays',
      ).to.have.length(1);
      if (process.env['PLUMBLINE_SHOW_SAMPLE'] === '1') console.log(desk.said);
    });
  });
}

/** The YAML of the README that is marked with this word. */
function block(word: string): string {
  const found = new RegExp(`^\`\`\`yaml ${word}\n([^]*?)^\`\`\``, 'm').exec(README);
  if (found?.[1] === undefined) throw new Error(`the README has no \`\`\`yaml ${word}`);
  return found[1];
}

async function goesWell(desk: Desk, ...args: readonly string[]): Promise<string> {
  const { code, out, err } = await desk.run(...args);
  expect(code, `plumbline ${args.join(' ')}\n${out}${err}`).to.equal(0);
  return out;
}

/** The data model, which is nobody's to keep in git here, some orders, and a person who may log in. */
async function makeOrders(raw: RawDirectus): Promise<void> {
  const field = (name: string, type: string) => ({ field: name, type, schema: {} });
  const id = { field: 'id', type: 'integer', schema: { is_primary_key: true, has_auto_increment: true } };
  await raw.ask('POST', '/collections', {
    collection: 'orders',
    schema: {},
    meta: {},
    fields: [id, field('region', 'string'), field('status', 'string')],
  });
  await raw.ask('POST', '/items/orders', [{ region: 'EU' }, { region: 'US' }]);
  await raw.ask('PATCH', `/users/${raw.people.get('bob@example.com') ?? ''}`, { token: BOB });
}

async function regionsSeenBy(raw: RawDirectus, token: string): Promise<readonly string[]> {
  const rows = (await raw.ask('GET', '/items/orders?fields=id,region', undefined, token)) as Row[];
  return rows.map(({ region }) => wordOf(region)).toSorted((one, other) => one.localeCompare(other));
}
