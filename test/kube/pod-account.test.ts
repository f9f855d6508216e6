import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { openConnection } from '../../src/kube/connection.ts';
import { podAccount } from '../../src/kube/pod-account.ts';

describe('the ServiceAccount of a pod', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'plumbline-account-'));
    writeFileSync(join(folder, 'token'), 'token-one\n');
    writeFileSync(join(folder, 'ca.crt'), '');
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const pod = (more: object = {}) => ({ KUBERNETES_SERVICE_HOST: '10.0.0.1', ...more });

  it('is found by its files and the server’s address, an IPv6 one too', () => {
    expect(podAccount({}, folder)).to.equal(undefined);
    expect(podAccount(pod(), join(folder, 'elsewhere'))).to.equal(undefined);
    expect(podAccount(pod(), folder)).to.include({ server: 'https://10.0.0.1:443', namespace: 'default', ca: '' });
    writeFileSync(join(folder, 'namespace'), 'plumbline\n');
    const other = podAccount(pod({ KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '6443' }), folder);
    expect(other).to.include({ server: 'https://[fd00::1]:6443', namespace: 'plumbline' });
  });

  it('shows a token that was renewed, a minute later at most', () => {
    let now = 0;
    const token = podAccount(pod(), folder, () => now)?.token;
    expect(token?.()).to.equal('token-one');
    writeFileSync(join(folder, 'token'), 'token-two');
    now = 60_000;
    expect(token?.()).to.equal('token-one');
    now = 60_001;
    expect(token?.()).to.equal('token-two');
  });

  it('says which file is missing, and what to do', async () => {
    rmSync(join(folder, 'ca.crt'));
    const opened = openConnection({ environment: pod(), accountFolder: folder });
    const error = await opened.catch((reason: unknown) => reason);
    expect(error).to.include({ code: 'kubeconfig-invalid' });
    expect(String(error)).to.include('ca.crt');
  });

  it('is used without the library for kubeconfigs, which is large', () => {
    const connection = new URL('../../src/kube/connection.ts', import.meta.url).href;
    const script = `
      import { registerHooks } from 'node:module';
      registerHooks({
        resolve: (name, context, next) => {
          if (name.startsWith('@kubernetes/client-node')) throw new Error('loaded ' + name);
          return next(name, context);
        },
      });
      const { openConnection } = await import(${JSON.stringify(connection)});
      const { headers } = await openConnection({ environment: ${JSON.stringify(pod())}, accountFolder: ${JSON.stringify(folder)} });
      process.stdout.write((await headers()).Authorization);
    `;
    const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', script];
    expect(execFileSync(process.execPath, args, { encoding: 'utf8' })).to.equal('Bearer token-one');
  });
});
