import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import type { CheckResult } from '../../../src/daemon/operations.ts';
import { Desk } from '../../cli/binary.ts';
import { manifest } from './references.ts';
import type { Ground } from './references.ts';

/** Credentials that n8n tries against the service they are for, when somebody asks `check`. */
export function describeTrials({ server, client }: Ground): void {
  beforeEach(() => client().clear());

  it('check says of each credential that Plumbline owns whether it works, where n8n can try it, and no secret', async function () {
    this.timeout(120_000);
    const service = createServer((request, response) =>
      response.writeHead(request.headers.authorization === 'Bearer canary-right' ? 200 : 401).end('{}'),
    );
    await new Promise<void>((listening) => {
      service.listen(0, '127.0.0.1', listening);
    });
    const desk = new Desk({ N8N_KEY: server().apiKey, CHAT_RIGHT: 'canary-right', CHAT_WRONG: 'canary-wrong' });
    try {
      const baseUrl = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
      const chat = (name: string, env: string): void =>
        desk.write(
          `git/${name}.json`,
          manifest('Integration', name, {
            type: 'mattermostApi',
            settings: { baseUrl, allowUnauthorizedCerts: false },
            secrets: { accessToken: { valueFrom: { env } } },
          }),
        );
      chat('right', 'CHAT_RIGHT');
      chat('wrong', 'CHAT_WRONG');
      const crm = {
        type: 'httpHeaderAuth',
        settings: { name: 'X' },
        secrets: { value: { valueFrom: { env: 'CHAT_RIGHT' } } },
      };
      desk.write('git/crm.json', manifest('Integration', 'crm', crm));
      const token = { valueFrom: { env: 'N8N_KEY' } };
      const source = { folder: { path: `${desk.dir}/git` } };
      desk.write(
        'plumbline.yaml',
        [
          manifest('Platform', 'n8n', { driver: 'n8n', url: server().url, auth: { token } }),
          manifest('Sync', 'chat', { source, platform: 'n8n', secrets: { env: ['CHAT_*'] } }),
        ].join('\n---\n'),
      );
      // One of somebody else's is not tried: that would send its secret.
      const theirs = { baseUrl, accessToken: 'canary-theirs', allowUnauthorizedCerts: false };
      await client().call('POST', '/credentials', { name: 'Theirs', type: 'mattermostApi', data: theirs });
      const { code, out, err } = await desk.run('apply', '--yes');
      expect(code, out + err).to.equal(0);
      const { platforms } = await desk.json<{ readonly platforms: readonly CheckResult[] }>('check');
      expect(platforms[0]?.connections).to.deep.equal([
        { key: 'Integration/right', works: true, message: 'Connection successful!' },
        { key: 'Integration/wrong', works: false, message: 'Unauthorized' },
      ]);
      expect((await desk.run('check')).out).to.match(/Integration\/wrong: does not work: Unauthorized/);
      expect(desk.said).to.not.match(/canary/);
    } finally {
      desk.remove();
      service.close();
    }
  });
}
