import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { generateToken, loadHashKey, openKeys, tokenEquals } from '../../src/secrets/keys.ts';
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

  it('that somebody else keeps are read and never made: raw, in base64 or in hexadecimal', async () => {
    const given = folder();
    const state = folder();
    expect((await failureOf(() => openKeys(state, given))).code).to.equal('key-file-missing');
    const key = randomBytes(32);
    for (const text of [key, key.toString('base64'), `${key.toString('hex')}\n`]) {
      const at = folder();
      writeFileSync(join(at, 'hash.key'), text, { mode: 0o440 });
      expect(openKeys(state, at).hashKey.equals(key)).to.equal(true);
      expect(readdirSync(at)).to.deep.equal(['hash.key']);
    }
    for (const text of [key.subarray(1), key.subarray(1).toString('base64'), 'z'.repeat(64)]) {
      const at = folder();
      writeFileSync(join(at, 'hash.key'), text, { mode: 0o440 });
      expect((await failureOf(() => openKeys(state, at))).code).to.equal('key-file-damaged');
    }
  });

  it('that somebody else keeps bring the token along, or leave it to the state directory', () => {
    const given = folder();
    const state = folder();
    writeFileSync(join(given, 'hash.key'), randomBytes(32), { mode: 0o440 });
    const own = openKeys(state, given);
    expect(own.tokenFile).to.equal(join(state, 'token'));
    expect(readFileSync(own.tokenFile, 'utf8').trim()).to.equal(own.token);
    writeFileSync(join(given, 'token'), 'a'.repeat(40), { mode: 0o440 });
    expect(openKeys(state, given)).to.include({ token: 'a'.repeat(40), tokenFile: join(given, 'token') });
  });

  it('that somebody else keeps may be readable for the group, and for nobody beyond', async () => {
    const given = folder();
    const path = join(given, 'hash.key');
    writeFileSync(path, randomBytes(32));
    for (const mode of [0o644, 0o460, 0o444, 0o604]) {
      chmodSync(path, mode);
      const failure = await failureOf(() => openKeys(folder(), given));
      expect(failure.code).to.equal('key-file-unsafe');
      expect(failure.remedy).to.include('defaultMode 0440');
    }
    for (const mode of [0o440, 0o640, 0o400, 0o600]) {
      chmodSync(path, mode);
      expect(openKeys(folder(), given).hashKey).to.have.length(32);
    }
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
