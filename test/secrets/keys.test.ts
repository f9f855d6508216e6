import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { generateToken, loadHashKey, tokenEquals } from '../../src/secrets/keys.ts';
import { failureOf, temporaryFolders } from './folders.ts';

describe('Key files', () => {
  const folder = temporaryFolders();

  it('are made once, whole, for the owner alone, and read ever after', () => {
    const path = join(folder(), 'state', 'hash.key');
    const key = loadHashKey(path);
    expect(key).to.have.length(32);
    expect(statSync(path).mode & 0o777).to.equal(0o600);
    expect(readFileSync(path).equals(key)).to.equal(true);
    expect(loadHashKey(path).equals(key)).to.equal(true);
    expect(readdirSync(join(path, '..')), 'no draft is left').to.deep.equal(['hash.key']);
    expect(loadHashKey(join(folder(), 'hash.key')).equals(key), 'another installation has another key').to.equal(false);
  });

  it('that others may read or change are refused with the remedy, and left as they are', async () => {
    for (const mode of [0o640, 0o604, 0o660, 0o644, 0o620, 0o700]) {
      const path = join(folder(), 'hash.key');
      const key = loadHashKey(path);
      chmodSync(path, mode);
      for (const load of [loadHashKey, generateToken]) {
        const failure = await failureOf(() => load(path));
        expect([failure.code, failure.retry]).to.deep.equal(['key-file-unsafe', 'never']);
        expect(failure.message).to.include(path).and.include(mode.toString(8));
        expect(failure.remedy).to.include(`chmod 600 ${path}`);
      }
      chmodSync(path, 0o600);
      expect(loadHashKey(path).equals(key)).to.equal(true);
    }
  });

  it('that are truncated are refused, never replaced behind anybody’s back', async () => {
    for (const length of [0, 31]) {
      const path = join(folder(), 'hash.key');
      loadHashKey(path);
      truncateSync(path, length);
      const failure = await failureOf(() => loadHashKey(path));
      expect(failure.code).to.equal('key-file-damaged');
      expect(failure.remedy).to.include('backup');
      expect(statSync(path).size).to.equal(length);
    }
    const path = join(folder(), 'token');
    writeFileSync(path, 'short\n', { mode: 0o600 });
    expect((await failureOf(() => generateToken(path))).code).to.equal('key-file-damaged');
  });

  it('that cannot be made say where and what to do', async () => {
    const path = join(folder(), 'hash.key');
    mkdirSync(path, { mode: 0o600 });
    expect((await failureOf(() => loadHashKey(path))).message).to.include(path);
    const below = join(folder(), 'file');
    writeFileSync(below, '');
    expect((await failureOf(() => loadHashKey(join(below, 'hash.key')))).code).to.equal('key-file-unusable');
  });

  it('hold a token that is made once, and compares equal only to itself', () => {
    const path = join(folder(), 'api.token');
    const token = generateToken(path);
    expect(token).to.match(/^[\w-]{43}$/);
    expect(generateToken(path)).to.equal(token);
    expect(statSync(path).mode & 0o777).to.equal(0o600);
    expect(tokenEquals(token, token)).to.equal(true);
    for (const other of ['', token.slice(1), `${token}x`, token.toUpperCase()]) {
      expect(tokenEquals(other, token)).to.equal(false);
    }
  });
});
