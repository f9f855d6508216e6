import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { ReconcilerError } from '../../errors.ts';
import { prepareHostedFiles } from './hosted-files.ts';
import { stopLeftover } from './hosted-process.ts';
import { type HostedNodeRed, type HostedOptions, Supervisor } from './hosted-supervisor.ts';

export type { HostedNodeRed, HostedOptions } from './hosted-supervisor.ts';

/**
 * Starts a Node-RED in a child process with an empty environment, reachable from this machine only and never without a
 * password, and keeps it running. Running it again on the same state directory continues with the same flows, password and
 * instance.
 * @throws ReconcilerError with code `node-red-missing`, `node-too-old`, `hosted-keys`, `hosted-in-use` or `hosted-start`.
 */
export async function startHosted(options: HostedOptions): Promise<HostedNodeRed> {
  const program = findNodeRed();
  const files = await prepareHostedFiles(options.stateDir, options.name);
  if ((await stopLeftover(files)) === 'stopped') {
    options.log('warn', 'Stopped a Node-RED that an earlier run had left behind', { userDir: files.userDir });
  }
  const hosted = new Supervisor(options, files, program);
  await hosted.start();
  return hosted;
}

function findNodeRed(): string {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < 22 || (major === 22 && minor < 9)) {
    throw new ReconcilerError(`Node-RED needs Node 22.9 or newer; this is Node ${process.versions.node}.`, 'never', {
      code: 'node-too-old',
      remedy: 'Run Plumbline with a newer Node, or point the Platform at a Node-RED that runs elsewhere.',
    });
  }
  try {
    return join(dirname(createRequire(import.meta.url).resolve('node-red/package.json')), 'red.js');
  } catch (error) {
    throw new ReconcilerError('The hosted Node-RED needs the package node-red, which is not installed.', 'never', {
      code: 'node-red-missing',
      cause: error,
      remedy: 'Run "npm install node-red" beside plumbline, or give the Platform the url of a Node-RED of yours.',
    });
  }
}
