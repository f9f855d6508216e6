import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { exportPlatform } from '../../../src/daemon/export.ts';
import { observe } from '../contract-steps.ts';
import { tell } from '../crash/pass.ts';
import { DirectusDesk } from './desk.ts';
import { RawDirectus } from './raw-directus.ts';
import type { DirectusVersion } from './server.ts';
import { applySchema, writeTemplate } from './template.ts';

/** Templates that people use, where PLUMBLINE_CORPUS names a folder with them (`directus/<template>/<table>.json`). */
export function describeTemplates(version: DirectusVersion): void {
  const folder = join(process.env['PLUMBLINE_CORPUS'] ?? '', 'directus');
  const templates = existsSync(folder) ? readdirSync(folder) : [];
  describe(`Templates on a real Directus ${version}`, function () {
    this.timeout(600_000);
    if (templates.length === 0)
      it.skip('apply, and plan to nothing (left out: PLUMBLINE_CORPUS names no folder of them)');
    for (const template of templates) {
      it(`${template}: applied, planned again: nothing; exported and applied elsewhere: the same`, async () => {
        const at = join(folder, template);
        await using raw = await RawDirectus.start(version);
        await applySchema(raw, at);
        using desk = new DirectusDesk(raw.url);
        const held = await writeTemplate(raw, at, desk);
        const first = await desk.pass();
        console.log(`      ${template}: ${JSON.stringify(held)} in ${first.endedAt - first.startedAt} ms`);
        expect(first.result, tell(first)).to.equal('applied');
        const second = await desk.pass();
        expect(second.result, tell(second)).to.equal('in-sync');
        await using driver = desk.driver();
        const before = await ownObjects(driver);
        expect(before.length).to.equal(held.flows + held.policies + held.roles + held.grants);
        using other = new DirectusDesk(raw.url);
        for (const object of before) other.export(object, driver);
        const again = await other.pass({ owner: 'tests/crash' });
        expect(
          again.outcomes.filter(({ change }) => change.verb === 'create' || change.verb === 'delete'),
          tell(again),
        ).to.deep.equal([]);
        await using elsewhere = await RawDirectus.start(version);
        await applySchema(elsewhere, at);
        for (const { email } of await raw.made('users')) await elsewhere.ask('POST', '/users', { email });
        using copy = new DirectusDesk(elsewhere.url);
        const { files, incomplete, leftOut } = await exportPlatform('main', driver, new AbortController().signal);
        expect([incomplete, leftOut]).to.deep.equal([[], []]);
        for (const { path, text } of files) copy.put(path, text);
        const third = await copy.pass({ adopt: 'matching' });
        expect(third.result, tell(third)).to.equal('applied');
        expect(third.problems).to.deep.equal([]);
        const fourth = await copy.pass({ adopt: 'matching' });
        expect(fourth.result, tell(fourth)).to.equal('in-sync');
        await using there = copy.driver();
        const values = (await observe(there)).objects.map(({ kind, title, value }) => ({ kind, title, value }));
        for (const { kind, title, value } of before) {
          const found = values.filter((one) => one.kind === kind && one.title === title);
          expect(found, `${kind} "${title}"`).to.deep.equal([{ kind, title, value }]);
          console.log(`        same on a second server: ${kind} "${title}"`);
        }
      });
    }
  });
}

async function ownObjects(driver: ReturnType<DirectusDesk['driver']>) {
  return (await observe(driver)).objects.filter(({ marker }) => marker !== undefined);
}
