import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { expect } from 'chai';
import type { SecretRef, SecretScope } from '../../src/secrets/secrets.ts';
import { SecretStore } from '../../src/secrets/store.ts';
import type { HiddenValue } from '../../src/secrets/value.ts';
import { failureOf, temporaryFolders } from './folders.ts';

const HASH_KEY = Buffer.alloc(32, 7);
const ENV = {
  ORDERS_CRM_KEY: 'crm-key-4711',
  ORDERS_EMPTY: '',
  N8N_API_KEY: 'daemon-token-1',
  PLUMBLINE_TOKEN: 'daemon-token-2',
  ORDERS_PLATFORM: 'daemon-token-3',
};

describe('A reference to a secret', () => {
  const folder = temporaryFolders();
  const configuration = (): SecretScope => ({
    kind: 'configuration',
    baseDir: folder(),
  });
  const source = (env: readonly string[], dir?: string): SecretScope => ({
    kind: 'source',
    env,
    ...(dir === undefined ? {} : { dir }),
  });
  const store = (reserved: readonly SecretRef[] = []): SecretStore =>
    new SecretStore({ env: ENV, hashKey: HASH_KEY, reserved });

  it('gives the value of a variable or a file, without the newline at its end, anew at each call', async () => {
    const scope = { kind: 'configuration', baseDir: folder() } as const;
    const secrets = store();
    expect((await secrets.resolve({ env: 'N8N_API_KEY' }, scope)).reveal()).to.equal('daemon-token-1');
    for (const [text, expected] of [
      ['one\n', 'one'],
      ['two\r\n', 'two'],
      [' three\n\n', ' three\n'],
      ['four', 'four'],
    ] as const) {
      writeFileSync(join(scope.baseDir, 'token'), text);
      expect((await secrets.resolve({ file: 'token' }, scope)).reveal()).to.equal(expected);
    }
  });

  it('shows a placeholder wherever the value would be printed, and a keyed hash that is bound to its context', async () => {
    const value = (await store().resolve({ env: 'ORDERS_CRM_KEY' }, configuration())) as HiddenValue;
    const shown = [
      String(value),
      JSON.stringify({ value }),
      inspect({ value }, { showHidden: true, depth: 9 }),
      'text '.concat(value.toString()),
    ];
    for (const text of shown) expect(text).to.include('[secret]').and.not.include('4711');
    expect(Object.keys(value)).to.deep.equal([]);
    const expected = createHmac('sha256', HASH_KEY).update('Integration/crm\0crm-key-4711').digest('hex');
    expect(value.keyedHash('Integration/crm')).to.equal(expected);
    expect(value.keyedHash('Integration/other')).to.not.equal(expected);
  });

  it('from a source reaches only variables that its Sync allows', async () => {
    const secrets = store();
    const value = await secrets.resolve({ env: 'ORDERS_CRM_KEY' }, source(['ORDERS_*']));
    expect(value.reveal()).to.equal('crm-key-4711');
    for (const patterns of [
      [],
      ['CRM_*'],
      ['ORDERS_'],
      ['*_CRM'],
      ['orders_*'],
      ['ORDERS_CRM_?EY'],
      ['ORDERS_.*'],
      ['ORDERS_*_CRM_KEY'],
    ]) {
      const failure = await failureOf(() => secrets.resolve({ env: 'ORDERS_CRM_KEY' }, source(patterns)));
      expect([failure.code, failure.retry]).to.deep.equal(['secret-forbidden', 'never']);
      expect(failure.remedy).to.include('spec.secrets.env');
    }
    for (const pattern of ['*', 'O*Y', '*CRM*', 'ORDERS_*_*', '**']) {
      expect((await secrets.resolve({ env: 'ORDERS_CRM_KEY' }, source([pattern]))).reveal()).to.equal('crm-key-4711');
    }
  });

  it('from a source does not tell whether a forbidden variable exists', async () => {
    const [there, missing] = await Promise.all(
      ['N8N_API_KEY', 'N8N_API_KEX'].map((env) => failureOf(() => store().resolve({ env }, source(['ORDERS_*'])))),
    );
    expect(there?.message.replaceAll('KEY', 'KEX')).to.equal(missing?.message);
    expect(there?.remedy?.replaceAll('KEY', 'KEX')).to.equal(missing?.remedy);
    expect([there?.code, there?.retry]).to.deep.equal([missing?.code, missing?.retry]);
  });

  it("from a source never reaches the daemon's own variables, however wide the pattern", async () => {
    const secrets = store([{ env: 'N8N_API_KEY' }]);
    await secrets.resolve({ env: 'ORDERS_PLATFORM' }, configuration());
    for (const env of ['N8N_API_KEY', 'PLUMBLINE_TOKEN', 'ORDERS_PLATFORM']) {
      expect((await failureOf(() => secrets.resolve({ env }, source(['*'])))).code, env).to.equal('secret-forbidden');
    }
    expect(
      (await failureOf(() => secrets.resolve({ env: 'PLUMBLINE_TOKEN' }, source(['PLUMBLINE_TOKEN'])))).code,
    ).to.equal('secret-forbidden');
    const named = await secrets.resolve({ env: 'ORDERS_PLATFORM' }, source(['ORDERS_PLATFORM']));
    expect(named.reveal(), 'the full name in the Sync shares it on purpose').to.equal('daemon-token-3');
  });

  it('that leads to nothing fails with a remedy, and is tried again', async () => {
    const scope = { kind: 'configuration', baseDir: folder() } as const;
    writeFileSync(join(scope.baseDir, 'empty'), '\n');
    const refs = [
      { env: 'ORDERS_EMPTY' },
      { env: 'MISSING' },
      { env: 'toString' },
      { file: 'empty' },
      { file: 'missing' },
    ];
    for (const ref of refs) {
      const failure = await failureOf(() => store().resolve(ref, scope));
      expect([failure.code, failure.retry]).to.deep.equal(['secret-missing', 'backoff']);
      expect(failure.message).to.include(Object.values(ref)[0]);
      expect(failure.remedy).to.be.a('string').and.not.equal('');
    }
  });

  it('to a file of a source stays inside the directory: no traversal, no other absolute path, no link out', async () => {
    const root = folder();
    const dir = join(root, 'orders');
    for (const path of [dir, join(root, 'orders-other')]) mkdirSync(path);
    writeFileSync(join(root, 'git-token'), 'daemon-token');
    writeFileSync(join(root, 'orders-other', 'x'), 'daemon-token');
    writeFileSync(join(dir, 'crm'), 'crm-file-4711');
    symlinkSync('../git-token', join(dir, 'link'));
    symlinkSync('crm', join(dir, 'inner-link'));
    symlinkSync('..', join(dir, 'up'));
    for (const file of ['crm', join(dir, 'crm'), 'inner-link', './x/../crm']) {
      expect((await store().resolve({ file }, source([], dir))).reveal(), file).to.equal('crm-file-4711');
    }
    const outside = ['../git-token', join(root, 'git-token'), '../orders-other/x', 'link', 'up/git-token', '.', '..'];
    for (const file of outside) {
      const failure = await failureOf(() => store().resolve({ file }, source(['*'], dir)));
      expect(failure.code, file).to.equal('secret-forbidden');
    }
    const [there, missing] = await Promise.all(
      ['../git-token', '../git-tokem'].map((file) => failureOf(() => store().resolve({ file }, source([], dir)))),
    );
    expect(there?.message.replace('token', 'tokem')).to.equal(missing?.message);
    expect((await failureOf(() => store().resolve({ file: 'crm' }, source(['*'])))).code).to.equal('secret-forbidden');
  });

  it('to a file of a source never reaches what the daemon keeps for itself inside that directory', async () => {
    const dir = folder();
    mkdirSync(join(dir, 'state'));
    for (const file of ['state/api-token', 'platform', 'mine']) writeFileSync(join(dir, file), 'a-token-1');
    const secrets = store([{ file: join(dir, 'state') }]);
    await secrets.resolve({ file: join(dir, 'platform') }, configuration());
    for (const file of ['state/api-token', 'platform']) {
      expect((await failureOf(() => secrets.resolve({ file }, source([], dir)))).code).to.equal('secret-forbidden');
    }
    expect((await secrets.resolve({ file: 'mine' }, source([], dir))).reveal()).to.equal('a-token-1');
  });

  it('to what is no small text file is refused: directories, pipes, devices, large or binary files', async () => {
    const baseDir = folder();
    mkdirSync(join(baseDir, 'directory'));
    execFileSync('mkfifo', [join(baseDir, 'pipe')]);
    writeFileSync(join(baseDir, 'large'), 'x'.repeat(64 * 1024 + 1));
    writeFileSync(join(baseDir, 'binary'), Buffer.from([0xff, 0xfe, 0x80]));
    writeFileSync(join(baseDir, 'largest'), 'x'.repeat(64 * 1024));
    for (const file of ['directory', 'pipe', '/dev/zero', 'large', 'binary']) {
      const failure = await failureOf(() => store().resolve({ file }, { kind: 'configuration', baseDir }));
      expect([failure.code, failure.retry], file).to.deep.equal(['secret-unusable', 'never']);
    }
    const largest = await store().resolve({ file: 'largest' }, { kind: 'configuration', baseDir });
    expect(largest.reveal()).to.have.length(64 * 1024);
  });
});
