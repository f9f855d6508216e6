import { expect } from 'chai';
import { checkGitUrl } from '../../src/source/url.ts';

describe('the check of a repository URL', () => {
  it('takes https, ssh in both spellings, file URLs and absolute paths', () => {
    const taken = {
      'https://git.example.com/platform.git': { transport: 'https', origin: 'https://git.example.com' },
      'https://Git.Example.com:8443/a/b': { transport: 'https', origin: 'https://git.example.com:8443' },
      'https://[2001:db8::1]/a': { transport: 'https', origin: 'https://[2001:db8::1]' },
      'http://gitea.local:3000/a.git': { transport: 'http', origin: 'http://gitea.local:3000' },
      'ssh://git@git.example.com:22/a.git': { transport: 'ssh', host: 'git.example.com' },
      'git@git.example.com:a/b.git': { transport: 'ssh', host: 'git.example.com' },
      'git.example.com:b.git': { transport: 'ssh', host: 'git.example.com' },
      'file:///srv/a%20b': { transport: 'file', path: '/srv/a b' },
      'file://localhost/srv/a': { transport: 'file', path: '/srv/a' },
      '/srv/a:b': { transport: 'file', path: '/srv/a:b' },
    };
    for (const [url, expected] of Object.entries(taken))
      expect(checkGitUrl(url), url).to.include({ ok: true, ...expected });
  });

  it('refuses what names a program, looks like an option, hides a host or is no place at all', () => {
    const refused = [
      '',
      'ext::sh -c touch% /tmp/x',
      'ext::sh',
      'fd::17/foo',
      'http::https://x/y',
      'git@host::path',
      '--upload-pack=touch /tmp/x',
      '-oProxyCommand=x',
      'ssh://-oProxyCommand=touch/x',
      'ssh://git@-oProxyCommand=x/y',
      'ssh://-l@host/x',
      '-oX@host:path',
      'git@-oProxyCommand=x:path',
      'ssh://host/-x',
      'host:-x',
      'ssh://host',
      'git://example.com/a.git',
      'ftp://example.com/a',
      'HTTPS://example.com/a',
      'https://',
      'https:///a',
      'https://example.com\\@evil.example/a',
      'https://exa mple.com/a',
      'https://example.com/a\nhttps://b',
      'https://example.com/a\0',
      'https://example.com/a?token=x',
      'https://example.com/a#b',
      'https://%65xample.com/a',
      'file://server/share',
      'file:///a%00b',
      'file:///a%zz',
      'relative/path',
      './relative',
    ];
    for (const url of refused) {
      const answer = checkGitUrl(url);
      expect(answer.ok, url).to.equal(false);
      if (!answer.ok) expect(answer.remedy, url).to.not.equal('');
    }
  });

  it('refuses credentials inside the URL, and does not repeat them', () => {
    for (const url of [
      'https://ada:canary@example.com/a',
      'https://canary@example.com/a',
      'ssh://git:canary@example.com/a',
      'http://a:canary@b@c/d',
    ]) {
      const answer = checkGitUrl(url);
      expect(answer.ok, url).to.equal(false);
      expect(JSON.stringify(answer)).to.not.contain('canary');
    }
  });

  it('lets a token over http only to this machine', () => {
    expect(checkGitUrl('http://git.example.com/a', { credentials: true }).ok).to.equal(false);
    expect(checkGitUrl('http://127.0.0.1.example.com/a', { credentials: true }).ok).to.equal(false);
    expect(checkGitUrl('http://localhost.example.com/a', { credentials: true }).ok).to.equal(false);
    for (const host of ['127.0.0.1:3000', 'localhost', '[::1]:8080'])
      expect(checkGitUrl(`http://${host}/a`, { credentials: true }).ok, host).to.equal(true);
    expect(checkGitUrl('https://git.example.com/a', { credentials: true }).ok).to.equal(true);
  });
});
