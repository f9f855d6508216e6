import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { prepareHostedFiles } from '../../../src/drivers/node-red/hosted-files.ts';

describe('files of a hosted Node-RED', () => {
  it('its settings load also where the state directory lies in a project of ES modules', async () => {
    const project = mkdtempSync(join(tmpdir(), 'plumbline-hosted-'));
    try {
      writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
      const { settings } = await prepareHostedFiles(join(project, '.plumbline'), 'node-red');
      const load = `process.stdout.write(require(${JSON.stringify(settings)}).uiHost)`;
      // What is loaded ends its process with its parent's pipe, so only what it printed until then counts.
      const { stdout, stderr } = spawnSync(process.execPath, ['-e', load], { encoding: 'utf8' });
      expect(stdout, stderr).to.equal('127.0.0.1');
    } finally {
      rmSync(project, { recursive: true, force: true });
    }
  });
});
